# racehound: `make run` hunts for a minute, `make test` proves the tool. Both set up all they need in this directory.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Releases that tests fetch are kept inside the clone, so that nothing is left outside it.
export RACEHOUND_CACHE ?= $(CURDIR)/.cache/racehound
RUN_ARGS ?= --runtime 60

.PHONY: run test check docs bench clean

run: $(VENV)/.run
	$(BIN)/racehound run $(RUN_ARGS)

test: $(VENV)/.dev
	$(BIN)/pytest

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet --site-dir .cache/site

docs: $(VENV)/.dev
	$(BIN)/mkdocs serve

clean:
	rm -rf $(VENV) .cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --no-cache-dir --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --no-cache-dir --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	touch $@ $(VENV)/.run
