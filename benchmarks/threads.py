"""Training speed by CPU threads, on a quiet machine and beside a busy program: `python -m benchmarks.threads`.

Needs torch alone. Each figure is a process of its own; quiet and busy take turns.
"""

import subprocess
import sys
import time

import torch

from mintage.data import RealImages
from mintage.devices import choose_precision
from mintage.engine import Engine
from mintage.families import resolve
from mintage.games.adversarial import Adversarial
from mintage.model_config import model_config
from mintage.players import build_players
from mintage.trainer import Trainer
from stages.common.errors import run_stage
from stages.common.stage import parser_of

SECONDS = 10
SHAPES = [(1, 8, 8), (1, 28, 28)]
BUSY = [sys.executable, "-c", "while True: pass"]


def images_per_second(shape: tuple[int, int, int], threads: int) -> float:
    """Images a second of the convolutional cGAN, width 32, batch 64, on random images."""
    torch.set_num_threads(threads)
    device, classes = torch.device("cpu"), [str(label) for label in range(10)]
    recipe = resolve("cgan", {"network": "dcgan", "width": 32})
    players = build_players(model_config(recipe, shape, classes), seed=0)
    real = RealImages(torch.rand(2000, *shape) * 2 - 1, torch.randint(10, (2000,)), 0, device)
    engine = Engine(Adversarial(*players, recipe), recipe, device, choose_precision("auto", device))
    trainer = Trainer(engine, real, batch_size=64, seed=0)
    trainer.turn()
    start, before = time.monotonic(), trainer.images_seen
    while time.monotonic() - start < SECONDS:
        trainer.turn()
    return (trainer.images_seen - before) / (time.monotonic() - start)


def measure(shape: tuple[int, int, int], threads: int, busy: bool) -> float:
    neighbor = subprocess.Popen(BUSY) if busy else None
    try:
        code = f"from benchmarks.threads import images_per_second; print(images_per_second({shape}, {threads}))"
        return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    finally:
        if neighbor is not None:
            neighbor.kill()


def main() -> None:
    parser_of("benchmarks.threads", __doc__).parse_args()
    print("images a second    quiet    beside one busy program")
    for shape in SHAPES:
        for threads in dict.fromkeys([1, torch.get_num_threads()]):
            quiet, busy = (measure(shape, threads, busy) for busy in (False, True))
            print(f"{shape!s:13} {threads:2} threads {quiet:7,.0f} {busy:10,.0f}")


if __name__ == "__main__":
    run_stage(main)
