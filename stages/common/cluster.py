"""One function over many shards on a Dask cluster, for `data.runner: dask`.

DASK_SCHEDULER_ADDRESS or Dask's own configuration names the cluster. Its workers need the workspace at the same path,
the same code and the same packages.
"""

import hashlib
import json
import logging
import pickle
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from stages.common.errors import TemporaryError, UserError
from stages.common.mapping import in_order
from stages.common.provenance import version_of

Shard = TypeVar("Shard")
Result = TypeVar("Result")
_ROOT = Path(__file__).parents[2]
_PACKAGES = ("numpy", "pillow", "pyarrow", "torch")
"""Packages that decide the bytes of results."""
_ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx)://)?[^\s/]+:\d{1,5}/?|inproc://\S+")


def on_cluster(function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
    """`stages.common.mapping.MapShards` on the cluster; the shard of a lost worker goes to another worker."""
    distributed = _package()
    with _client(distributed) as client:
        if not client.nthreads():
            print(f"waiting for a worker of {client.scheduler.address}")
        submit = partial(client.submit, partial(_of_same_code, function, code()), pure=False)
        try:
            for packed in in_order(submit, shards, lambda: sum(client.nthreads().values())):
                yield pickle.loads(packed)
        except distributed.scheduler.KilledWorker:
            raise TemporaryError(
                "cluster-workers-lost",
                "a shard ended several of the cluster's workers, most often for want of memory: give them more, and "
                "run again; what was finished before is kept",
            ) from None
        except (distributed.CancelledError, distributed.comm.CommClosedError):
            raise TemporaryError(
                "cluster-lost", f"the scheduler {client.scheduler.address} is gone: start it, and run again"
            ) from None


def scheduler_address() -> str:
    """The scheduler's address. Raises UserError without a valid one, at which Dask ends in a traceback."""
    import dask

    address: str | None = dask.config.get("scheduler-address", None)
    if not address:
        raise UserError(
            "cluster-unnamed",
            "data.runner = 'dask' needs a cluster: set DASK_SCHEDULER_ADDRESS to its scheduler, such as tcp://HOST:8786",
        )
    if not _ADDRESS.fullmatch(address):
        raise UserError(
            "cluster-misnamed",
            f"data.runner = 'dask' needs a cluster, and {address!r} is no address: set DASK_SCHEDULER_ADDRESS to its "
            "scheduler, such as tcp://HOST:8786",
        )
    return address


def _client(distributed: ModuleType) -> Any:
    import dask

    address, patience = scheduler_address(), dask.config.get("distributed.comm.timeouts.connect")
    print(f"asking the Dask scheduler at {address}, which has {patience} to answer", flush=True)
    for name in ("distributed", "distributed.client"):  # what matters of their messages is reported here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return distributed.Client(address, set_as_default=False)
    except (OSError, ValueError):
        raise TemporaryError(
            "cluster-unreachable",
            f"no Dask scheduler answers at {address}, as DASK_SCHEDULER_ADDRESS has it: start it, or mend the address",
        ) from None


def _package() -> ModuleType:
    try:
        import distributed
    except ImportError:
        wanted = "pip install -c requirements/constraints.txt -r requirements/cluster.txt"
        raise UserError(
            "package-missing", f"data.runner = 'dask' needs a package that the stages do not: {wanted}"
        ) from None
    return distributed


def _of_same_code(function: Callable[[Shard], Result], expected: str, shard: Shard) -> bytes:
    """On a worker: the pickled result; Dask would look into every part of an unpickled one.

    Raises UserError if the worker would make other bytes.
    """
    if code() != expected:
        raise UserError(
            "cluster-of-other-code",
            f"the worker on {platform.node()} has other code or packages than this command: start it again, in this "
            "workspace and with the packages of requirements/constraints.txt",
        )
    return pickle.dumps(function(shard))


@cache
def code() -> str:
    """A digest of all code of the library and the stages, as loaded in this process, and of the packages' versions."""
    packages = {name: version_of(name) for name in _PACKAGES}
    paths = sorted(path for top in ("mintage", "stages") for path in (_ROOT / top).rglob("*") if path.is_file())
    files = {
        str(path.relative_to(_ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.suffix in (".py", ".toml")
    }
    return hashlib.sha256(json.dumps([packages, files]).encode()).hexdigest()
