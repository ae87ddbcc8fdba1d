"""A stage's command in a container, in place of the shell by which DVC runs it.

DVC runs `$SHELL -c COMMAND`. With SHELL=flows/in_container the command in dvc.yaml and dvc.lock stays the same, so a
result made in a container is a cache hit without one, and the other way round. DVC, git and the flow stay outside.
"""

import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.graph import Stage
from flows.sandbox import image_name, settings
from stages.common.dvc_file import Meta, read_meta
from stages.common.errors import TemporaryError, UserError, ending_signals, run_stage
from stages.common.stage import parser_of
from stages.common.yaml_files import parse_yaml

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

RUN, STAGE, WORKSPACE = "mintage.run", "mintage.stage", "mintage.workspace"
"""Labels of a stage's container."""
_GRACE = 3
"""Seconds from asking a container to end to killing it; less than the flow waits before it kills this process."""
_PATIENCE = 10
"""Seconds without an answer after which an engine counts as missing."""
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def main() -> None:
    parser = parser_of("flows.container", __doc__)
    parser.add_argument("-c", dest="line", metavar="COMMAND", required=True, help="what DVC runs, a line for a shell")
    line = parser.parse_args().line
    if "DVC_STAGE" not in os.environ:
        raise UserError(
            "container-shell-misused",
            "this is the shell by which DVC runs a stage: SHELL=$PWD/flows/in_container dvc repro",
        )
    workspace, stage = _workspace(), os.environ["DVC_STAGE"]
    raise SystemExit(run(["-c", line], stage, _meta(workspace, stage), workspace))


def run(arguments: list[str], stage: str, meta: Meta, workspace: Path) -> int:
    """Run `sh ARGUMENTS` in the stage's container, pass on its output, and return its exit code.

    A signal that ends this process ends the container first. Raises UserError if there is no engine, no image, another
    container of the same stage in this workspace, or too little memory; TemporaryError if the engine goes away.
    """
    from docker.errors import DockerException

    with engine() as client, ExitStack() as at_end:
        for number in {signal.SIGINT, *ending_signals()}:
            signal.signal(number, _end)
        with _signals_held():  # so that no signal comes between the container's creation and our knowing of it
            container = _create(client, arguments, stage, meta, workspace)
            at_end.callback(_remove, container)
        try:
            _pass_on(_start(container, stage))
            return _exit_code(container, stage, meta)
        except (DockerException, OSError) as error:
            raise TemporaryError(
                "container-lost", f"the container of stage {stage!r} is lost: {_reason(error)}"
            ) from None


def check_engine(stages: Iterable[Stage]) -> None:
    """Raise UserError if no engine answers, or it lacks an image of these stages."""
    from docker.errors import ImageNotFound

    with engine(_PATIENCE) as client:
        missing = []
        for name in sorted({image_name(stage.meta) for stage in stages}):
            try:
                client.images.get(name)
            except ImageNotFound:
                missing.append(name)
    if missing:
        raise _missing(", ".join(missing))


def end_containers(run: str, stage: str | None = None) -> list[str]:
    """End every container of a run, or of one stage of it, and return their names; none if no engine answers."""
    from docker import errors  # `from docker.errors` loads it twice where Prefect has made `docker` a lazy module

    labels = [f"{RUN}={run}", *([f"{STAGE}={stage}"] if stage else [])]
    ended = []
    with suppress(UserError, errors.DockerException, OSError), engine(_PATIENCE) as client:
        for container in client.containers.list(all=True, filters={"label": labels}) if run else []:
            with suppress(errors.APIError):  # another process ended it at the same moment
                container.remove(force=True)
                ended.append(str(container.name))
    return ended


@contextmanager
def engine(patience: int = 60) -> "Iterator[DockerClient]":
    """The engine that DOCKER_HOST or Docker's current context names; UserError if none answers."""
    import docker

    try:
        client = docker.from_env(timeout=patience)
    except (docker.errors.DockerException, OSError) as error:
        place = os.environ.get("DOCKER_HOST") or "its usual place"
        mend = "start one, set DOCKER_HOST, or run without containers (flow.runner: process)"
        raise UserError(
            "docker-unreachable", f"no Docker engine answers at {place} ({_reason(error)}): {mend}"
        ) from None
    with closing(client):
        yield client


def _workspace() -> Path:
    """The pipeline's folder, this one or a parent. DVC_ROOT may be another, if an experiment has its own copy."""
    here = Path.cwd()
    return next(folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir())


