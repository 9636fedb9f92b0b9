# Everyday commands. `make run` is the one to start with; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

# What `make run` writes about, and how much.
PROMPT ?= The capital of France is
TOKENS ?= 64
# As typed: a dollar sign in the prompt is no variable of make.
override export PROMPT := $(value PROMPT)
export TOKENS

CACHE := .cache
PYTHON := $(CACHE)/venv/bin/python
VENV := $(CACHE)/venv/.ready
TANDEM := .build/release/tandem
GEMMA := $(CACHE)/gemma-3-270m
SMALL := graphs/tandem-8m
NODE_TESTS := $(CACHE)/node-tests
# Where the tests look for the ONNX backend tests.
export TANDEM_NODE_TESTS := $(CURDIR)/$(NODE_TESTS)

PEERS = $(PYTHON) Benchmarks/bench_peers.py --tandem $(TANDEM) --cache $(CACHE) --gemma $(GEMMA) --rounds $(or $(ROUNDS),5)
# What other exporters made of it, as far as it is here.
EXPORTS = $(foreach name,dynamo23 optimum,$(if $(wildcard $(GEMMA)-exports/$(name)/model.onnx),$(name)))

.PHONY: run build setup venv gemma gemma-exports verify verify-hire test check-arm conformance zoo-matrix bench bench-kernels bench-peers bench-head bench-predictors bench-1b bench-drafters bench-tandem-1b bench-hire-1b proto format lint clean help

run: ## The main job: fetch and export Gemma 3 270M once, compile it once, write text. PROMPT="..." TOKENS=64
run: setup build
	@if make -s gemma; then
	  model=$(GEMMA)
	else
	  echo "Gemma 3 270M is not here (see above); running the small graph of this repository, $(SMALL), instead." >&2
	  model=$(SMALL)
	fi
	plan=$(CACHE)/$$(basename $$model).plan
	make -s MODEL=$$model $$plan
	$(TANDEM) run $$plan --prompt "$$PROMPT" -n "$$TOKENS" --stats

build: ## After a change to the sources: the release build of `tandem`.
build: setup
	@swift build -c release --product tandem

setup: ## On a new machine (all other targets do it too): C libraries from Debian, a check for Swift.
	@bash .ci/setup

venv: ## Before running the Python scripts by hand: .cache/venv with their packages from PyPI.
venv: $(VENV)

gemma: ## To get the model without running it: .cache/gemma-3-270m with graph, weights, tokenizer and terms of use.
gemma: $(GEMMA)/model.onnx

