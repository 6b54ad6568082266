# `make` lists the targets. What is longer than a line is a script in .ci/.
#
# A fresh clone needs Go, git, make, bash and a C compiler (for the race
# detector); the targets install the rest, as root or through sudo.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

FUZZTIME ?= 30s
CHAOSTIME ?= 5m
SEED ?= 1
SCENARIO ?= smoke

# Both modules. Patterns, because `go test ./...` sees one module at a time.
MODULES := ./pkg/... ./services/api/...

VERSION := $(shell . .ci/lib && current_version)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: bin/api ## start the service on :8080 with a Redis inside it, and say what to try
	@exec .ci/serve bin/api

# Phony in effect: `go build` knows better than make what is up to date.
.PHONY: bin/api
bin/api:
	go build -ldflags '-X main.version=$(VERSION)' -o $@ ./services/api/cmd/api

.PHONY: test
test: ## everything a change has to pass, on a real Redis (installed if missing); on another: REDIS=redis-7.4, valkey-8, …
	@.ci/test $(MODULES)

.PHONY: acl
acl: ## the service's tests with a user of Redis that has the least rights, as docs/operations.md has them
	@QST_TEST_REDIS_ACL=yes .ci/test ./services/api/...

.PHONY: screenshots
screenshots: ## the pictures of docs/console.md, from the console's test
	@QST_TEST_BROWSER="$$(.ci/install browser)" QST_TEST_AXE="$$(.ci/install axe)" \
		go test ./services/api/internal/app -count=1 -run 'TestConsole$$' -pictures "$(CURDIR)/docs/console"

.PHONY: demo
demo: bin/api ## stream real text messages through two replicas and check each came out once
	@.ci/install redis-server
	@go run ./services/api/cmd/demo

.PHONY: loadtest
loadtest: bin/api ## run a load test: SCENARIO=smoke, … (loadtest/README.md); with URL=… against that, else starts the service
	@case "$(SCENARIO)" in check) exec loadtest/check ;; *) exec loadtest/run "$(SCENARIO)" ;; esac

.PHONY: bench
bench: bin/api ## side by side with Nchan, webdis and bare scripts; micro-benchmarks against BASE (default HEAD)
	@loadtest/bench

.PHONY: lint
lint: ## formatting, vet, golangci-lint, shellcheck, actionlint, known vulnerabilities
	@.ci/lint $(MODULES)

.PHONY: java
java: ## test the programs in Java of docs/applications: some two minutes, and 300 MB for a JDK where none is (apt-get)
	@.ci/install redis-server
	@.ci/install java
	QST_TEST_JAVA=yes go test -count=1 -run 'TestApplications.*/(Receive|Send).java' ./pkg/cmd/qst

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (default 30s)
	@.ci/fuzz $(FUZZTIME) $(MODULES)

.PHONY: chaos
chaos: ## faults on each kind of Redis for CHAOSTIME (default 5m), and an account of every message; SEED=2: others
	@.ci/chaos "$(CHAOSTIME)" "$(SEED)"

.PHONY: webhooks
webhooks: ## storms of webhooks: 50 400 messages while workers and Redis are killed; 200 hosts of which 20 die
	@.ci/webhooks

.PHONY: image
image: ## build the container image, into bin/image.tar; needs no container engine
	@.ci/image $(IMAGE)

.PHONY: chart
chart: ## check the Helm chart and the kustomizations
	@.ci/chart

.PHONY: e2e
e2e: ## the chart on a real cluster, under load: upgrades, scaling, kills (.ci/e2e says what it needs)
	@.ci/e2e

.PHONY: generate
generate: ## remake what is made from other files (.gitattributes names it); CHECK=yes: and fail if that changes any
ifdef CHECK
	@env -u MAKEFLAGS -u CHECK .ci/generated
else
	go generate $(MODULES)
	GOWORK=off go -C .ci/kube run ./generate
	.ci/notices
endif

.PHONY: release
release: ## build what a release consists of, VERSION=v1.2.3, into bin/release (.ci/release)
	@.ci/release $(if $(PUBLISH),publish,build) "$(VERSION)"

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