def _meta(workspace: Path, stage: str) -> Meta:
    """The stage's `meta:`, read from dvc.yaml: DVC would take half a second for each stage."""
    file, _, name = stage.rpartition(":")
    stages = parse_yaml((workspace / (file or "dvc.yaml")).read_bytes())["stages"]
    entry = stages[name.partition("@")[0]]  # after @ is the item of a foreach or a matrix
    return read_meta(entry.get("do", entry).get("meta"), stage)


def _create(client: "DockerClient", arguments: list[str], stage: str, meta: Meta, workspace: Path) -> "Container":
    """Create the container, named by stage and workspace, so that the engine itself never lets two run at once."""
    from docker.errors import APIError

    name = f"mintage-{sha256(os.fsencode(workspace)).hexdigest()[:8]}-{re.sub('[^a-zA-Z0-9_.-]', '-', stage)}"
    labels = {RUN: os.environ.get("MINTAGE_RUN", ""), STAGE: stage, WORKSPACE: str(workspace)}
    about: dict[str, Any] = {"name": name, "labels": labels, "entrypoint": ["/bin/sh"], "command": arguments}
    about |= settings(stage, meta, workspace, cores=client.info()["NCPU"])
    with _sentences(stage):
        # By its id, so that the running image is the one in the stage's provenance.
        image = client.images.get(about["image"])
        about["environment"]["MINTAGE_IMAGE"] = f"{about['image']}@{image.id}"
        about["image"] = image.id
        try:
            return client.containers.create(**about)
        except APIError as error:
            if error.status_code != 409:
                raise
            _remove_leftover(client, name, labels[RUN])
            return client.containers.create(**about)


def _remove_leftover(client: "DockerClient", name: str, run: str) -> None:
    """Remove a container that outlived its client, if it has ended or is of this run; else raise UserError."""
    other = client.containers.get(name)
    if other.status not in ("exited", "dead") and not (run and other.labels.get(RUN) == run):
        raise UserError(
            "stage-busy",
            f"container {name} is already running this stage in this workspace: wait for it, or `docker rm -f {name}`",
        )
    other.remove(force=True)


def _start(container: "Container", stage: str) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Start the container; its output, as pairs of stdout and stderr, is attached first, so that nothing is lost."""
    with _sentences(stage):
        output: Iterator[tuple[bytes | None, bytes | None]] = container.attach(stream=True, demux=True)
        container.start()
    return output


def _pass_on(output: Iterator[tuple[bytes | None, bytes | None]]) -> None:
    for pair in output:
        for chunk, stream in zip(pair, (sys.stdout.buffer, sys.stderr.buffer), strict=True):
            if chunk:
                stream.write(chunk)
                stream.flush()


def _exit_code(container: "Container", stage: str, meta: Meta) -> int:
    code = int(container.wait()["StatusCode"])
    container.reload()
    if code != 0 and container.attrs["State"]["OOMKilled"]:
        raise UserError(
            "container-out-of-memory",
            f"stage {stage!r} needs more memory than its meta in dvc.yaml allows ({meta.memory}): raise it",
        )
    return code


def _remove(container: "Container") -> None:
    from docker.errors import DockerException

    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    with suppress(DockerException, OSError):
        container.stop(timeout=_GRACE)
    with suppress(DockerException, OSError):
        container.remove(force=True)


@contextmanager
def _sentences(stage: str) -> Iterator[None]:
    """Turn the engine's refusals into UserErrors."""
    from docker.errors import DockerException, ImageNotFound

    try:
        yield
    except ImageNotFound as error:
        raise _missing(str(error.explanation).rpartition("No such image: ")[2]) from None
    except DockerException as error:
        raise UserError(
            "container-refused", f"the engine refuses a container for stage {stage!r}: {_reason(error)}"
        ) from None


def _missing(images: str) -> UserError:
    target = "images-cuda" if "-cuda:" in images else "images"
    return UserError("container-image-missing", f"image {images} is missing: build it with `make {target}`")


def _reason(error: BaseException) -> str:
    """The engine's own message, or the system's: the innermost of the errors that the libraries wrapped."""
    if explanation := getattr(error, "explanation", None):
        return str(explanation).strip().replace("\n", " ")
    words = str(error)
    while inner := error.__cause__ or error.__context__:
        words, error = (inner.strerror or str(inner) if isinstance(inner, OSError) else words), inner
    return words


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


@contextmanager
def _signals_held() -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


if __name__ == "__main__":
    run_stage(main)