gemma-exports: ## To see what other exporters make of it: Gemma as seven settings write it, 8 GB in .cache/gemma-3-270m-exports.
gemma-exports: $(VENV)
	@$(PYTHON) graphs/gemma-3-270m/test_fill.py
	file=$$($(PYTHON) graphs/gemma-3-270m/fetch.py $(GEMMA))
	$(PYTHON) graphs/gemma-3-270m/fill.py "$$file" $(GEMMA)-exports Tests/Fixtures/zoo/gemma-3-270m/*.onnx

verify: ## After a change to numerics: Gemma's plan against recorded tokenization, logits and greedy text.
verify: setup build gemma $(VENV)
	@make -s MODEL=$(GEMMA) $(CACHE)/gemma-3-270m.f32.plan
	$(PYTHON) graphs/gemma-3-270m/verify_plan.py $(CACHE)/gemma-3-270m.f32.plan --tandem $(TANDEM)

verify-hire: ## After a change to the HiRE head: its modes against the dense head, token for token, with speeds; 15 minutes.
verify-hire: setup build gemma
	@plan=$(CACHE)/gemma-3-270m.certified.plan
	[ $$plan -nt $(TANDEM) ] || $(TANDEM) convert $(GEMMA)/model.onnx --tokenizer $(GEMMA)/tokenizer.json \
	  --head hire --exact certified -o $$plan
	python3 graphs/gemma-3-270m/verify_hire.py $$plan --tandem $(TANDEM)

test: ## Before a commit, and in continuous integration: everything that is tested.
test: setup $(NODE_TESTS)/manifest.json
	@if [ -f $(GEMMA)/model.onnx ]; then make -s verify; else echo "test: no Gemma here (make run fetches it): its reference texts are left out" >&2; fi
	swift build --build-tests
	swift test --skip-build

check-arm: ## After a change to a kernel for AArch64: each beside the portable one in an emulator (needs qemu-user, libc6-dev-arm64-cross).
	@[ -d /usr/aarch64-linux-gnu ] && command -v qemu-aarch64 > /dev/null || { echo "check-arm: apt-get install qemu-user libc6-dev-arm64-cross libgcc-12-dev-arm64-cross" >&2; exit 1; }
	mkdir -p $(CACHE)
	clang --target=aarch64-linux-gnu -fuse-ld=lld -O2 -I Sources/CKernels/include -o $(CACHE)/compare-arm \
	  Tests/EmulatedKernels/compare.c $$(find Sources/CKernels -name '*.c' ! -name threads.c) -lm
	qemu-aarch64 -L /usr/aarch64-linux-gnu $(CACHE)/compare-arm neon dotprod

conformance: ## After a change to an operator: only the ONNX backend node tests.
conformance: setup $(NODE_TESTS)/manifest.json
	@swift test --filter Conformance

zoo-matrix: ## What is recognized in the exports of every family and exporter, as the README shows it.
zoo-matrix: setup build
	@python3 Tests/Fixtures/zoo/matrix.py --tandem $(TANDEM) $(wildcard $(CACHE)/gemma-3-270m-exports)

bench: ## For numbers: prefill and decoding in f32 beside ONNX Runtime, in turns, on the same and on filled exports. ROUNDS=5
bench: setup build gemma $(CACHE)/venv/.check
	@$(PEERS) --only tandem-f32,ort $(foreach name,$(EXPORTS),--export $(name)=$(GEMMA)-exports/$(name)/model.onnx)

bench-kernels: ## Products beside the read roof with 1 and 2 threads, and every kernel beside the portable one.
bench-kernels: setup
	@swift run -c release --package-path Benchmarks kernelbench

bench-peers: ## The table of engines: llama.cpp, ONNX Runtime, its genai, OpenVINO; installs them into .cache. ROUNDS=5 TEXT=FILE
bench-peers: setup build gemma $(CACHE)/venv/.check
	@$(PEERS) $(if $(TEXT),--text "$(TEXT)")

bench-head: ## What a HiRE head finds on prose, code and French, and how far it is from all logits. CALIBRATION=FILE
bench-head: setup build gemma
	@[ -f $(CACHE)/texts/prose.txt ] || python3 Benchmarks/texts.py $(CACHE)/texts
	plan=$(CACHE)/gemma-3-270m.hire.plan
	$(TANDEM) convert $(GEMMA)/model.onnx --head hire --calibration $(or $(CALIBRATION),self) -o $$plan
	for kind in prose code french; do
	  echo "$$kind:" && $(TANDEM) eval $$plan --text $(CACHE)/texts/$$kind.txt --head hire --against $$plan
	done

bench-predictors: ## Why the head's predictor is what it is: plain SVD, random, data-aware and a 4-bit copy side by side.
bench-predictors: setup build gemma
	@$(TANDEM) convert $(GEMMA)/model.onnx --head hire --compare-predictors -o $(CACHE)/gemma-3-270m.hire.plan

bench-1b: ## How speed grows with size: a model of Llama 1B's shape with random weights, 7 GB in .cache. WEIGHTS=auto
bench-1b: setup build venv
	@[ -f $(CACHE)/llama-1b/model.onnx ] || $(PYTHON) graphs/llama-1b/export.py $(CACHE)/llama-1b
	$(PYTHON) Benchmarks/convert_and_bench.py $(CACHE)/llama-1b/model.onnx $(CACHE)/llama-1b.plan --tandem $(TANDEM) \
	  --weights $(or $(WEIGHTS),auto) -- -p 64 -n 32 -r 3

bench-drafters: ## Gemma's drafters made of itself side by side, beside llama.cpp where make bench-peers installed it. ROUNDS=2
bench-drafters: setup build gemma
	@[ -f $(CACHE)/texts/prose.txt ] || python3 Benchmarks/texts.py $(CACHE)/texts
	plan=$(CACHE)/gemma-3-270m.derived.plan
	[ $$plan -nt $(TANDEM) ] || $(TANDEM) convert $(GEMMA)/model.onnx --tandem derived -o $$plan
	python=python3 peer=
	if [ -x $(CACHE)/venv-peers-llama/bin/python ]; then
	  python=$(CACHE)/venv-peers-llama/bin/python peer="--llama $$(ls $(GEMMA)/*.gguf)"
	fi
	for text in prose code french; do
	  echo "$$text:" && $$python Benchmarks/drafters.py $$plan $(CACHE)/texts/$$text.txt --tandem $(TANDEM) --texts 5 --rounds $(or $(ROUNDS),2) $$peer
	done
	echo "copies:" && $$python Benchmarks/drafters.py $$plan $(CACHE)/texts/prose.txt --tandem $(TANDEM) --texts 5 --copies --rounds $(or $(ROUNDS),2) $$peer

bench-tandem-1b: ## What drafts bring at Llama 1B's shape, by their length and the share that is right; 8 GB in .cache.
bench-tandem-1b: setup build venv
	@[ -f $(CACHE)/llama-1b/model.onnx ] || $(PYTHON) graphs/llama-1b/export.py $(CACHE)/llama-1b
	[ -f $(CACHE)/llama-1b-small/model.onnx ] || $(PYTHON) graphs/llama-1b/small.py $(CACHE)/llama-1b-small
	for name in llama-1b llama-1b-small; do
	  $(TANDEM) convert $(CACHE)/$$name/model.onnx -o $(CACHE)/$$name.plan
	done
	$(TANDEM) bench $(CACHE)/llama-1b.plan --draft-plan $(CACHE)/llama-1b-small.plan

bench-hire-1b: ## HiRE's four speeds beside the paper's: a model of its shape with random weights, 12 GB in .cache. ROUNDS=8
bench-hire-1b: setup build venv
	@[ -f $(CACHE)/hire-1b/model.onnx ] || $(PYTHON) graphs/hire-1b/export.py $(CACHE)/hire-1b
	[ -f $(CACHE)/texts/prose.txt ] || python3 Benchmarks/texts.py $(CACHE)/texts
	$(PYTHON) Benchmarks/hire_1b.py $(CACHE)/hire-1b/model.onnx $(CACHE)/hire-1b --tandem $(TANDEM) \
	  --tokenizer $(SMALL)/tokenizer.json --calibration $(CACHE)/texts/prose.calibration.txt \
	  --text $(CACHE)/texts/prose.txt --rounds $(or $(ROUNDS),8)

proto: ## After a change to a .proto file: the C code in CONNX and CPlan (needs protobuf-c-compiler).
	@command -v protoc-c > /dev/null || { echo "proto: no protoc-c; apt-get install protobuf-c-compiler" >&2; exit 1; }
	for file in Sources/CONNX/onnx Sources/CPlan/plan; do
	  folder=$$(dirname $$file) name=$$(basename $$file)
	  (cd $$folder && protoc-c --c_out=. $$name.proto)
	  mv $$file.pb-c.h $$folder/include/
	done

format: ## Before a commit: lays out the Swift sources.
	@swift format --in-place --recursive --parallel Package.swift Sources Tests

lint: ## To see what `format` would change and what it cannot.
	@swift format lint --strict --recursive --parallel Package.swift Sources Tests

clean: ## To start over: removes builds and plans; keeps the fetched model (remove .cache to drop that too).
	@rm -rf .build $(CACHE)/*.plan $(NODE_TESTS)

help: ## This list.
	@grep -hE '^[a-z0-9-]+: ##' Makefile | sed -E 's/^([a-z0-9-]+): ## /\1\t/' | expand -t 15

# Files

$(VENV): graphs/requirements.txt
	@echo "venv: installing the packages of $< from PyPI into $(CACHE)/venv" >&2
	python3 -m venv --clear $(CACHE)/venv
	if ! $(PYTHON) -m pip install --quiet --disable-pip-version-check -r $<; then
	  echo "venv: no packages from PyPI; is there a network connection?" >&2
	  exit 1
	fi
	touch $@

$(CACHE)/venv/.check: graphs/requirements-check.txt $(VENV)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Made once: no prerequisites, so that what is here works without a network.
$(GEMMA)/model.onnx:
	@make -s venv
	file=$$($(PYTHON) graphs/gemma-3-270m/fetch.py $(GEMMA))
	echo "exporting Gemma 3 270M to $(GEMMA) (once, about a minute, 1.1 GB)" >&2
	$(PYTHON) graphs/gemma-3-270m/export.py "$$file" $(GEMMA)

# Compiled again when the graph or the compiler is newer; weights as they were exported, for comparisons.
$(CACHE)/%.f32.plan: $(MODEL)/model.onnx $(MODEL)/tokenizer.json $(TANDEM)
	@mkdir -p $(CACHE)
	$(TANDEM) convert $(MODEL)/model.onnx --tokenizer $(MODEL)/tokenizer.json --weights f32 -o $@

$(CACHE)/%.plan: $(MODEL)/model.onnx $(MODEL)/tokenizer.json $(TANDEM)
	@mkdir -p $(CACHE)
	$(TANDEM) convert $(MODEL)/model.onnx --tokenizer $(MODEL)/tokenizer.json -o $@

$(TANDEM): ;

$(NODE_TESTS)/manifest.json: Tests/Conformance/write_node_tests.py $(VENV)
	@$(PYTHON) $< $(NODE_TESTS)
	touch $@
