"""Everything to ask of a GPU in one go: `python -m benchmarks.gpu --minutes 20`.

First the checks of `benchmarks/gpu_checks.py`, for every family; then images a second and the share of the measured
peak of common networks, eager, compiled, and as CUDA graphs, beside a textbook loop; then sampling and measuring. What
fails is written down, and the next is tried; what no time is left for is named. Writes gpu.json and gpu.md into --out,
after each figure. Exit code 1 where a check failed. Needs torch, numpy, safetensors and Pillow alone.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_checks import checks
from benchmarks.options import positive
from benchmarks.training import (
    BATCH,
    CLASSES,
    LATENT,
    Case,
    compiled,
    flops,
    ours,
    peak,
    rate,
    textbook,
    wait_for,
)
from mintage.devices import choose_device, choose_precision
from mintage.evaluator import EvaluatorConfig, features_of
from mintage.learning import build_evaluator
from mintage.metrics.frechet import frechet_distance
from mintage.sampling import samples
from stages.common.errors import run_stage
from stages.common.stage import parser_of

DCGAN: dict[str, Any] = {"width": 64, "latent_size": LATENT}
CASES = [
    *(Case(f"DCGAN, {side}x{side}", "dcgan", DCGAN, side) for side in (28, 32, 64)),
    *(Case(f"{family}, {side}x{side}", family, {}, side) for family in ("biggan", "modern") for side in (32, 64)),
]
"""The cases of the textbook's game come first, since the textbook loop has no other game."""
MODES = {"eager": None, "compiled": "default", "CUDA graphs": "reduce-overhead"}
IMAGES = 6_000
_SECONDS, _WARM = 5.0, 5
Row = dict[str, Any]


class Record:
    """The results so far, saved in files."""

    def __init__(self, folder: Path, device: torch.device, minutes: float) -> None:
        self.folder, self.end = folder, time.monotonic() + 60 * minutes
        self.device, self.precision = device, choose_precision("auto", device)
        name = (
            torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
        )
        self.found: Row = {"device": name, "torch": torch.__version__, "checks": {}, "training": [], "use": {}}

    def attempt(self, name: str, action: Callable[[], Any], otherwise: Any = None) -> Any:
        """The action's result; or `otherwise` if it fails or no time is left, which is recorded under its name."""
        checks = self.found["checks"]
        if time.monotonic() > self.end:
            checks[name] = "not tried: no time was left"
            return otherwise
        try:
            result = action()
        except Exception as error:  # whatever a GPU or its compiler raises, the next action is tried
            checks[name] = f"failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
            print(f"{name}: {checks[name]}", flush=True)
            result = otherwise
        else:
            checks[name] = "passed"
        self.write()
        return result

    @property
    def failed(self) -> list[str]:
        return [name for name, how in self.found["checks"].items() if how.startswith("failed")]

    def write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "gpu.json").write_text(json.dumps(self.found, indent=2) + "\n")
        (self.folder / "gpu.md").write_text(table(self.found))


def table(found: Row) -> str:
    """The results as a page of Markdown."""
    passed = sum(how == "passed" for how in found["checks"].values())
    others = [f"- {name}: {how}" for name, how in found["checks"].items() if how != "passed"]
    lines = [f"{found['device']}, torch {found['torch']}: {passed} of {len(found['checks'])} passed.", *others]
    if found["training"]:
        lines += ["", f"Images a second in training, batch {BATCH}, {found['precision']}; a product of two matrices"]
        lines += [f"reaches {found['peak'] / 1e12:.3g} TFLOP/s.", "", *_training(found["training"])]
    if found["use"]:
        lines += ["", "| in use | |", "| --- | --- |"]
        lines += [f"| {name} | {value:,.4g} |" for name, value in found["use"].items()]
    return "\n".join(lines) + "\n"


def _training(rows: list[Row]) -> list[str]:
    columns = ["network", *MODES, "textbook loop", "share of peak", "memory"]
    cells = [
        [row["name"], *(_cell(row.get(name)) for name in (*MODES, "textbook")), _cell(row.get("share"), "{:.0%}"),
         _cell(row["memory"] / 2**30 if "memory" in row else None, "{:.2f} GiB")]
        for row in rows
    ]  # fmt: skip
    return [f"| {' | '.join(line)} |" for line in (columns, ["---"] * len(columns), *cells)]


