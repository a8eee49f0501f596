# Everything a person types. `make run` and `make test` work in a fresh clone.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# What runs; what developers need besides.
STAMP := $(VENV)/.locked
DEVELOPERS := $(VENV)/.locked-dev

.PHONY: run test check bench prove up down clean setup developers

run: setup
	$(BIN)/snipbench run configs/quickstart.yaml

test: setup developers
	$(BIN)/python -m pytest -n 2

check: setup developers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup developers
	$(BIN)/python -m benchmarks

prove: setup developers
	$(BIN)/python -m benchmarks.prove

# The services, in containers; SNIPBENCH_* variables say which images, ports and folders. Secrets are made once: the
# token of the API is shown then, and only its hash is kept.
COMPOSE ?= docker compose
up:
	@COMPOSE="$(COMPOSE)" deploy/up

down:
	@COMPOSE="$(COMPOSE)" deploy/down

setup: $(STAMP)
	@$(BIN)/python -m orchestrator.jars
	@$(BIN)/python -m orchestrator.archives

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

developers: $(DEVELOPERS)

$(DEVELOPERS): $(STAMP) requirements-dev.lock
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	touch $@

clean:
	rm -rf $(VENV) .snipbench build *.egg-info .pytest_cache .mypy_cache .ruff_cache
