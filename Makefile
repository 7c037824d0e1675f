# The two commands that do everything: make demo, make test.

GO      ?= go

# One set of build flags for everything but the race detector: other flags would
# compile the Temporal server a second time.
export CGO_ENABLED = 0
export GOFLAGS     = -trimpath

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# Nothing of the machine, the folder or the time goes into a binary: the same
# source makes the same bytes (make reproducible).
LDFLAGS := -s -w -buildid= -X main.version=$(VERSION)
BUILD   := $(GO) build -buildvcs=false -ldflags '$(LDFLAGS)' -tags '$(TAGS)'
BIN     ?= bin
TAGS    ?=
# A plugin that needs cgo is a module of its own, so that nothing else is built
# with a C compiler or downloads its libraries.
MODULES     := $(notdir $(patsubst %/go.mod,%,$(wildcard plugins/*/go.mod)))
CGO_PLUGINS ?= $(MODULES)
PLUGINS     := $(filter-out $(MODULES),$(notdir $(patsubst %/main.go,%,$(wildcard plugins/*/main.go))))

.PHONY: help build demo test test-root test-cgo test-deploy check race fuzz reproducible sbom generate bench bench-parts chaos clean test-deps

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## bin/sluice and one binary per plugin in bin/plugins; TAGS=slim without Temporal
	@mkdir -p $(BIN)/plugins
	$(BUILD) -o $(BIN)/sluice ./cmd/sluice
	@umask 022; for p in $(PLUGINS); do \
		echo "build plugin $$p"; \
		$(BUILD) -o $(BIN)/plugins/sluice-destination-$$p ./plugins/$$p || exit 1; \
	done
	@umask 022; bin=$$(cd $(BIN)/plugins && pwd); for p in $(CGO_PLUGINS); do \
		if ! command -v "$${CXX:-g++}" >/dev/null; then \
			echo "NOT BUILT: plugin $$p needs a C++ compiler: install one (Debian: apt-get install g++) and run make build again"; \
			rm -f "$$bin/sluice-destination-$$p"; continue; \
		fi; \
		echo "build plugin $$p, with cgo"; \
		(cd plugins/$$p && CGO_ENABLED=1 $(BUILD) -o "$$bin/sluice-destination-$$p" .) || exit 1; \
	done

demo: build ## the main job, on this machine, with nothing to install; KEEP=1 stays up
	bin/sluice demo $(if $(KEEP),--keep)

test-deps: ## install what the tests need: databases, a browser, Node and its packages, compilers of C++ and protobuf
	scripts/install-test-deps.sh

test: test-root test-cgo test-deploy ## all tests, with a real PostgreSQL, Temporal and browser

# With make -k, as CI calls it, one that fails does not hide the others.
test-root: test-deps build
	$(GO) tool gotestsum --format pkgname -- -shuffle=on -count=1 -timeout 20m ./...

test-cgo: test-deps build
	for p in $(CGO_PLUGINS); do \
		CGO_ENABLED=1 $(GO) tool gotestsum --format pkgname --raw-command -- $(GO) test -C plugins/$$p -json -shuffle=on -count=1 -timeout 20m ./... || exit 1; \
	done

test-deploy: test-deps build
	$(GO) tool gotestsum --format pkgname --raw-command -- $(GO) test -C deploy -json -shuffle=on -count=1 -timeout 20m ./...

check: test-deps ## formatting, static analysis, races, generated files
	scripts/check.sh

race: export CGO_ENABLED = 1
# Some tests run in make test only. Conformance and faults wait for processes that
# are built without the race detector; the others are one goroutine that works for
# minutes under it.
NO_RACE := ^TestConformance$$|^TestUnderFaults$$|^TestLedger$$/^any_sequence|^TestScript$$|^TestGzipBomb$$
race: ## tests under the race detector, but for those that compile the Temporal server
	$(GO) tool gotestsum --format pkgname -- -race -skip '$(NO_RACE)' -shuffle=on -count=1 -timeout 20m $(shell scripts/race-packages.sh)
	for p in $(CGO_PLUGINS); do \
		$(GO) tool gotestsum --format pkgname --raw-command -- $(GO) test -C plugins/$$p -json -race -run 'TestSQL|TestFault' -count=1 -timeout 20m . || exit 1; \
	done

fuzz: ## every fuzz target for a while; FUZZTIME=10m each takes longer
	scripts/fuzz.sh

reproducible: ## the same source in two folders makes the same binaries
	$(GO) test -C deploy -count=1 -run TestBuildsAreReproducible -v .

sbom: build ## a bill of materials (CycloneDX) for each binary, in bin/sbom
	BIN=$(BIN) scripts/sbom.sh

generate: test-deps ## generated code and reference pages
	scripts/generate.sh

bench: test-deps build ## benchmarks from outside, see docs/benchmarks.md; BENCH="--run burst"
	$(GO) build -tags slim -ldflags '$(LDFLAGS)' -o bin/sluice-slim ./cmd/sluice
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/sluice-bench ./cmd/sluice-bench
	bin/sluice-bench --slim bin/sluice-slim --json bin/benchmarks.json --plots bin/benchmarks $(BENCH)

bench-parts: ## benchmarks of the single parts
	$(GO) test -run '^$$' -bench . -benchtime 2s ./config/... ./internal/event ./internal/rootfi ./internal/endpoint ./internal/ledger/... ./plugins/...

# LEDGER=postgres is two servers that share it, on an external Temporal.
SEED     ?= 0
DURATION ?= 10m
LEDGER   ?= sqlite
TEMPORAL ?= $(if $(filter postgres,$(LEDGER)),external,embedded)
RATE     ?= 40
GAP      ?= 1.8s
SERVERS  ?= $(if $(filter postgres,$(LEDGER)),2,1)
chaos: test-deps ## run under faults and verify: SEED=1 DURATION=10m LEDGER=sqlite|postgres RATE=40 GAP=1.8s
	$(GO) run ./cmd/sluice-chaos --seed $(SEED) --duration $(DURATION) --ledger $(LEDGER) --temporal $(TEMPORAL) --servers $(SERVERS) --rate $(RATE) --gap $(GAP)

clean: ## what the targets made
	rm -rf bin demo