def _cell(value: float | None, form: str = "{:,.0f}") -> str:
    return "–" if value is None else form.format(value)


def train_case(case: Case, record: Record, modes: list[str], seconds: float) -> Row:
    """Images a second of the case in each mode."""
    device = record.device
    noise = np.random.default_rng(0)
    data = noise.integers(0, 256, (IMAGES, 28, 28), np.uint8), noise.integers(0, CLASSES, IMAGES)
    row: Row = {"name": case.name}
    for mode in modes:
        how = MODES[mode]
        if how == "reduce-overhead" and device.type != "cuda":
            continue

        def measured(how: str | None = how) -> float:
            trainer = ours(case, *data, device, record.precision)
            turn = trainer.turn if how is None else compiled(trainer, how)
            _reset_memory(device)
            for _ in range(_WARM):
                turn()
            if how is None:
                row["flops"] = flops(turn)
            return rate(turn, device, seconds)[0]

        row[mode] = record.attempt(f"{case.name}, {mode}", measured)
        if how is None and device.type == "cuda":
            row["memory"] = torch.cuda.max_memory_allocated(device)
    if case.family == "dcgan":
        row["textbook"] = record.attempt(
            f"{case.name}, textbook loop", lambda: rate(textbook(case, *data, device), device, seconds)[0]
        )
    best = max((row[mode] for mode in MODES if row.get(mode)), default=None)
    if best and "flops" in row:
        row["share"] = best * row["flops"] / record.found["peak"]
    return row


def _reset_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def in_use(device: torch.device, precision: torch.dtype, count: int) -> Row:
    """The cost of sampling and measuring."""
    data = np.zeros((BATCH, 28, 28), np.uint8), np.zeros(BATCH, np.int64)
    generator = ours(CASES[1], *data, device, precision).average
    start = time.perf_counter()
    images = torch.cat([made for made, _ in samples(generator, count, 0, None)])
    sampled = time.perf_counter() - start
    evaluator = build_evaluator(EvaluatorConfig(tuple(images.shape[1:]), ("a", "b"), 64), 0).eval().to(device)
    features_of(evaluator, images[:BATCH])
    start = time.perf_counter()
    features = features_of(evaluator, images)
    compared = time.perf_counter() - start
    start = time.perf_counter()
    frechet_distance(features, features.flip(0) + 1)
    return {
        "images sampled a second, DCGAN 32x32": count / sampled,
        "images a second into features": count / compared,
        f"seconds of a Frechet distance of {count:,}": time.perf_counter() - start,
    }


def main() -> None:
    parser = parser_of("benchmarks.gpu", __doc__)
    parser.add_argument("--minutes", type=positive, default=20.0, help="then the rest is named, and left out")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("gpu"), metavar="FOLDER")
    parser.add_argument("--families", nargs="*", metavar="NAME", help="to check; all unless named")
    parser.add_argument(
        "--cases", nargs="*", metavar="NAME", help="networks to time, by a part of their name; all unless named"
    )
    parser.add_argument("--modes", nargs="*", choices=MODES, default=list(MODES), help="in which they are timed")
    parser.add_argument("--seconds", type=positive, default=_SECONDS, help="of each figure")
    arguments = parser.parse_args()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # set before cuBLAS starts, for the deterministic mode
    device = choose_device(arguments.device)
    record = Record(arguments.out, device, arguments.minutes)
    for name, check in checks(arguments.families, device).items():
        record.attempt(name, check)
    record.found |= {"precision": str(record.precision).removeprefix("torch."), "peak": peak(device, record.precision)}
    for case in CASES:
        if arguments.cases is None or any(part in case.name for part in arguments.cases):
            row = train_case(case, record, arguments.modes, arguments.seconds)
            record.found["training"].append(row)
    count = 10_000 if device.type == "cuda" else 512
    record.found["use"] = record.attempt("sampling and measuring", lambda: in_use(device, record.precision, count), {})
    record.write()
    wait_for(device)
    print(table(record.found))
    print(f"written to {arguments.out}/gpu.json and gpu.md")
    if record.failed:
        sys.exit(1)


if __name__ == "__main__":
    run_stage(main)
