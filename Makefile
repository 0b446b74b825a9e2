# The commands of the house; `make` alone lists them. CI runs `make check` and nothing else.

SHELL := /bin/bash
.DEFAULT_GOAL := help
# The house's own tools first: the nats-server that is tested.
export PATH := $(CURDIR)/tools/bin:$(PATH)
# Every crate is compiled once there: incremental state would be written and never read.
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

# What a demo does not need, and tests do, takes half a minute more.
.PHONY: setup-demo
setup-demo:
	@tools/setup demo

# A Jaeger that runs on this machine shows its traces.
# The clip is made if it is the one asked for; any other VIDEO, a URL too, is for crispy to judge.
demo: setup-demo $(filter demo/clip.mp4,$(VIDEO)) ## one minute of video (VIDEO=file takes yours) through the whole system, into demo/bucket
	@$(CARGO) build --release --workspace --exclude crispy-testbed --bins
	@target/release/crispy up --jaeger=running --camera demo=$(VIDEO) --bucket file://$(CURDIR)/demo/bucket --data-dir demo/data --site demo

demo/clip.mp4: tools/clip
	@tools/clip $@

##@ Working on it
.PHONY: test check bench outage cluster fuzz media-table fmt clippy doc deny advisories layers style links observe
check: setup fmt layers links observe deny clippy doc test ## all that CI checks, cheap things first

# First everything: tests start the programs of other crates, which cargo test alone may not build.
test: setup ## all tests, with a real nats-server
	$(CARGO) build --workspace --all-targets
	$(CARGO) test --workspace

bench: setup demo/clip.mp4 ## what a minute costs from exec to exit, a GB beside ffmpeg, a message beside a bare loop, a put beside Google's client, traces beside none
	@$(CARGO) build --release --bins
	@$(CARGO) build --release --package crispy-ingestor --example ladder
	@tools/bench demo/clip.mp4
	@tools/bench-media demo/clip.mp4
	@$(CARGO) run --release --quiet --package crispy-queue --example pace
	@$(CARGO) build --release --package crispy-uploader --example puts
	@tools/bench-puts
	@$(CARGO) build --release --package crispy-testbed --example collector
	@tools/bench-traces demo/clip.mp4

fuzz: ## many times more hostile bytes than the tests send
	CRISPY_HOSTILE_CASES=100000 $(CARGO) test --release -p crispy-media hostile

media-table: ## write the table of frame identity into docs/media.md
	CRISPY_WRITE_TABLE=1 $(CARGO) test -p crispy-media --test table

outage: setup ## a bucket that is away for a minute, in three ways at once
	CRISPY_OUTAGE_SECONDS=60 $(CARGO) test -p crispy-uploader --test uploads -- outage

cluster: setup ## the claims about a cluster of three servers, two minutes of elections
	$(CARGO) test -p crispy-queue --test processes -- cut_off servers_close

fmt: ## formatting is rustfmt's
	$(CARGO) fmt --all --check

clippy: ## no warning from the compiler or clippy
	$(CARGO) clippy --workspace --all-targets -- -D warnings

doc: ## documentation builds, every link in it leads somewhere
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

deny: ## licences and origins of dependencies
	tools/deny

advisories: ## known holes in dependencies; needs GitHub
	$(CARGO) deny check advisories

layers: ## a crate depends only on lower layers
	@tools/layers

style: ## plain words, short files and functions, no import circles; prints the figures
	@tools/style

observe: setup ## dashboard, alerts and runbook ask for what the programs measure
	@tools/observe

links: ## paths and links in the documents lead somewhere
	@tools/links
