"""Memory of evaluator and select does not grow with the pixels of a split: each in a process of its own."""

from pathlib import Path

import pytest

from benchmarks.measuring import write_inputs
from stages.common.files import write_json
from tests.programs import printed_by
from tests.stages.tiny_data import write_params

PROGRAM = """
import importlib, sys
importlib.import_module(f"stages.{sys.argv[1]}").main()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
FEW, MANY = 2_000, 12_000
PIXELS = MANY * 3 * 32 * 32 * 4
"""Bytes of those to train on, as float32."""
GIVEN_BACK = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(2**20)}
"""Else the C library keeps what was freed as chance has it: 900 or 1,500 MB of the same run."""
PARAMS = {
    "evaluator.images": 3000,
    "evaluator.window": 1000,
    "select.samples": 500,
    "select.classifier_images": 256,
    "select.window": 1000,
}


def peak(folder: Path, stage: str, count: int) -> int:
    """Bytes, with so many images to train on and half as many held out."""
    write_inputs(folder, 2, count, count // 2, (3, 32, 32))
    write_json(folder / "reports/validation.json", {"success": True})
    write_params(folder, PARAMS)
    printed = printed_by("-c", PROGRAM, stage, folder=folder, OMP_NUM_THREADS="1", **GIVEN_BACK)
    return 1024 * int(printed.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("stage", ["evaluator", "select"])
def test_memory_does_not_grow_with_the_pixels(tmp_path: Path, stage: str) -> None:
    few, many = (peak(tmp_path / str(count), stage, count) for count in (FEW, MANY))
    print(f"{stage}: {few / 1e6:.0f} MB with {FEW:,} images, {many / 1e6:.0f} MB with {MANY:,}")
    assert many - few < 0.6 * PIXELS  # what goes with each image but its pixels, and chance, took up to half
