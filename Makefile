# Everything a developer runs. Each target sets up what it needs; a second call is quick and needs no network.
# PYTHON=python3.12 picks the interpreter that .venv is made from, VENV=… another folder (relative, without spaces).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
ON_PATH = PATH="$$PWD/$(VENV)/bin:$$PATH"
# pytest's own: make test ARGS="-k journal -x"
ARGS ?=
# Tests run in so many processes, a file in one; on two cores three, as they wait for real processes a fifth of their time.
WORKERS ?= 3

.PHONY: help run demo test test-long bench bench-fleet bench-peer crash simulate differential fuzz mutate check format build clean distclean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/run.stamp ## set up and start the daemon on this folder, with demonstration hosts in .healer/demo
	@$(ON_PATH) demo/run

demo: $(VENV)/run.stamp ## with `make run` going on: break two things, watch them healed, see why
	@$(ON_PATH) demo/demo

test: $(VENV)/dev.stamp ## set up and run the tests (ARGS="-k name" for some of all)
	@$(ON_PATH) python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(or $(ARGS),--kind short)

test-long: $(VENV)/dev.stamp ## set up and run the tests that take long: tests/conftest.py lists them (6 minutes)
	@$(ON_PATH) python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --kind long $(ARGS)

bench: $(VENV)/dev.stamp ## measure; writes docs/benchmarks.md (10 minutes)
	@$(ON_PATH) python bench/run.py

bench-fleet: $(VENV)/dev.stamp ## measure a hundred hosts over ssh beside ansible, and five hundred runs at once (3 minutes)
	@$(ON_PATH) python bench/fleet.py

bench-peer: $(VENV)/dev.stamp ## measure matching beside ansible-rulebook's own engine (Java 17); writes docs/benchmarks-peer.md (10 minutes)
	@$(ON_PATH) python bench/peer.py

crash: $(VENV)/dev.stamp ## kill -9 a daemon 30 times under load, then at each place of a play, until none is left; writes docs/kill-report.md (10 to 18 minutes)
	@$(ON_PATH) KILLS=long MATRIX=long KILL_REPORT=docs/kill-report.md python -m pytest -q tests/acceptance/test_kills.py tests/acceptance/test_crash_matrix.py
	@cat docs/kill-report.md

simulate: $(VENV)/dev.stamp ## random worlds on a virtual clock with crashes at every step: SEEDS=2000 (4 minutes on two cores)
	@$(ON_PATH) SEEDS=$(or $(SEEDS),2000) python -m pytest -q tests/simulation/test_simulation.py tests/simulation/test_storm.py $(ARGS)

differential: $(VENV)/dev.stamp ## compare with ansible-rulebook's own engine on 8,750 random cases (Java 17); writes docs/conformance.md (20 minutes)
	@$(ON_PATH) CASES=1250 CONFORMANCE=docs/conformance.md python -m pytest -q tests/rulebooks/test_differential.py

fuzz: $(VENV)/dev.stamp ## look for a text or an event that the rulebook language fails on: 5,000 mutations of each kind (5 minutes)
	@$(ON_PATH) FUZZ=$(or $(FUZZ),5000) python -m pytest -q tests/rulebooks/test_fuzz.py \
		|| { echo "a find? put what is falsified as one line into tests/rulebooks/corpus (test_fuzz.py says how), then mend it" >&2; exit 1; }

mutate: $(VENV)/dev.stamp ## change gates, approvals, audit and dedup, see which tests notice; writes docs/mutation-report.md (30 minutes; SAMPLE=60: 1 minute)
	@$(ON_PATH) python bench/mutate.py $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) $(foreach area,$(AREA),--area $(area)) $(if $(AGAIN),--again)

check: $(VENV)/dev.stamp ## lint, format, types, imports
	@status=0; \
	for check in "ruff check" "ruff format --check" "mypy --strict healer sources checks controllers" "lint-imports --no-logo"; do \
		echo "── $$check"; $(ON_PATH) $$check || status=1; \
	done; exit $$status

format: $(VENV)/dev.stamp ## put the code into its format and mend what ruff can mend
	@$(ON_PATH) ruff check --fix --exit-zero
	@$(ON_PATH) ruff format

build: $(VENV)/dev.stamp ## make the wheel and the sdist in dist/
	@$(ON_PATH) python -m build --no-isolation

clean: ## remove what was built and cached (not .venv, not .healer)
	@rm -rf build dist ./*.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .grimp_cache .hypothesis
	@find . -path ./$(VENV) -prune -o -path ./.git -prune -o -type d -name __pycache__ -exec rm -rf {} +

distclean: clean ## also remove the virtual environment
	@rm -rf $(VENV)

# A stamp is as old as the last installation; pyproject.toml is what an installation depends on.
$(VENV)/run.stamp: EXTRAS = all
$(VENV)/dev.stamp: EXTRAS = dev
$(VENV)/run.stamp $(VENV)/dev.stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "error[python-missing]: $(PYTHON) is no Python >= 3.11; try  make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "error[venv-missing]: $(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@$(PY) -m pip --version >/dev/null 2>&1 || { echo "making $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "installing auto-healer[$(EXTRAS)] into $(VENV) …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $@
