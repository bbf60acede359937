# racehound: `make run` hunts for a minute, `make test` proves the tool. Both set up all they need in this directory.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Releases and services that tests fetch are kept inside the clone, so that nothing is left outside it.
export RACEHOUND_CACHE ?= $(CURDIR)/.cache/racehound
RUN_ARGS ?= --runtime 60
TEST_WORKERS ?= 2
COVERAGE_TESTS ?= tests/unit
# The oldest and the newest release of each major release that can be fetched (there is no 15.0), and the one that pip installs.
TEST_RELEASES ?= 14.0 14 15.1 15 16.0 16 17.0 17 18.0 newest
TEST_SERVICES ?= postgres mysql mariadb kafka kafka-kraft schema-registry seaweedfs toxiproxy

.PHONY: run dev test zoo releases coverage mutants services browser check docs clean

run: $(VENV)/.run
	$(BIN)/racehound run $(RUN_ARGS)

# Only sets up: then single tests can be run, as .venv/bin/pytest tests/unit.
dev: $(VENV)/.dev

test: $(VENV)/.dev services browser
	$(BIN)/pytest -n $(TEST_WORKERS)

# No scenario without a race finds anything on any of the releases. Those that are not there yet are fetched by Maven.
releases: $(VENV)/.dev
	RACEHOUND_TEST_RELEASES='$(TEST_RELEASES)' $(BIN)/pytest tests/integration/test_no_false_alarm.py

# Counted is what runs in the processes of the tests, not in the commands and servers that they start.
coverage: $(VENV)/.dev
	mkdir -p .cache
	COVERAGE_FILE=.cache/coverage $(BIN)/pytest -n $(TEST_WORKERS) --cov --cov-report=term $(COVERAGE_TESTS)

# `[tool.mutmut]` in pyproject.toml names the modules that are changed and the tests that should notice.
mutants: $(VENV)/.dev
	rm -rf mutants
	$(BIN)/mutmut run --max-children $(TEST_WORKERS)
	mkdir -p .cache
	$(BIN)/mutmut results > .cache/mutants.txt
	@grep ': survived$$' .cache/mutants.txt || true
	@echo "all that no test noticed, and all that no unit test runs, is in .cache/mutants.txt:"
	@sed 's/.*: //' .cache/mutants.txt | sort | uniq -c

# Runs the emulator of Materialize in the foreground: make zoo ZOO_ARGS='--defect lost-rename'.
zoo: $(VENV)/.dev
	$(BIN)/racehound-zoo $(ZOO_ARGS)

# What cannot be had here is said; the tests that need it are skipped, with the same reason.
services: $(VENV)/.dev
	-$(BIN)/racehound services install $(TEST_SERVICES)

# The report is looked at in Chromium. Only root of a Debian can fetch it; elsewhere the tests that need it are skipped, and say so.
browser:
	-@command -v chromium || command -v chromium-browser || command -v google-chrome || { \
	    test "$$(id -u)" = 0 && command -v apt-get && apt-get -qq update && \
	    apt-get -qq install --yes --no-install-recommends chromium; } || echo "no Chromium: apt-get install chromium"

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/lint-imports --config zoo/pyproject.toml
	$(BIN)/mkdocs build --strict --quiet --site-dir .cache/site

docs: $(VENV)/.dev
	$(BIN)/mkdocs serve

clean:
	rm -rf $(VENV) .cache mutants

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --no-cache-dir --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml zoo/pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --no-cache-dir --disable-pip-version-check -c constraints.txt -e '.[dev,docs,services]' -e ./zoo
	touch $@ $(VENV)/.run
