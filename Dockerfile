# syntax=docker/dockerfile:1

# The slim Sluice, for a Temporal cluster, with the shipped plugins, in an image
# with nothing else: no shell, no package manager, not root. Plugins that need a C
# library are not in it, because there is none.
#
#   docker build --build-arg VERSION=$(git describe --tags --always) --tag sluice .

FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
ARG VERSION=devel
ARG TARGETOS
ARG TARGETARCH
ARG OUT=/out
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The flags of make build make the same binaries of the same source anywhere.
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH make build TAGS=slim CGO_PLUGINS= VERSION=$VERSION BIN=$OUT/bin
RUN mkdir -m 0700 $OUT/data

FROM gcr.io/distroless/static-debian12:nonroot
ARG VERSION=devel
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="Takes webhooks of a unified accounting API in, and delivers what they say" \
      org.opencontainers.image.source="https://github.com/sluicehq/sluice" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version=$VERSION
COPY --from=build /out/bin /opt/sluice/bin
COPY --from=build --chown=65532:65532 /out/data /var/lib/sluice
USER 65532:65532
WORKDIR /var/lib/sluice
VOLUME /var/lib/sluice
EXPOSE 8080 8081
ENTRYPOINT ["/opt/sluice/bin/sluice"]
CMD ["serve", "-c", "/etc/sluice/sluice.yaml"]
