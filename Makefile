# The two commands that do everything: make demo, make test.

GO      ?= go

# One set of build flags for everything but the race detector: other flags would
# compile the Temporal server a second time.
export CGO_ENABLED = 0
export GOFLAGS     = -trimpath

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
PLUGINS := $(notdir $(patsubst %/main.go,%,$(wildcard plugins/*/main.go)))

.PHONY: help build demo test check race generate bench clean test-deps

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## bin/sluice and one binary per plugin in bin/plugins
	@mkdir -p bin/plugins
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/sluice ./cmd/sluice
	@umask 022; for p in $(PLUGINS); do \
		echo "build plugin $$p"; \
		$(GO) build -ldflags '$(LDFLAGS)' -o bin/plugins/sluice-destination-$$p ./plugins/$$p || exit 1; \
	done

demo: build ## the main job, on this machine, with nothing to install; KEEP=1 stays up
	bin/sluice demo $(if $(KEEP),--keep)

test-deps:
	scripts/install-test-deps.sh

test: test-deps build ## all tests, with a real PostgreSQL, Temporal and browser
	$(GO) tool gotestsum --format pkgname -- -shuffle=on -count=1 -timeout 20m ./...

check: test-deps ## formatting, static analysis, races, generated files
	scripts/check.sh

race: export CGO_ENABLED = 1
race: ## tests under the race detector, but for those that compile the Temporal server
	$(GO) tool gotestsum --format pkgname -- -race -shuffle=on -count=1 -timeout 20m $(shell scripts/race-packages.sh)

generate: test-deps ## generated code and reference pages
	scripts/generate.sh

bench: build ## benchmarks of the single parts
	$(GO) test -run '^$$' -bench . -benchtime 2s ./config/... ./internal/event ./internal/rootfi ./internal/endpoint ./internal/ledger/... ./plugins/...

clean: ## what the targets made
	rm -rf bin demo
