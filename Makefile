# Everything that a fresh machine with Go, Python 3.11 and a C toolchain needs is installed by the targets that need it:
# Go modules by go, Python wheels and model files by rung itself, all under the user's cache directory.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO ?= go
PYTHON ?= python3
GOTESTFORMAT ?= pkgname
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/rung-dev/rung/internal/cli.Version=$(VERSION)
RUNG := bin/rung

.PHONY: build test test-go test-python demo lint bench clean

build: $(RUNG)

.PHONY: $(RUNG)
$(RUNG):
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(RUNG) ./cmd/rung

## All tests, all set-up included.
test: build
	$(RUNG) setup --training
	$(MAKE) test-python test-go

# gotestsum names every failure, with its output, once more at the end.
test-go:
	$(GO) run gotest.tools/gotestsum@v1.13.0 --format $(GOTESTFORMAT) --hide-summary=skipped -- -timeout 20m ./...

test-python: build
	scripts/pytest.sh

## The main job on real input: two tasks, the local model, from nothing to two reports.
demo: build
	scripts/demo.sh

lint:
	scripts/lint.sh

bench: build
	scripts/bench.sh

clean:
	rm -rf bin
