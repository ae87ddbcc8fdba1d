#   make run     set up, run the pipeline, say where everything is
#   make setup   set up alone: the packages, in .venv; `make setup PYTHON=/usr/bin/python3.12` names the Python
#   make test    set up, lint, types, tests
#   make experiments   what `dvc exp run` and sweeps have tried, in a table that fits a terminal
#   make nightly   all tests: also the few that take long for what a smaller one might not find
#   make chaos   the short pipeline in twenty surroundings drawn by a seed, of which `make test` tries one
#   make gallery   a static site of what was published, in gallery/; URL=s3://bucket/prefix OUT=folder name others
#   make example NAME=digits_cgan   run an example in a checkout of its own and publish it; without NAME, say which there are
#   make examples   run them all, again to go on; JOBS=2 side by side
#   make docs    the documentation as a site, in site/
#   make serve   set up, then a Prefect server, a worker and the schedule, until Ctrl-C
#   make up      what `make serve` brings, for a team: in containers, with PostgreSQL and an S3 store (docker-compose.yml)
#   make remote URL=s3://bucket/prefix   share data and models there (or in a folder)
#   make pull    bring what a colleague shared so
#   make clean   remove what was made here, never the DVC cache or what was published
#   make help    show this
# An empty PYTHON is the one of .venv, else the first of python3.11, python3.12, python3.13, python3 that will do.
PYTHON ?=
VENV := .venv
export OUTSIDE := $(PATH)
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
# Names of files are UTF-8 in every locale; what runs on this machine is reached without a proxy.
export PYTHONUTF8 := 1
comma := ,
DIRECT := $(if $(no_proxy)$(NO_PROXY),$(or $(no_proxy),$(NO_PROXY))$(comma))localhost,127.0.0.1,::1
export NO_PROXY := $(DIRECT)
export no_proxy := $(DIRECT)
export GX_ANALYTICS_ENABLED := false

.PHONY: run setup help test nightly chaos docs serve experiments gallery example examples remote pull env up lint format clean images images-cuda

run: $(VENV)/.run
	@python -m flows.make run

setup: $(VENV)/.run

help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

serve: $(VENV)/.run
	@python -m flows.serve

remote: $(VENV)/.run
	@python -m stages.remote add "$(URL)"

experiments: $(VENV)/.run
	@python -m stages.experiments

gallery: $(VENV)/.run
	@python -m stages.gallery $(if $(URL),--url "$(URL)") $(if $(OUT),--out "$(OUT)")

example: $(VENV)/.run
	@python -m flows.examples $(NAME) $(if $(URL),--url "$(URL)")

examples: JOBS = 1
examples: $(VENV)/.run
	@python -m flows.examples --jobs $(JOBS) $(if $(URL),--url "$(URL)")

pull: $(VENV)/.run
	@python -m flows.make pull

env:
	@python=$$(PATH="$$OUTSIDE" sh requirements/python.sh "$(PYTHON)") && "$$python" -m flows.environment

up: images
	@test -e .env || $(MAKE) --no-print-directory env
	@docker compose up --wait

# One image a group of stages, and the worker's. IMAGE_ARGS goes to `docker build`: a mirror, a proxy, another base.
images: TARGETS := data validate train publish worker
images-cuda: TARGETS := train-cuda
IMAGE = $(or $(MINTAGE_IMAGE_PREFIX),mintage)/$(1):$(or $(MINTAGE_IMAGE_TAG),latest)
images-whole: TARGETS := whole
images images-cuda images-whole:
	@for target in $(TARGETS); do \
	    DOCKER_BUILDKIT=1 docker build $(IMAGE_ARGS) --target $$target --tag $(call IMAGE,$$target) . || exit; \
	done
	@docker image ls --format 'table {{.Repository}}:{{.Tag}}\t{{.Size}}' \
	    $(foreach target,$(TARGETS),--filter reference=$(call IMAGE,$(target)))

# Tests of one module stay together, for the fixtures that they share. How many run at once tests/conftest.py decides.
JOBS ?= auto
SIDE_BY_SIDE = --numprocesses $(JOBS) --dist loadscope --no-loadscope-reorder
# Thousands of processes read the modules that are compiled once.
test nightly: export PYTHONDONTWRITEBYTECODE :=
test: lint
	python -m pytest -m "not nightly" $(SIDE_BY_SIDE)

nightly: lint
	python -m pytest $(SIDE_BY_SIDE)

chaos: $(VENV)/.dev
	MINTAGE_CHAOS=20 python -m pytest tests/test_chaos.py -rP

lint: $(VENV)/.dev
	python -m ruff check .
	python -m ruff format --check .
	python -m mypy --num-workers 2 || { test $$? = 2 && python -m mypy; }  # 2: its workers were late, on a busy machine
	python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

format: $(VENV)/.dev
	python -m ruff check --fix .
	python -m ruff format .

docs: $(VENV)/.docs
	@python -m sphinx --quiet --fail-on-warning --keep-going --conf-dir docs . site
	@echo "the documentation is in site/index.html"

clean:
	@test ! -e .flow/lock || ! test -x $(VENV)/bin/python || python -m flows.make free
	rm -rf data/raw data/normalized models metrics plots samples reports provenance published.json .resume .measure

# Looked at each time: a .venv of another Python, of a checkout that was moved, or of other requirements is mended.
$(VENV)/.run $(VENV)/.dev $(VENV)/.docs: FORCE
	@PATH="$$OUTSIDE" sh requirements/install.sh $(VENV) $(@F:.%=%) "$(PYTHON)"
FORCE:
