# Everything a person types. `make run` and `make test` work in a fresh clone.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked

.PHONY: run test check bench prove up down clean setup

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

# The services, in containers. The token is shown once; deploy/tokens.json keeps its hash.
up: deploy/tokens.json
	docker compose up --detach --build --wait
	@echo "the API is at http://$${SNIPBENCH_BIND:-127.0.0.1}:$${SNIPBENCH_PORT:-8000}; now, with the token that was shown:"
	@echo "  SNIPBENCH_TOKEN=… $(BIN)/snipbench submit configs/quickstart.yaml --wait"

down:
	docker compose down --volumes --remove-orphans

deploy/tokens.json:
	docker compose build api
	@docker run --rm $${SNIPBENCH_IMAGE:-snipbench:local} serve --new-token local > $@.new && mv $@.new $@

setup: $(STAMP)
	@$(BIN)/python -m orchestrator.jars

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) .snipbench build *.egg-info .pytest_cache .mypy_cache .ruff_cache
