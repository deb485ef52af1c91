# vibe-bridge. `make help` lists the targets.

GO           ?= go
STATICCHECK  := honnef.co/go/tools/cmd/staticcheck@v0.8.2
LOCALBROKER  := $(GO) run ./internal/kafka/localbroker
TEST_TIMEOUT ?= 20m
TEST_FLAGS   ?=
# How many tests of a package run side by side: most wait for brokers more than they work.
PARALLEL     ?= 6
PACKAGES     ?= ./...
FUZZTIME     ?= 90s
RUNS         ?= 40000
ORDERS       ?= $(if $(filter compare-planted,$(MAKECMDGOALS)),200000,$(if $(filter compare-run-scale,$(MAKECMDGOALS)),100000,1000000))
ENTITIES     ?= 1000000
ROUNDS       ?= 3
KNOWN        ?= 1000,10000000
KILLS        ?= 200
INSTANCES    ?= 2
FAULTS       ?=
BROKERS      ?= 1
TARGET       ?= shared
MINUTES      ?= 30
REPORT       ?=
SIZES        ?= 50000,200000,800000
MEASURED     ?= internal/capacity/measured.json
# auto where git can tell the commit; without git or a repository, or with one that git refuses to look at, the build knows none.
BUILDVCS     ?= $(shell git status >/dev/null 2>&1 && echo auto || echo false)
RATE         ?= 100
SEED         ?= $(if $(filter chaos away parked-run compare-planted compare-run-scale bench bench-quick bench-flat plan-measure,$(MAKECMDGOALS)),1,100000)

export GOFLAGS ?= -buildvcs=false

# One way to build it, for whoever runs it: another would take the place of the first, and compile everything again.
BUILD        = $(GO) build -trimpath -buildvcs=$(BUILDVCS) -o build/vibe-bridge ./cmd/vibe-bridge

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Show the product: two embedded brokers, a made-up season, the bridge (Ctrl-C ends it)
	@echo "building (the first time takes a minute or two)" >&2
	@$(BUILD)
	@build/vibe-bridge demo $(DEMO_FLAGS)

.PHONY: compare-demo
compare-demo: ## Show the comparison: a season with planted faults, old against new, with a report to open
	@echo "building (the first time takes a minute or two)" >&2
	@$(BUILD)
	@build/vibe-bridge compare demo $(COMPARE_DEMO_FLAGS)

.PHONY: build
build: ## Build build/vibe-bridge, which knows its commit where there is a repository
	$(BUILD)

.PHONY: test
test: ## Run all tests, on the embedded broker, on a real Apache Kafka, in a browser and with readers' tools
	@GO="$(GO)" .ci/test $(TEST_FLAGS) -parallel $(PARALLEL) -timeout $(TEST_TIMEOUT) $(PACKAGES)
	@GO="$(GO)" .ci/fuzz 10000x $(PACKAGES)
	@$(if $(filter ./...,$(PACKAGES)),GO="$(GO)" .ci/deploy)

.PHONY: deploy-check
deploy-check: ## Check deploy/ alone: manifests, configurations, rules, dashboards; part of make test, too
	@GO="$(GO)" .ci/deploy

.PHONY: dashboards
dashboards: ## Write the dashboards of deploy/grafana
	$(GO) -C deploy/check run -mod=mod ./dashboard

.PHONY: test-short
test-short: ## Run the tests in their short form, on the embedded broker alone
	$(GO) test -short -timeout $(TEST_TIMEOUT) $(PACKAGES)

.PHONY: test-race
test-race: ## Run the short tests with the race detector
	$(GO) test -race -short -timeout $(TEST_TIMEOUT) $(PACKAGES)

.PHONY: fuzz
fuzz: ## Fuzz every decoder for FUZZTIME each, and keep what reached new code in build/fuzz
	@GO="$(GO)" FUZZ_CORPUS=build/fuzz FUZZ_MINIMIZE=20s .ci/fuzz $(FUZZTIME) $(PACKAGES)

.PHONY: parked-run
parked-run: ## Park ORDERS orders of one event that has not come, let it come, and measure (docs/reliability.md)
	@$(GO) build -o build/parkedrun ./internal/parkedrun
	@build/parkedrun -orders $(ORDERS) -seed $(SEED)

.PHONY: compare-planted
compare-planted: ## Plant every kind of fault in a season of ORDERS and see that compare finds it, and nothing else; and nothing in a flawless season of ENTITIES
	@$(GO) build -o build/plantedrun ./internal/planted/plantedrun
	@build/plantedrun -orders $(ORDERS) -seed $(SEED) -entities $(ENTITIES)

.PHONY: compare-run-scale
compare-run-scale: ## Measure how compare run takes and judges a season of ORDERS, with one instance and with two (docs/compare.md)
	@$(GO) build -o build/scalerun ./compare/live/scalerun
	@build/scalerun -orders $(ORDERS) -seed $(SEED)

.PHONY: bench
bench: ## Measure how fast contestants drain a season of ORDERS in ROUNDS rounds, recover, keep up with a load and hand over (docs/performance.md; hours)
	@$(GO) build -o build/benchrun ./bench/benchrun
	@build/benchrun -orders $(ORDERS) -rounds $(ROUNDS) -seed $(SEED)

