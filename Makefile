# Everything a person types. `make run` and `make test` work in a fresh clone.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked

.PHONY: run test check bench prove clean setup

run: setup
	$(BIN)/snipbench run configs/quickstart.yaml

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks

prove: setup
	$(BIN)/python -m benchmarks.prove

setup: $(STAMP)
	@$(BIN)/python -m orchestrator.jars

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) .snipbench build *.egg-info .pytest_cache .mypy_cache .ruff_cache
