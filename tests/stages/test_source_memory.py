"""Memory of a source does not grow with its images, labels or partners: each in a process of its own."""

import json
from pathlib import Path

import pytest

from benchmarks.sources import CASES
from stages.common.params import Ingest
from tests.programs import printed_by
from tests.stages.source_files import ingest_params

# Contents are not read: every image has its own, and what is written is measured in test_ingest_resume.
PROGRAM = """
import sys
from stages.common.params import Ingest
from stages.sources import open_source
print(sum(1 for _ in open_source(Ingest.model_validate_json(sys.argv[1])).images))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
IMAGES = {"zip": 60_000, "zip-pairs": 40_000, "json": 150_000, "npz": 200_000, "ring": 500_000, "gaussian": 800_000}
FEW = 10_000


def peak(folder: Path, name: str, count: int) -> int:
    """Kilobytes."""
    folder.mkdir()
    params: Ingest = ingest_params(path="input", **{"options": {}, **CASES[name](folder / "input", count)})
    printed = printed_by("-c", PROGRAM, json.dumps(params.model_dump()), folder=folder, OMP_NUM_THREADS="1")
    images, used = map(int, printed.split())
    assert abs(images - count) <= 1  # of points, a tenth as many more are held out
    return used


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("name", IMAGES)
def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path, name: str) -> None:
    few, many = peak(tmp_path / "few", name, FEW), peak(tmp_path / "many", name, IMAGES[name])
    assert many < 1.15 * few
