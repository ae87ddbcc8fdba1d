# One image a group of stages (data, validate, train, publish), and `worker` for DVC and the flow.
# On a cluster one pod runs a flow with all its stages: `whole` has the packages of all.
# An image holds the group's packages and nothing of this repository: a stage runs the code of the workspace
# that is mounted into it, which is the code that dvc.lock names by hash. `make images` builds them all.
# 3.12 and 3.13 work as well: make images IMAGE_ARGS="--build-arg PYTHON_IMAGE=python:3.13-slim-bookworm"
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS builder
RUN python -m venv --without-pip /opt/venv
WORKDIR /requirements
# For a mirror or a folder of wheels: pip reads these from its environment, and ignores them where they are empty.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/constraints.txt requirements/base.txt ./

FROM builder AS build-data
# Readers of other files than pictures, by the names of their lists here: --build-arg MEDIA="sounds music"
ARG MEDIA
COPY requirements/*.txt ./
RUN --mount=type=cache,target=/root/.cache/pip pip --python /opt/venv/bin/python install -c constraints.txt \
    -r data.txt $(for name in $MEDIA; do echo "-r $name.txt"; done)

FROM builder AS build-validate
COPY requirements/validate.txt .
RUN --mount=type=cache,target=/root/.cache/pip pip --python /opt/venv/bin/python install -c constraints.txt -r validate.txt

FROM builder AS build-train
COPY requirements/train.txt .
# The address of PyTorch's index of CPU builds, whose version ("2.13.0+cpu") pip takes for the newer one. Without
# it the image has the build of the usual index, which on x86-64 is CUDA's: it works on a CPU, and is far larger.
ARG TORCH_CPU_INDEX
RUN --mount=type=cache,target=/root/.cache/pip \
    PIP_EXTRA_INDEX_URL="${PIP_EXTRA_INDEX_URL:-} ${TORCH_CPU_INDEX:-}" \
    pip --python /opt/venv/bin/python install -c constraints.txt -r train.txt

FROM builder AS build-train-cuda
COPY requirements/train.txt .
RUN --mount=type=cache,target=/root/.cache/pip pip --python /opt/venv/bin/python install -c constraints.txt -r train.txt

FROM builder AS build-publish
COPY requirements/publish.txt .
RUN --mount=type=cache,target=/root/.cache/pip pip --python /opt/venv/bin/python install -c constraints.txt -r publish.txt

FROM builder AS build-worker
COPY requirements/worker.txt .
RUN --mount=type=cache,target=/root/.cache/pip pip --python /opt/venv/bin/python install -c constraints.txt -r worker.txt

FROM builder AS build-whole
COPY requirements/*.txt ./
ARG TORCH_CPU_INDEX
RUN --mount=type=cache,target=/root/.cache/pip \
    PIP_EXTRA_INDEX_URL="${PIP_EXTRA_INDEX_URL:-} ${TORCH_CPU_INDEX:-}" \
    pip --python /opt/venv/bin/python install -c constraints.txt -r run.txt -r kubernetes.txt

# Python without what installs packages. The caller's uid has no name here, and nothing but /tmp can be written.
FROM ${PYTHON_IMAGE} AS runtime
RUN pip uninstall --yes --root-user-action=ignore wheel setuptools pip \
    && rm -r "$(python -c 'import ensurepip; print(*ensurepip.__path__)')"
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp USER=mintage LANG=C.UTF-8 PYTHONUNBUFFERED=1
USER 1000:1000

FROM runtime AS data
COPY --from=build-data /opt/venv /opt/venv

FROM runtime AS validate
COPY --from=build-validate /opt/venv /opt/venv

FROM runtime AS train
COPY --from=build-train /opt/venv /opt/venv

FROM runtime AS train-cuda
COPY --from=build-train-cuda /opt/venv /opt/venv

FROM runtime AS publish
COPY --from=build-publish /opt/venv /opt/venv

FROM runtime AS worker
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
USER 1000:1000
COPY --from=build-worker /opt/venv /opt/venv

FROM worker AS whole
COPY --from=build-whole /opt/venv /opt/venv
# The volume's root is another user's, and hashes of large files outlive the pod.
ENV GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=* DVC_SITE_CACHE_DIR=/workspace/.dvc/tmp/site
