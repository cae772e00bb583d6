# `make` lists the targets. `make test` is the one command that runs every test.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BINARY ?= bin/diresco
# Further arguments of go test, such as TESTFLAGS='-run TestLogin -v'.
TESTFLAGS ?=
# The longest comes first, so that others run beside it.
FIRST := diresco/internal/test/e2e
PACKAGES ?= $(FIRST) $(shell go list ./... | grep -v -x $(FIRST))
# What `make quick` tests.
PKG ?= ./...
# The chaos tests kill a program that is built without the detector, and those of the contract share nothing: running them under it
# shows nothing more.
RACE_PACKAGES ?= $(FIRST) $(shell go list ./... | grep -v -x -e '.*/internal/test/chaos' -e 'diresco/api.*' -e $(FIRST))
# SQLite is C turned into Go: watching every access in there finds no race of ours and takes more than half of the time.
RACE_FLAGS ?= -race -gcflags=modernc.org/sqlite/lib=-race=false
# How often `make chaos` kills the server on each kind of database.
KILLS ?= 30
# How often each event befalls the cluster of `make chaos-cluster`.
EVENTS ?= 5
# How many people `make click-day` has.
PEOPLE ?= 5000
# The commit that `make bench-against` compares with.
REV ?= ce78ff6
# Up to how many declarations `make bench-growth` measures; ten million take tens of gigabytes.
ROWS ?= 1000000
# Further arguments of the three, such as BENCHFLAGS='-duration 5s -rounds 5 -only ^submit'.
BENCHFLAGS ?=
# How long each fuzz target runs.
FUZZTIME ?= 10s

.PHONY: help run build quick test race check-peers pg pg-stop check lint fmt generate generate-check new-migration bench bench-against bench-peers bench-growth tools-check chaos click-day cluster chaos-cluster fuzz spec-lint contract-check release sbom reproducible typescript postman smoke clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## run the sandbox: test data, no configuration
	go run ./cmd/diresco sandbox

build: ## build bin/diresco: static, stripped
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BINARY) ./cmd/diresco

quick: ## test PKG=./internal/mandate/... on SQLite alone: the loop while writing
	TEST_DATABASE_URL=$${TEST_DATABASE_URL:-$$(tools/postgres.sh url)} go test -short $(TESTFLAGS) $(PKG)

test: ## run every test, on SQLite and on PostgreSQL
	tools/postgres.sh run go test -timeout 20m $(TESTFLAGS) $(PACKAGES)
	@echo 'left out: the tests with real nginx, HAProxy, PgBouncer, clamd, node and Chromium, which make check-peers runs'

check-peers: ## run the tests with nginx, HAProxy, PgBouncer, clamd, node and Chromium, which must be installed
	tools/postgres.sh run go test -tags peers -count=1 -timeout 30m $(TESTFLAGS) ./internal/test/peers/...

race: ## run the tests under the race detector, on SQLite (needs a C compiler)
	@command -v gcc >/dev/null || { echo 'the race detector needs a C compiler (Debian: apt-get install gcc libc6-dev)' >&2; exit 1; }
	CGO_ENABLED=1 tools/postgres.sh run go test -short $(RACE_FLAGS) -timeout 30m $(TESTFLAGS) $(RACE_PACKAGES)

pg: ## start a PostgreSQL server that later test runs share
	@tools/postgres.sh start

pg-stop: ## end it
	tools/postgres.sh stop

check: ## run what must pass before anything is merged
	tools/check.sh

lint: ## check the formatting, and run golangci-lint, which includes go vet
	tools/format.sh check
	go tool -modfile=tools/go.mod golangci-lint run

fmt: ## format the Go files that are written by hand
	tools/format.sh

generate: ## join openapi.yaml from api/contract and make the generated code again
	go generate ./...

generate-check: ## fail if openapi.yaml or generated code is stale; changes nothing
	tools/generate-check.sh

new-migration: ## begin a migration for both databases: NAME=office_hours
	tools/new-migration.sh $(NAME)

bench: ## measure speed and print it as a table
	tools/postgres.sh ensure
	go run ./internal/test/bench

bench-against: ## compare speed and memory with those of the commit REV, in turns
	tools/postgres.sh ensure
	go run ./internal/test/bench -against $(REV) $(BENCHFLAGS)

bench-peers: ## compare with PocketBase on SQLite and with the rows alone (pgbench), in turns
	tools/postgres.sh ensure
	go run ./internal/test/bench -peers $(BENCHFLAGS)

bench-growth: ## measure how cost grows with clients, processes, offices and ROWS, and draw it into docs/figures
	tools/postgres.sh ensure
	mkdir -p docs/figures
	go run ./internal/test/bench -growth docs/figures -rows $(ROWS) $(BENCHFLAGS)
	cd tools/figures && go run . ../../docs/figures

tools-check: ## test the modules of their own that measure, draw, and check the files of deploy
	cd tools/deploy && go vet ./... && go test ./...
	cd tools/peers && go vet ./... && go test ./...
	cd tools/figures && go vet ./... && go test ./...
	cd tools/supply && go vet ./... && go test ./...

chaos: ## kill the server KILLS times under load, fill disks, stop workers half way, and see that nothing is lost (as root)
	tools/postgres.sh ensure
	DIRESCO_CHAOS_KILLS=$(KILLS) go test -tags long -count=1 -timeout 90m -v ./internal/test/chaos/

click-day: ## let PEOPLE file within a minute for a fund that is enough for two fifths of them
	tools/postgres.sh ensure
	DIRESCO_CLICK_DAY=$(PEOPLE) go test -count=1 -timeout 30m -v -run ClickDay ./internal/test/chaos/

cluster: build ## start three PostgreSQL nodes under Patroni, PgBouncer and two processes on this machine (Debian, as root)
	tools/cluster.sh up
	tools/cluster.sh serve

chaos-cluster: ## kill, freeze, cut off and switch over the leader of such a cluster EVENTS times each, and see that nothing is lost
	DIRESCO_CHAOS_CLUSTER=$(EVENTS) go test -tags cluster -count=1 -timeout 120m -v -run Cluster ./internal/test/chaos/

fuzz: ## run every fuzz target for FUZZTIME
	tools/fuzz.sh $(FUZZTIME)

spec-lint: ## check openapi.yaml (needs node; ITALIAN_RULESET adds the national guidelines)
	tools/spec-lint/run.sh

contract-check: ## fail if the contract breaks what was released
	cd tools/contract && go test -count=1 ./...

typescript: ## make the types of api/typescript from the contract again (needs node)
	DIRESCO_UPDATE_TYPESCRIPT=yes go test -tags peers -count=1 -run TypeScript_TypesAre ./internal/test/peers/clients/

postman: ## make the Postman collection from the contract again
	cd api && go run ./contract/postman

sbom: build ## write bin/diresco.cdx.json, the bill of materials of the binary (CycloneDX), and its licences into docs/licences.md
	cd tools/supply && go tool cyclonedx-gomod bin -json -noserial -output ../../$(BINARY).cdx.json ../../$(BINARY)
	cd tools/supply && go run . ../../$(BINARY).cdx.json ../../docs/licences.md

reproducible: ## build what is committed twice, apart, and fail unless both are one
	tools/reproducible.sh $(VERSION)

release: contract-check sbom ## from now on, hold the contract to what it promises today
	cp openapi.yaml api/contract/released.yaml

smoke: ## run the binary in an empty chroot as a plain user (needs root)
	tools/chroot-smoke.sh

clean: ## remove what was built
	rm -rf bin
