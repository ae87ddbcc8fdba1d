"""Golden bits: what every family makes of a few turns, pinned, so that a change of the engine cannot pass unseen.

`python -m tests.mintage.golden` writes golden.json anew: for a new family, on another kind of processor before anything
is changed, or where a change means to alter results; then say in the commit what altered them.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mintage.families import FAMILIES
from mintage.sampling import samples
from mintage.trainer import Trainer
from tests.mintage.helpers import SOUNDS, play, tiny_trainer

FILE = Path(__file__).with_name("golden.json")
TURNS = 4
SAMPLES = 8
SHAPES = {"modern_points": (1, 1, 2), "gan3d": (1, 8, 8, 8), **dict.fromkeys(SOUNDS, (1, 64))}


def arithmetic() -> str:
    """What decides how sums are cut up and so rounded: processor, vector instructions, and torch's version."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    kinds = [facts.get(name, "") for name in ("vendor_id", "cpu family", "model", "cache size")]
    return " ".join([*kinds, torch.backends.cpu.get_cpu_capability(), torch.__version__.split("+")[0]])


def trained(family: str) -> Trainer:
    """The family after a few turns on random images, in one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return play(tiny_trainer(family, shape=SHAPES.get(family, (1, 8, 8))), TURNS)
    finally:
        torch.set_num_threads(before)


def sources(trainer: Trainer) -> Tensor | None:
    """What the first direction translates: an image's source, or the images of the first domain."""
    if trainer.average.config.domains is None:
        return trainer.real.conditions
    first = trainer.real.group(0)
    return first.take(torch.arange(len(first)))


def bits(tensors: Iterable[Tensor]) -> str:
    """A digest of values and shapes, whatever the tensors' names and order."""
    contents = (f"{tuple(t.shape)}".encode() + t.detach().contiguous().numpy().tobytes() for t in tensors)
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(content).digest() for content in contents))).hexdigest()[:16]


def results(family: str) -> dict[str, Any]:
    """Bits of the state and of samples, and the same in figures that other machines reach but for rounding."""
    trainer = trained(family)
    average = trainer.average
    asked = range(average.config.class_count) if average.config.conditional else None
    shown = sources(trainer) if average.config.translates else asked
    made = torch.cat([images for images, _ in samples(average, SAMPLES, 0, shown)])
    figures = {**trainer.summarize(), "mean": made.mean().item(), "deviation": made.std().item()}
    state, _ = trainer.state()
    state.pop("sums")  # of the columns of train.tsv, which are in `figures`
    return {"bits": [bits(state.values()), bits([made])], "figures": figures}


def pinned() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text())
    return content


def write() -> None:
    """Pin what this machine finds; bits of others go where this one's changed, since nobody here can check them."""
    before, here = pinned(), arithmetic()
    rows = {}
    for family in FAMILIES:
        found, old = results(family), before.get(family, {"bits": {}})
        same = old["bits"].get(here, found["bits"]) == found["bits"]
        figures = old["figures"] if old["bits"] and same else found["figures"]
        rows[family] = {"bits": (old["bits"] if same else {}) | {here: found["bits"]}, "figures": figures}
    FILE.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    write()
