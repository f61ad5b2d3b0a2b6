PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test bench schema reports clean

run: $(READY)  ## set up and print the first table
	@$(BIN)/mbprof table mobilenet_v1

test: $(READY)  ## everything that has to hold
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench: $(READY)  ## speed and memory, as ratios within one run
	$(BIN)/python bench/bench.py

schema: $(READY)  ## regenerate the JSON Schema for editors
	$(BIN)/mbprof schema -o specs/spec.schema.json

reports: $(READY)  ## regenerate the committed reports
	$(BIN)/mbprof report --all reports

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]'
	touch $(READY)
