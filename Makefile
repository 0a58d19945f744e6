# Every step of the continuous integration is one of these targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO ?= go
TOOL := $(GO) tool -modfile=internal/tools/go.mod
LINT := $(GO) tool -modfile=internal/tools/lint/go.mod golangci-lint
COLLECTOR := _build/otelcol-gpucause
# One package at a time: a session sees every process of the host.
KERNEL_PACKAGES := ./bpf/... ./internal/capture/... ./internal/target/... ./receiver/...
IS_ROOT := $(filter 0,$(shell id -u))
# How often `make stories` runs each story.
N ?= 20

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: tools
tools: ## Build the pinned build tools into Go's cache
	$(TOOL) builder version
	$(TOOL) mdatagen --help >/dev/null 2>&1 || true

.PHONY: generate
generate: ## Compile the BPF programs and generate everything that is generated (needs clang, llvm-strip)
	$(GO) generate ./...

.PHONY: fmt
fmt: ## Format the Go code
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

.PHONY: lint
lint: ## Check formatting, style and layering
	$(LINT) run ./...
	cd testdata/llmserver && $(GO) tool -modfile=../../internal/tools/lint/go.mod golangci-lint run ./...

.PHONY: vet
vet: ## Vet for every platform that the module must build on
	GOOS=linux GOARCH=amd64 $(GO) vet ./...
	GOOS=linux GOARCH=arm64 $(GO) build ./...
	GOOS=darwin GOARCH=arm64 $(GO) build ./...
	GOOS=windows GOARCH=amd64 $(GO) build ./...

.PHONY: build
build: ## Build the lean Collector into _build/otelcol-gpucause
	$(TOOL) builder --config builder-config.yaml

.PHONY: build-full
build-full: ## Build the production Collector into _build-full/otelcol-gpucause (several minutes)
	$(TOOL) builder --config packaging/builder-config.full.yaml

.PHONY: fakecuda
fakecuda: ## Build the simulated CUDA stack
	$(MAKE) -C testdata/fakecuda

.PHONY: llmserver
llmserver: ## Build the completion server on the simulated CUDA stack
	$(MAKE) -C testdata/llmserver

.PHONY: test
test: test-unit test-kernel ## Run the unit tests, and as root those on the real Linux kernel

.PHONY: test-unit
test-unit: vet fakecuda
	$(GO) test -race ./...
	$(MAKE) -C testdata/llmserver test

.PHONY: test-kernel
ifneq ($(IS_ROOT),)
test-kernel: fakecuda
	GPUCAUSE_KERNEL_TESTS=1 $(GO) test -count=1 -p 1 $(KERNEL_PACKAGES)
else
test-kernel:
	@echo "SKIPPED: the tests on the real Linux kernel (probes, programs, the traced simulated CUDA) need root: sudo make test"
endif

.PHONY: bench
bench: fakecuda ## Measure what probes cost a call and a context switch (root), and the pure code
ifneq ($(IS_ROOT),)
	GPUCAUSE_BENCH=1 $(GO) test -count=1 -v -run TestCost ./internal/capture | grep -v -e '^=== ' -e INFO
else
	@echo "SKIPPED: the cost of probes needs root: sudo make bench"
endif
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: stories
ifneq ($(IS_ROOT),)
stories: fakecuda ## Run every story N=20 times under load, and keep what was told in docs/causes.md (root)
	mkdir -p _build
	GPUCAUSE_STORIES=$(N) GPUCAUSE_STORIES_TABLE=$(CURDIR)/_build/stories.md \
		$(GO) test -count=1 -v -timeout 40m -run '^TestConfusion$$' ./receiver/gpucausereceiver
	sed -i -e '/^<!-- stories -->$$/,/^<!-- end of stories -->$$/{//!d}' \
		-e '/^<!-- stories -->$$/r _build/stories.md' docs/causes.md
else
stories:
	@echo "SKIPPED: the stories need the real probes, which need root: sudo make stories"
endif

.PHONY: demo
demo: build fakecuda ## Trace the simulated workloads and tell, one after the other, why each is slow (root)
	testdata/demo/run.sh $(COLLECTOR)

.PHONY: demo-jaeger
demo-jaeger: build fakecuda ## The same into a real Jaeger, and print the URL to look at (root)
	testdata/demo/jaeger.sh $(COLLECTOR)

.PHONY: e2e
e2e: build fakecuda llmserver ## Check stalls, and requests, end to end: Collector, simulated CUDA, real Jaeger (root)
	testdata/e2e/run.sh $(COLLECTOR)
	testdata/e2e/requests.sh $(COLLECTOR)

.PHONY: test-topology
test-topology: build ## Check agents, load-balancing exporters and two gateways with the connector, over real OTLP
	cd testdata/topology && GPUCAUSE_COLLECTOR=$(CURDIR)/$(COLLECTOR) $(GO) test -count=1 ./...

.PHONY: test-foreign-ocb
test-foreign-ocb: ## Build the components with a builder manifest outside this repository
	testdata/foreign-ocb/run.sh

.PHONY: test-vendor-libs
test-vendor-libs: ## Check the probes against NVIDIA's own libraries, installed or fetched (no GPU needed)
	testdata/vendorlibs/run.sh

.PHONY: test-kernels
test-kernels: ## Run the tests of capture on other Linux kernels, under QEMU (KERNELS="6.1 6.12 newest")
	testdata/kernels/run.sh $(KERNELS)

.PHONY: test-gpu
test-gpu: build ## Check against the real libraries on a machine with an NVIDIA GPU (root)
	testdata/gpu/run.sh $(COLLECTOR)

.PHONY: test-gpu-scripts
test-gpu-scripts: ## Check the Python of test-gpu (no GPU needed)
	cd testdata/gpu && PYTHONDONTWRITEBYTECODE=1 python3 -m unittest -q compare_test && \
		PYTHONDONTWRITEBYTECODE=1 python3 -c 'import ast, glob; [ast.parse(open(f).read(), f) for f in glob.glob("*.py")]'

.PHONY: check-generated
check-generated: generate ## Fail where a generated file is not current
	@git diff --exit-code || { echo 'generated files are not current: run "make generate"'; exit 1; }

.PHONY: clean
clean: ## Remove what was built
	rm -rf _build _build-full _build-foreign bin
	-$(MAKE) -C testdata/llmserver clean
	-$(MAKE) -C testdata/fakecuda clean
