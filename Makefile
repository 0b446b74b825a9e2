# The commands of this workspace; `make` alone lists them. CI runs `make check` and nothing else.

SHELL := /bin/bash
.DEFAULT_GOAL := help
# Tools in this folder come first, so that tests use the nats-server that make setup installs.
export PATH := $(CURDIR)/tools/bin:$(PATH)
# CI compiles every crate once: incremental state would be written and never read.
ifdef CI
export CARGO_INCREMENTAL := 0
endif

VIDEO ?= demo/clip.mp4
CARGO ?= cargo

##@ Using it
.PHONY: help setup demo
help: ## list the commands
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what building, testing and the demo need
	@tools/setup

# Without the programs that only tests need, whose installation takes half a minute more.
.PHONY: setup-demo
setup-demo:
	@tools/setup demo

# A Jaeger that runs on this machine shows the traces.
# The default clip is made first; any other VIDEO, also a URL, is passed to crispy as it is.
demo: setup-demo $(filter demo/clip.mp4,$(VIDEO)) ## send one minute of video (or VIDEO=file) through the whole system, into demo/bucket
	@$(CARGO) build --release --workspace --exclude crispy-testbed --bins
	@target/release/crispy up --jaeger=running --camera demo=$(VIDEO) --bucket file://$(CURDIR)/demo/bucket --data-dir demo/data --site demo

demo/clip.mp4: tools/clip
	@tools/clip $@

##@ Working on it
.PHONY: test check bench outage cluster fuzz media-table fmt clippy doc deny advisories layers style links observe
check: setup fmt layers style links observe deny clippy doc test ## everything that CI checks, cheapest first

# Builds everything first: tests start the programs of other crates, which cargo test may not build.
test: setup ## run all tests, with a real nats-server
	$(CARGO) build --workspace --all-targets
	$(CARGO) test --workspace

bench: setup demo/clip.mp4 ## measure the cost of a minute, a GB, a message, a put and a trace
	@$(CARGO) build --release --bins
	@$(CARGO) build --release --package crispy-ingestor --example ladder
	@tools/bench demo/clip.mp4
	@tools/bench-media demo/clip.mp4
	@$(CARGO) run --release --quiet --package crispy-queue --example throughput
	@$(CARGO) build --release --package crispy-uploader --example puts
	@tools/bench-puts
	@$(CARGO) build --release --package crispy-testbed --example collector
	@tools/bench-traces demo/clip.mp4

fuzz: ## send many times more random bytes to the parsers than the tests do
	CRISPY_FUZZ_CASES=100000 $(CARGO) test --release -p crispy-media fuzz

media-table: ## write the table of frame identity into docs/media.md
	CRISPY_WRITE_TABLE=1 $(CARGO) test -p crispy-media --test table

outage: setup ## test an outage of the bucket for a minute, in three forms at once
	CRISPY_OUTAGE_SECONDS=60 $(CARGO) test -p crispy-uploader --test uploads -- outage

cluster: setup ## test a cluster of three servers, with two minutes of elections
	$(CARGO) test -p crispy-queue --test processes -- cut_off servers_close

fmt: ## check the format with rustfmt
	$(CARGO) fmt --all --check

clippy: ## check for warnings of the compiler and clippy
	$(CARGO) clippy --workspace --all-targets -- -D warnings

doc: ## build the documentation and check its links
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

deny: ## check licences and origins of dependencies
	tools/deny

advisories: ## check dependencies for known vulnerabilities; needs GitHub
	$(CARGO) deny check advisories

layers: ## check that crates depend only on lower layers
	@tools/layers

style: ## check words, sizes and import circles, and print the figures
	@tools/style

observe: setup ## check dashboard, alerts and runbook against the metrics
	@tools/observe

links: ## check paths and links in the documents
	@tools/links
