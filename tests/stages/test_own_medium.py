"""A kind of data that another package brings: it goes through the stages, and is part of what asks it alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stages.common.files import read_json
from stages.common.shards import shards
from stages.common.split import Split
from tests.programs import printed_by, python
from tests.site import ROOT, install
from tests.stages.test_identity import identity
from tests.stages.tiny_data import write_params

HILLS: dict[str, Any] = {
    "ingest.source": "hills",
    "ingest.options": {"count": 60},
    "normalize.height": 16,
    "normalize.width": 16,
    "validate.min_images": 40,
    "train.family": "gan",
    "train.recipe.width": 8,
    "train.images": 640,
    "train.checkpoint_every": 640,
    "train.log_every": 640,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("package") / "site")


@pytest.fixture(scope="module")
def finished(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hills")
    write_params(folder, HILLS)
    (folder / "data/source").mkdir(parents=True)
    for stage in ("ingest", "normalize", "validate", "train"):
        printed_by("-m", f"stages.{stage}", folder=folder, also=[site])
    return folder


def test_the_data_say_what_they_are_and_keep_their_bits(finished: Path) -> None:
    about = {"name": "heights", "top": 300.0, "step": 30.0}
    assert read_json(finished / "data/normalized/manifest.json")["medium"] == about
    content = pq.read_table(shards(finished / "data/raw")[0])["image"][0].as_py()["bytes"]
    raw = np.frombuffer(content[-4 * 256 :], "<f4").reshape(16, 16)[::-1] * 2 - 1
    images = np.concatenate([Split(finished / "data/normalized" / side).images() for side in ("train", "holdout")])
    assert np.abs(images[:, 0] - raw).max(axis=(1, 2)).min() < 1e-6


def test_generated_ones_are_shown_as_the_medium_shows_them(site: Path, finished: Path) -> None:
    [picture] = (finished / "plots/training").iterdir()
    with Image.open(picture) as shown:
        lowest, highest = shown.convert("L").getextrema()
    assert (lowest, highest) == (0, 255), "slopes in the light and in the dark"
    code = (
        "from stages.common.files import read_json; from stages.media import medium_of; import numpy as np; "
        "medium = medium_of(read_json('data/normalized/manifest.json')); "
        "flat = np.zeros((1, 1, 4, 4), np.float32); print(medium, *medium.pixels(flat).ravel()[:1])"
    )
    assert printed_by("-c", code, folder=finished, also=[site]).split() == ["Heights(top=300.0,", "step=30.0)", "128"]


def test_without_its_package_the_data_are_refused_with_its_name(finished: Path) -> None:
    done = python("-m", "stages.train", folder=finished)
    assert done.returncode == 2
    known = "images, frames, points, volumes, sounds, tokens, rolls"
    assert f"there is no medium 'heights'; known: {known}: install the package that brings it" in done.stderr


def test_a_medium_is_part_of_the_runs_of_its_source_and_of_no_other(site: Path, tmp_path: Path) -> None:
    for name in ("mintage", "stages", "dvc.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "data/source").mkdir(parents=True)
    write_params(tmp_path, {})
    unused = identity(tmp_path, site)
    assert not [stage for stage, code in unused.items() if "tiny_heights" in code]
    write_params(tmp_path, {"ingest.source": "hills"})
    used = identity(tmp_path, site)
    assert {stage for stage, code in used.items() if "tiny_heights" in code} == {
        "ingest", "normalize", "validate", "evaluator", "train", "select", "sample", "report",
    }  # fmt: skip
