# `make` lists the targets. `make test` is the one command that runs every test.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BINARY ?= bin/diresco
# Further arguments of go test, such as TESTFLAGS='-run TestLogin -v'.
TESTFLAGS ?=
PACKAGES ?= ./...
# The chaos tests kill a program that is built without the detector: running them under it shows nothing more.
RACE_PACKAGES ?= $(shell go list ./... | grep -v /internal/test/chaos)
# SQLite is C turned into Go: watching every access in there finds no race of ours and takes more than half of the time.
RACE_FLAGS ?= -race -gcflags=modernc.org/sqlite/lib=-race=false
# How often `make chaos` kills the server on each kind of database.
KILLS ?= 30
# How long each fuzz target runs.
FUZZTIME ?= 10s

.PHONY: help run build test race lint generate generate-check bench chaos fuzz spec-lint smoke clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## run the sandbox: test data, no configuration
	go run ./cmd/diresco sandbox

build: ## build bin/diresco: static, stripped
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BINARY) ./cmd/diresco

test: ## run every test, on SQLite and on PostgreSQL
	tools/ensure-postgres.sh
	go test $(TESTFLAGS) $(PACKAGES)

race: ## the same under the race detector (needs a C compiler)
	@command -v gcc >/dev/null || { echo 'the race detector needs a C compiler (Debian: apt-get install gcc libc6-dev)' >&2; exit 1; }
	tools/ensure-postgres.sh
	CGO_ENABLED=1 go test $(RACE_FLAGS) -timeout 30m $(TESTFLAGS) $(RACE_PACKAGES)

lint: ## go vet and golangci-lint
	go vet ./...
	go tool -modfile=tools/go.mod golangci-lint run

generate: ## join openapi.yaml from api/contract and make the generated code again
	go generate ./...

generate-check: ## fail if openapi.yaml or generated code is stale; changes nothing
	tools/generate-check.sh

bench: ## measure speed and print it as a table
	tools/ensure-postgres.sh
	go run ./internal/test/bench

chaos: ## kill the server KILLS times under load, on both databases, and see that nothing is lost
	tools/ensure-postgres.sh
	DIRESCO_CHAOS_KILLS=$(KILLS) go test -count=1 -timeout 60m -v ./internal/test/chaos/

fuzz: ## run every fuzz target for FUZZTIME
	tools/fuzz.sh $(FUZZTIME)

spec-lint: ## check openapi.yaml (needs node; ITALIAN_RULESET adds the national guidelines)
	tools/spec-lint/run.sh

smoke: ## run the binary in an empty chroot as a plain user (needs root)
	tools/chroot-smoke.sh

clean: ## remove what was built
	rm -rf bin
