# Everything a contributor or a visitor runs.  Needs Python 3.11+, git and make; the rest is installed below this folder:
# .venv (the Python environment, from uv.lock), .tools (uv itself, what the tests start), .demo (the demo).

PYTHON     ?= python3
NPM        ?= npm
AZURITE    := azurite@3.37.0
UV         := .tools/uv/bin/uv
BIN        := .venv/bin
# Each process has an Airflow home of its own; tests of the Docker engine stay in one (tests/scheduling.py).
PROCESSES  ?= 2
# How often a test that failed is run again.  It is told with all of its failure, and at the end once more.
RERUNS     ?= 1
PYTEST     := $(BIN)/python -m pytest
PYTEST_ARGS ?=

# Where this is set, uv compiles nothing and every Airflow process compiles 1,300 modules again: three times the CPU.
unexport PYTHONDONTWRITEBYTECODE
# An environment that is active in the caller's shell is not ours to change.
unexport VIRTUAL_ENV
export UV_PROJECT_ENVIRONMENT := .venv
export UV_COMPILE_BYTECODE    := 1
export UV_PYTHON_DOWNLOADS    ?= never
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/node_modules/.bin:$(CURDIR)/.tools/bin:$(PATH)
# Its default of five seconds fails tasks on a busy machine.
export AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT ?= 120

.DEFAULT_GOAL := help
.PHONY: help demo demo-docker demo-stop test test-kubernetes lint types imports unit format bench wheel lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	$(PYTHON) -m venv .tools/uv
	.tools/uv/bin/python -m pip install --quiet "uv>=0.8"

# The lock file names the public index.  Where only another index can be reached, the same requirements are resolved there.
.venv/.runtime: $(UV) pyproject.toml uv.lock
	$(UV) sync --quiet --frozen --inexact --no-default-groups --extra environments --python $(PYTHON) \
	  || { $(UV) venv --quiet --allow-existing --python $(PYTHON) .venv && $(UV) pip install --quiet --python .venv -e ".[environments]"; }
	@touch $@

.venv/.dev: $(UV) pyproject.toml uv.lock
	$(UV) sync --quiet --frozen --inexact --group dev --extra environments --python $(PYTHON) \
	  || { $(UV) venv --quiet --allow-existing --python $(PYTHON) .venv && $(UV) pip install --quiet --python .venv -e ".[environments]" --group dev; }
	@touch $@ .venv/.runtime

.venv/.containers: .venv/.runtime
	$(UV) sync --quiet --frozen --inexact --no-default-groups --extra environments --extra docker --python $(PYTHON) \
	  || $(UV) pip install --quiet --python .venv -e ".[environments,docker]"
	@touch $@

.tools/.azurite:
	@mkdir -p .tools
	@{ command -v $(NPM) >/dev/null \
	  && $(NPM) install --silent --no-save --no-audit --no-fund --prefix .tools $(AZURITE) && touch $@; } \
	  || echo "make: npm cannot install Azurite here: the Azure tests WILL BE SKIPPED" >&2

.tools/.compose: tools/get_compose.sh
	@mkdir -p .tools/bin
	@tools/get_compose.sh .tools/bin && touch $@

.tools/.chromium: tools/get_chromium.sh
	@mkdir -p .tools
	@tools/get_chromium.sh && touch $@

.tools/.browser: tools/get_chromium.sh
	@mkdir -p .tools
	@tools/get_chromium.sh && touch $@

.tools/.docker: tools/get_docker.sh
	@mkdir -p .tools
	@tools/get_docker.sh && touch $@

demo: .venv/.runtime ## Run the digits pipeline five times on an embedded Airflow, and leave Airflow running
	$(BIN)/python -m tools.demo run

demo-docker: .venv/.containers .tools/.docker ## Run it with its training steps in containers of a Docker engine
	$(BIN)/python -m tools.demo_docker

demo-stop: ## Stop the demo's Airflow
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m tools.demo stop; else echo "nothing to stop"; fi

test: export HYPOTHESIS_PROFILE ?= ci
test: lint types imports unit ## Everything that CI runs

lint: .venv/.dev ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev ## Types
	$(BIN)/mypy

imports: .venv/.dev ## Layers
	$(BIN)/lint-imports --no-cache

unit: .venv/.dev .tools/.azurite .tools/.compose .tools/.chromium .tools/.docker ## All tests; PYTEST_ARGS="tests/unit -k name" for some
	$(PYTEST) -n $(PROCESSES) --reruns $(RERUNS) $(PYTEST_ARGS)

test-kubernetes: .venv/.dev ## The conformance tests of computes on the cluster of KUBECONFIG; see tests/contract/test_real_cluster.py
	$(PYTEST) tests/contract/test_real_cluster.py $(PYTEST_ARGS)

format: .venv/.dev ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev ## Measure; results as ratios
	$(BIN)/python -m benchmarks

wheel: $(UV) ## Build the wheel and the source archive into dist/
	$(UV) build --quiet --out-dir dist --python $(PYTHON)

lock: $(UV) ## Resolve the development environment anew
	$(UV) lock --upgrade

clean: demo-stop ## Remove all that was made here
	rm -rf .venv .tools .demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
