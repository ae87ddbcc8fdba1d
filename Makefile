# `make run`   set up, run the pipeline, say where everything is
# `make test`  set up, lint, types, tests
# `make serve` set up, then a Prefect server, a worker and the schedule, until Ctrl-C
# `make remote URL=s3://bucket/prefix`  share data and models there (or in a folder); `make pull` brings a colleague's
# `make up`    the same for a team, in containers, with PostgreSQL and an S3 store: docker-compose.yml
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
PIP_INSTALL := $(VENV)/bin/pip install --quiet --disable-pip-version-check -c requirements/constraints.txt
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
# Names of files are UTF-8 in every locale; what runs on this machine is reached without a proxy.
export PYTHONUTF8 := 1
comma := ,
DIRECT := $(if $(no_proxy)$(NO_PROXY),$(or $(no_proxy),$(NO_PROXY))$(comma))localhost,127.0.0.1,::1
export NO_PROXY := $(DIRECT)
export no_proxy := $(DIRECT)
export GX_ANALYTICS_ENABLED := false

.PHONY: run test chaos serve remote pull env up lint format clean images images-cuda

run: $(VENV)/.run
	@git rev-parse --git-dir >/dev/null 2>&1 || dvc config --local core.no_scm true
	@python -m stages.check
	@dvc repro || { python -m stages.restore; exit 2; }
	@python -m stages.summary

serve: $(VENV)/.run
	@python -m flows.serve

remote: $(VENV)/.run
	@python -m stages.remote add "$(URL)"

pull: $(VENV)/.run
	@dvc pull --run-cache
	@python -m stages.remote adopt
	@python -m stages.summary

env:
	@$(PYTHON) -m flows.environment

up: images
	@test -e .env || $(MAKE) --no-print-directory env
	@docker compose up --wait

# One image a group of stages, and the worker's. IMAGE_ARGS goes to `docker build`: a mirror, a proxy, another base.
images: TARGETS := data validate train publish worker
images-cuda: TARGETS := train-cuda
IMAGE = $(or $(MINTAGE_IMAGE_PREFIX),mintage)/$(1):$(or $(MINTAGE_IMAGE_TAG),latest)
images images-cuda:
	@for target in $(TARGETS); do \
	    DOCKER_BUILDKIT=1 docker build $(IMAGE_ARGS) --target $$target --tag $(call IMAGE,$$target) . || exit; \
	done
	@docker image ls --format 'table {{.Repository}}:{{.Tag}}\t{{.Size}}' \
	    $(foreach target,$(TARGETS),--filter reference=$(call IMAGE,$(target)))

# Tests of one module stay together, for the fixtures that they share.
JOBS ?= 2
SIDE_BY_SIDE = --numprocesses $(JOBS) --dist loadscope
test: lint
	python -m pytest -m "not slow" $(SIDE_BY_SIDE)
	python -m pytest -m slow $(SIDE_BY_SIDE)

# The short pipeline in twenty surroundings drawn by a seed, of which `make test` tries two.
chaos: $(VENV)/.dev
	MINTAGE_CHAOS=20 python -m pytest tests/test_chaos.py -rP

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
	rm -rf data/raw data/normalized models metrics plots samples reports provenance published.json .resume .measure

$(VENV)/.run: $(wildcard requirements/*.txt) | $(VENV)/bin/python
	$(PIP_INSTALL) -r requirements/run.txt
	@touch $@

$(VENV)/.dev: $(wildcard requirements/*.txt) | $(VENV)/bin/python
	$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@ $(VENV)/.run

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
