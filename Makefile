# `make run`   set up, run the pipeline, say where everything is
# `make test`  set up, lint, types, tests
# `make serve` set up, then a Prefect server, a worker and the schedule, until Ctrl-C
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
PIP_INSTALL := $(VENV)/bin/pip install --quiet --disable-pip-version-check -c requirements/constraints.txt
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false

.PHONY: run test serve lint format clean

run: $(VENV)/.run
	@git rev-parse --git-dir >/dev/null 2>&1 || dvc config --local core.no_scm true
	@python -m stages.check
	@dvc repro || { python -m stages.restore; exit 2; }
	@python -m stages.summary

serve: $(VENV)/.run
	@python -m flows.serve

test: lint
	python -m pytest -m "not slow"
	python -m pytest -m slow

lint: $(VENV)/.dev
	ruff check .
	ruff format --check .
	mypy
	lint-imports

format: $(VENV)/.dev
	ruff check --fix .
	ruff format .

# Removes what was made, never the DVC cache or what was published.
clean:
	rm -rf data/raw data/normalized models metrics plots samples reports provenance published.json .resume

$(VENV)/.run: $(wildcard requirements/*.txt) | $(VENV)/bin/python
	$(PIP_INSTALL) -r requirements/run.txt
	@touch $@

$(VENV)/.dev: $(wildcard requirements/*.txt) | $(VENV)/bin/python
	$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@ $(VENV)/.run

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