.PHONY: bench-quick
bench-quick: ## The drain alone with 50,000 orders, one round; fails when a ratio is worse than bench/guard.json allows (below five minutes)
	@$(GO) build -o build/benchrun ./bench/benchrun
	@build/benchrun -orders 50000 -rounds 1 -seed $(SEED) -contestants franz,sarama,bridge,kafka-streams -measure drain -guard bench/guard.json

.PHONY: bench-flat
bench-flat: ## Measure what a record costs with KNOWN other orders in the table, ROUNDS rounds (docs/performance.md; an hour, 10 GiB of disk)
	@$(GO) build -o build/benchrun ./bench/benchrun
	@build/benchrun -orders 200000 -rounds $(ROUNDS) -seed $(SEED) -contestants bridge -measure flat -known $(KNOWN)

.PHONY: bench-micro
bench-micro: ## Compare codecs, JSON encoders, storage and others COUNT times each, with benchstat (decisions 17 and 18)
	@GO="$(GO)" .ci/bench-micro

.PHONY: plan-measure
plan-measure: ## Measure at three SIZES what vibe-bridge plan calculates with, write it to MEASURED, and bring docs/scaling.md up to date
	@$(GO) build -o build/planrun ./bench/planrun
	@build/planrun -sizes $(SIZES) -rounds $(ROUNDS) -seed $(SEED) -out $(MEASURED)
	@$(GO) test -count=1 -run TestScalingPage ./cmd/vibe-bridge -update

.PHONY: model
model: ## Run RUNS random histories from SEED on against the reference (40000 take half an hour)
	VIBE_BRIDGE_MODEL_RUNS=$(RUNS) VIBE_BRIDGE_MODEL_SEED=$(SEED) $(GO) test -count=1 -timeout 0 -run 'TestConvergence(Replays)?Long' ./mapping

.PHONY: chaos
chaos: ## Kill instances KILLS times while data flows, with other faults, and check what came out (docs/reliability.md)
	@$(GO) build -o build/chaosrun ./internal/chaos/chaosrun
	@build/chaosrun -kills $(KILLS) -seed $(SEED) -instances $(INSTANCES) -faults "$(FAULTS)" -brokers $(BROKERS) -target $(TARGET) -rate $(RATE)

.PHONY: chaos-short
chaos-short: ## The short form of chaos, which is part of make test, alone
	$(GO) test -count=1 -timeout 10m -run TestFaultsWhileDataFlows -v ./internal/chaos

.PHONY: chaos-planted
chaos-planted: ## See that chaos finds a bug that is planted; part of make test, too
	$(GO) test -count=1 -timeout 10m -run TestPlantedBugIsFound -v ./internal/chaos

.PHONY: away
away: ## Have the target cluster away for MINUTES under a load of RATE, and see that memory stays bounded and all arrives
	@$(GO) build -o build/chaosrun ./internal/chaos/chaosrun
	@build/chaosrun -away $(MINUTES)m -rate $(RATE) -seed $(SEED) -instances $(INSTANCES) -dir build/away

.PHONY: lint
lint: ## Check formatting, vet, staticcheck, and that generated code is what its sources say
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) -C deploy/check vet -mod=mod ./...
	GOFLAGS="$(GOFLAGS) -mod=mod" $(GO) -C deploy/check run $(STATICCHECK) ./...
	$(GO) -C bench/micro vet -mod=mod ./...
	GOFLAGS="$(GOFLAGS) -mod=mod" $(GO) -C bench/micro run $(STATICCHECK) ./...
	$(GO) run ./internal/protogen -check
	$(GO) run ./internal/schemagen -check
	$(GO) run ./internal/licences -check

.PHONY: licences
licences: ## Write docs/licences.md, and refuse modules whose licence is not allowed; make lint checks the same
	$(GO) run ./internal/licences

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what the product calls
	@GO="$(GO)" .ci/vuln

.PHONY: verify
verify: lint vuln test test-race ## Everything that has to hold before a release

.PHONY: generate
generate: ## Write the generated Go code of all .proto files, and the published schemas
	$(GO) run ./internal/protogen
	$(GO) run ./internal/schemagen

.PHONY: report-screenshots
report-screenshots: ## Take the pictures of docs/images from the page REPORT, or from that of compare-demo
	@.ci/browser
	@$(if $(REPORT),true,$(MAKE) --no-print-directory compare-demo)
	@mkdir -p docs/images
	@node compare/page/browser/pictures.mjs $(or $(REPORT),build/compare-demo/report.html) docs/images

.PHONY: console-screenshots
console-screenshots: ## Take the pictures of the console for docs/images, from a made-up deployment
	@.ci/browser
	@mkdir -p docs/images
	@VIBE_BRIDGE_REQUIRE_BROWSER=1 VIBE_BRIDGE_PICTURES="$(CURDIR)/docs/images" $(GO) test -count=1 -run TestInBrowser ./internal/console

.PHONY: kafka
kafka: ## Start Apache Kafka 4.3.1 on loopback (needs Java 17 and Maven), print its address
	@$(LOCALBROKER) start

.PHONY: kafka-stop
kafka-stop: ## Stop the Kafka of `make kafka`
	@$(LOCALBROKER) stop

.PHONY: clean
clean: ## Remove everything built
	rm -rf build
