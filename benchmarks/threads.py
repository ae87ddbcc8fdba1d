"""Training speed by CPU threads, on a quiet machine and beside busy programs: `python -m benchmarks.threads`.

Each figure is a process of its own, in turns. The stages let threads of torch that wait for each other sleep early
(`stages/__init__.py`); the last rows have libgomp's own waiting.
"""

import os
import subprocess
import sys
import time

import torch

from mintage.dataset import Dataset
from mintage.training import make_trainer
from stages.common.errors import run_stage
from stages.common.stage import parser_of

SECONDS = 5
SHAPES = [(1, 8, 8), (1, 28, 28)]
NEIGHBORS = (0, 1, 4)
BUSY = [sys.executable, "-c", "while True: pass"]
LIBRARYS_OWN = "300000"
"""How often a thread of libgomp looks whether the others are done before it sleeps, if nothing is said."""


def images_per_second(shape: tuple[int, int, int], threads: int) -> float:
    """Images a second of the convolutional cGAN, width 32, batch 64, on random images."""
    torch.set_num_threads(threads)
    data = Dataset(torch.rand(2000, *shape) * 2 - 1, torch.arange(2000) % 10)
    recipe = {"network": "dcgan", "width": 32, "batch_size": 64}
    trainer = make_trainer(data, "cgan", recipe, 0, device=torch.device("cpu"), precision="auto")
    trainer.turn()
    start, before = time.monotonic(), trainer.images_seen
    while time.monotonic() - start < SECONDS:
        trainer.turn()
    return (trainer.images_seen - before) / (time.monotonic() - start)


def measure(shape: tuple[int, int, int], threads: int, spins: str | None, neighbors: int) -> float:
    """Images a second of a process of its own beside `neighbors` busy ones; `spins` None is as the stages wait."""
    code = f"import stages; from benchmarks.threads import images_per_second as speed; print(speed({shape}, {threads}))"
    environment = os.environ | ({} if spins is None else {"GOMP_SPINCOUNT": spins})
    busy = [subprocess.Popen(BUSY) for _ in range(neighbors)]
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        return float(done.stdout)
    finally:
        for neighbor in busy:
            neighbor.kill()


def main() -> None:
    parser = parser_of("benchmarks.threads", __doc__)
    parser.add_argument("--rounds", type=int, default=3, help="the table has medians")
    rounds = range(parser.parse_args().rounds)
    cores = os.cpu_count() or 1
    ways = {"1 thread": (1, None), f"{cores} threads": (cores, None), "the same, libgomp's own": (cores, LIBRARYS_OWN)}
    print("images a second" + "".join(f"{f'beside {count} busy':>15}" for count in NEIGHBORS))
    for shape in SHAPES:
        speeds = [[[measure(shape, *way, n) for n in NEIGHBORS] for way in ways.values()] for _ in rounds]
        for name, each in zip(ways, torch.tensor(speeds).median(0).values.tolist(), strict=True):
            print(f"{shape!s:11} {name:24}" + "".join(f"{speed:15,.0f}" for speed in each), flush=True)


if __name__ == "__main__":
    run_stage(main)
