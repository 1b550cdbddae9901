# Every target does its own set-up: Python >= 3.11, make and git are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.weir-ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit lint format bench faults up down status clean

help: ## show the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(STAMP) ## virtual environment with checked hashes, Kafka's jars

$(STAMP): requirements.lock pyproject.toml deploy/setup.py
	@$(PYTHON) deploy/setup.py $(VENV)

demo: $(STAMP) ## the whole story on real telemetry, start to verified invoice
	@$(BIN)/weir demo

test: $(STAMP) ## every test: unit, contract, simulator, API, real Kafka
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests

test-unit: $(STAMP) ## unit tests alone, no sockets
	@$(BIN)/python -m pytest tests/unit

lint: $(STAMP) ## ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP) ## put the code into its one form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP) ## measure the router beside its peers
	@$(BIN)/weir bench

faults: $(STAMP) ## break the exchange on purpose, check that nothing is lost or doubled
	@$(BIN)/weir faults

up: $(STAMP) ## start the exchange on this machine
	@$(BIN)/weir up

down: $(STAMP) ## stop it
	@$(BIN)/weir down

status: $(STAMP) ## what runs, lag, coverage, alarms
	@$(BIN)/weir status

clean: ## remove the virtual environment and caches of tools (not .weir)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
