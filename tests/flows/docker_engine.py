"""The images, built once for a tree's Dockerfile and requirements, and processes that run a stage in one of them."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flows.container import engine
from stages.common.errors import UserError
from tests.flows.toy import ROOT

GROUPS = ("data", "validate", "train", "publish")
TARGETS = (*GROUPS, "worker")
IN_CONTAINER = ROOT / "flows" / "in_container"
_PORT = 18765
"""The same each time where it is free: with other arguments an image is built anew, though nothing in it changed."""
_INPUTS = ("Dockerfile", ".dockerignore", "requirements")


def need_engine() -> None:
    """For the top of a module: skips it, saying why, where there is nothing to build images or to run them."""
    if shutil.which("docker") is None:
        pytest.skip("images are built by the command `docker`, which is not here", allow_module_level=True)
    try:
        with engine(10):
            return
    except UserError as error:
        pytest.skip(str(error), allow_module_level=True)


@cache
def built_images() -> dict[str, str]:
    """The variables that name this tree's images, which are built where they are not there yet."""
    with engine() as client:
        there = {tag for image in client.images.list() for tag in image.tags}
    tag = f"test-{_digest()}"
    missing = [target for target in TARGETS if f"mintage/{target}:{tag}" not in there]
    with _build_arguments() as arguments:
        for target in missing:
            _build(target, tag, arguments)
    return {"MINTAGE_IMAGE_PREFIX": "mintage", "MINTAGE_IMAGE_TAG": tag}


def image(target: str) -> str:
    names = built_images()
    return f"{names['MINTAGE_IMAGE_PREFIX']}/{target}:{names['MINTAGE_IMAGE_TAG']}"


def data_image_with(media: str) -> str:
    """The data image, with the readers of some media, such as "sounds music"."""
    tag = f"test-{_digest()}-{media.replace(' ', '-')}"
    with _build_arguments() as arguments:
        _build("data", tag, [*arguments, "--build-arg", f"MEDIA={media}"])
    return f"mintage/data:{tag}"


def run_in(target: str, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in a target's image, or in one by its name with a tag.

    As the image's own user, with this tree where it is outside, read only, no network.
    """
    named = target if ":" in target else image(target)
    options = [f"--volume={ROOT}:{ROOT}:ro", f"--workdir={ROOT}", "--network=none", "--read-only", "--tmpfs=/tmp"]
    return _finished(["docker", "run", "--rm", *options, named, *command], ROOT, dict(os.environ))


def as_stage(workspace: Path, stage: str, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A shell command run as DVC runs that of a stage, by flows/in_container."""
    return _finished([str(IN_CONTAINER), "-c", command], workspace, stage_environment(stage, **variables))


def stage_environment(stage: str, **variables: str) -> dict[str, str]:
    """What DVC and the flow set for a stage's shell, with this tree's images."""
    return {**os.environ, "DVC_STAGE": stage, "MINTAGE_PYTHON": sys.executable, **built_images(), **variables}


def containers(label: str) -> list[str]:
    """The names of all containers, running or not, that carry a label such as `mintage.run=1`."""
    with engine() as client:
        return [str(found.name) for found in client.containers.list(all=True, filters={"label": label})]


def _finished(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    # Not `text=True`, which would make every \r a \n.
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def _digest() -> str:
    """Of all that the images are made of."""
    files = [path for name in _INPUTS for path in sorted([ROOT / name, *(ROOT / name).glob("*")]) if path.is_file()]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def _build(target: str, tag: str, arguments: list[str]) -> None:
    command = ["docker", "build", "--quiet", *arguments, "--target", target, "--tag", f"mintage/{target}:{tag}", "."]
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def _build_arguments() -> Iterator[list[str]]:
    """How pip finds packages here; a folder of wheels is served to the build, which sees no files of this machine."""
    given = {name: os.environ.get(name, "") for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS")}
    folder = Path(given["PIP_FIND_LINKS"] or os.devnull)
    if not folder.is_dir():
        yield _as_arguments(given)
        return
    handler = partial(_Quiet, directory=str(folder))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", _PORT), handler)
    except OSError:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    given["PIP_FIND_LINKS"] = f"http://127.0.0.1:{server.server_port}/"
    if list(folder.glob("torch-*")):
        given["TORCH_CPU_INDEX"] = ""
    yield ["--network", "host", *_as_arguments(given)]
    server.shutdown()


def _as_arguments(values: dict[str, str]) -> list[str]:
    return [word for name, value in values.items() for word in ("--build-arg", f"{name}={value}")]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: pytest's output is for tests."""
