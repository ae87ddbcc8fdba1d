"""The settings of a stage's container, and what it sees of the machine: the workspace, and only what it needs."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from stages.common.dvc_file import Meta
from stages.common.params import load_params
from stages.common.provenance import git_state
from stages.stores.folder import FolderStore

HOME = Path("/tmp")
_SAME_EVERYWHERE = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "TZ")
"""Variables that decide speed or bits, so a container gets the caller's values."""
_SECRET = (".env", ".dvc/config.local")
"""Files of the workspace with passwords, which no stage needs: a container has empty ones."""
_FOR_NETWORK = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def image_name(meta: Meta) -> str:
    """`mintage/GROUP:latest`; with MINTAGE_CUDA=1 a stage with a GPU has the CUDA build, `mintage/GROUP-cuda`."""
    prefix, tag = (os.environ.get(f"MINTAGE_IMAGE_{part}") for part in ("PREFIX", "TAG"))
    return f"{prefix or 'mintage'}/{meta.image}{'-cuda' if _with_gpu(meta) else ''}:{tag or 'latest'}"


def settings(stage: str, meta: Meta, workspace: Path, cores: int) -> dict[str, Any]:
    """The engine's options for the container of a stage, on a machine with `cores` cores."""
    from docker.types import DeviceRequest, LogConfig

    return {
        "image": image_name(meta),
        "working_dir": os.getcwd(),
        "user": f"{os.getuid()}:{os.getgid()}",
        "group_add": [str(group) for group in os.getgroups()],
        "environment": _environment(meta),
        "mounts": _mounts(stage, meta, workspace),
        "read_only": True,
        "tmpfs": {str(HOME): ""},
        "init": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "log_config": LogConfig(type="none"),  # its output is in the run's log
        "network_mode": (os.environ.get("MINTAGE_NETWORK") or "bridge") if meta.network else "none",
        # The engine refuses more cores than there are. This limits time, not cores: a program sees all cores, uses as
        # many threads as outside, and computes the same bits.
        "nano_cpus": int(min(meta.cpus, cores) * 1e9) if meta.cpus else None,
        "mem_limit": meta.memory,
        "memswap_limit": meta.memory,
        "device_requests": [DeviceRequest(count=-1, capabilities=[["gpu"]])] if _with_gpu(meta) else None,
    }


def _with_gpu(meta: Meta) -> bool:
    return meta.gpu and os.environ.get("MINTAGE_CUDA") == "1"


def _environment(meta: Meta) -> dict[str, str]:
    """Few of the caller's variables: secrets only for a stage that uses the network."""
    names = [*_SAME_EVERYWHERE, "DVC_STAGE", "DVC_ROOT", "MINTAGE_ERRORS", *(_network_names() if meta.network else [])]
    passed = {name: os.environ[name] for name in names if name in os.environ}
    return {**passed, "HOME": str(HOME), "MINTAGE_GIT": json.dumps(git_state())}


def _network_names() -> list[str]:
    return [name for name in os.environ if name.startswith("AWS_") or name.upper() in _FOR_NETWORK]


def _mounts(stage: str, meta: Meta, workspace: Path) -> list[Any]:
    """The mounts: each path is the same inside as outside; paths in the caller's home are in the container's too."""
    from docker.types import Mount

    binds = {workspace: (workspace, False)}
    binds |= {workspace / name: (Path(os.devnull), True) for name in _SECRET if (workspace / name).exists()}
    for path, read_only in _outside(stage, meta, workspace):
        for place in (Path(os.path.abspath(path)), path.resolve()):  # its name, and the target of its links
            if place.exists() and not place.is_relative_to(workspace):
                binds[place] = (place, read_only)
                if place.is_relative_to(Path.home()):
                    binds[HOME / place.relative_to(Path.home())] = (place, read_only)
    return [Mount(str(target), str(source), "bind", read_only) for target, (source, read_only) in binds.items()]


def _outside(stage: str, meta: Meta, workspace: Path) -> Iterator[tuple[Path, bool]]:
    """Paths outside the workspace that a stage may need, and whether they are read-only."""
    params = load_params(workspace / "params.yaml")
    if stage in ("identity", "ingest"):
        yield from ((path, True) for path in [Path(params.ingest.path), *_links_in(Path(params.ingest.path))])
        yield from ((Path(unquote(urlsplit(url).path)), True) for url in _file_urls(params.ingest.options))
        asked = params.ingest
        tables = [asked.labels, asked.groups and asked.groups.file, asked.attributes and asked.attributes.file]
        yield from ((Path(table), True) for table in tables if table)
    if stage == "upload" and params.upload.url.startswith("file:"):
        folder = FolderStore(params.upload.url).root
        with suppress(OSError):  # the stage's own error is better
            folder.mkdir(parents=True, exist_ok=True)
        yield folder, False
    if meta.network:
        yield Path.home() / ".aws", True
        yield from ((Path(os.environ[name]), True) for name in _network_names() if os.environ[name].startswith("/"))
    if cache := _linked_cache(workspace):
        yield cache, True


def _file_urls(options: Any) -> Iterator[str]:
    """The file:// URLs anywhere in a source's options."""
    if isinstance(options, str) and options.startswith("file:"):
        yield options
    elif isinstance(options, dict | list):
        for value in options.values() if isinstance(options, dict) else options:
            yield from _file_urls(value)


def _links_in(folder: Path) -> set[Path]:
    """The folders to which links anywhere in `folder` lead: a class, or single images, stored elsewhere."""
    found = (Path(place, name) for place, folders, files in os.walk(folder) for name in [*folders, *files])
    targets = {path.resolve() for path in found if path.is_symlink() and path.exists()}
    return {target if target.is_dir() else target.parent for target in targets}


def _linked_cache(workspace: Path) -> Path | None:
    """DVC's cache, if files of the workspace are links into it; else None."""
    from dvc.config import Config

    cache = Config(str(workspace / ".dvc"))["cache"]
    return Path(cache.get("dir") or workspace / ".dvc" / "cache") if "symlink" in cache.get("type", []) else None
