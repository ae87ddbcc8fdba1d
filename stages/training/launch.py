"""Several processes that train as one: the stage starts them itself, as torchrun does."""

import logging
import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist

from mintage import processes
from mintage.devices import make_deterministic
from stages.common.device import device_for
from stages.common.errors import BAD_INPUT, TRY_AGAIN, TemporaryError, UserError, ending_signals
from stages.common.train_params import Train
from stages.training import hosts

_LOOK_EVERY = 0.2
_UNTIL_ENDED = 20


def launched() -> bool:
    """Whether torchrun started this process, here or by hand."""
    return dist.is_torchelastic_launched()


def start(count: int, module: str) -> None:
    """Run `python -m module` in `count` processes, as `torchrun --nproc-per-node count` does, until all have ended.

    If one fails, the others are ended, and this process exits with its exit code. A signal goes to all of them.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    signals = [signal.SIGINT, signal.SIGQUIT, *ending_signals()]
    logging.disable(logging.ERROR)  # the failing process has reported its error
    try:
        with tempfile.TemporaryDirectory() as folder:
            config = LaunchConfig(
                min_nodes=1,
                max_nodes=1,
                nproc_per_node=count,
                run_id=uuid.uuid4().hex,
                rdzv_backend="c10d",
                rdzv_endpoint="localhost:0",
                local_addr="localhost",
                max_restarts=0,
                signals_to_handle=",".join(number.name for number in signals),
                logs_specs=DefaultLogsSpecs(log_dir=folder),
            )
            elastic_launch(config, sys.executable)("-m", module)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode > 0:
            raise SystemExit(failure.exitcode) from None
        what = f"process {rank} of {count} was ended by {signal.Signals(-failure.exitcode).name}"
        raise TemporaryError(
            "training-process-lost", f"{what}: run again, and training goes on from its last state"
        ) from None
    except SignalException as error:
        if error.sigval == signal.SIGINT:
            kept = "the same command goes on from the last state that was saved in .resume"
            raise KeyboardInterrupt(f"all {count} processes are ended; {kept}") from None
        signal.signal(error.sigval, signal.SIG_DFL)
        os.kill(os.getpid(), error.sigval)  # end as if the signal was not caught


def prepare_device(params: Train) -> torch.device:
    """The device to train on, and torch set to use it as params say."""
    device = _device(params.device)
    make_deterministic(device, params.deterministic)
    if threads := _threads(params.threads):
        torch.set_num_threads(threads)
    return device


def _device(name: str) -> torch.device:
    """The stage's device; with several processes, each has the GPU of its number."""
    if launched() and name != "cpu" and torch.cuda.is_available():
        device = device_for(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(device)
        return device
    return device_for(name)


def _threads(asked: int | None) -> int | None:
    """Threads of the CPU: `asked`, or else the cores divided by the processes of this machine."""
    if asked is None and launched():
        return max(1, (os.cpu_count() or 1) // int(os.environ["LOCAL_WORLD_SIZE"]))
    return asked


@contextmanager
def process_group(expected: int, device: str) -> Iterator[None]:
    """Within the block, this process is one of `expected`; if several fail, only one reports why."""
    if not launched():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        if (started := int(os.environ["WORLD_SIZE"])) != expected:
            raise UserError(
                "processes-differ",
                f"torchrun started {started} processes: set train.processes to {started}, not {expected}",
            )
        with processes.joined(_device(device)), hosts.watched(_first_to_tell):
            yield
    except processes.LostError:
        time.sleep(_UNTIL_ENDED)  # the launcher ends this process if another on this machine was the cause
        if not _first_to_tell():
            raise SystemExit(TRY_AGAIN) from None
        raise hosts.lost() from None
    except (UserError, OSError) as error:
        if not _first_to_tell():
            raise SystemExit(getattr(error, "exit_code", BAD_INPUT)) from None
        raise


def _end_with(launcher: int) -> None:
    """Make this process end when the process `launcher` is killed."""
    while os.getppid() == launcher:
        time.sleep(_LOOK_EVERY)
    os._exit(1)


def _first_to_tell() -> bool:
    """Whether no other process of this machine has reported its error: often all have the same."""
    # torchrun gives each process a file for errors in its own folder; these folders have one parent.
    shared = Path(os.environ["TORCHELASTIC_ERROR_FILE"]).parents[1]
    try:
        (shared / "reported").open("x").close()
    except FileExistsError:
        return False
    return True
