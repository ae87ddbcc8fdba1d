"""A metric that another package brings: measured beside the others, and nothing else runs again for it."""

from pathlib import Path

import pytest

from stages.common.files import read_json
from tests.programs import printed_by
from tests.site import ROOT, install
from tests.stages.test_identity import identity
from tests.stages.tiny_models import write_run


def select_in(folder: Path, *paths: Path) -> str:
    return printed_by("-m", "stages.select", folder=folder, also=paths)


def test_a_package_s_metric_is_measured_of_images_that_are_known_already(tmp_path: Path) -> None:
    folder, site = (
        write_run(tmp_path / "run", None, select__truncation=[], select__samples=100),
        install(tmp_path / "site"),
    )
    select_in(folder)
    before = read_json(folder / "metrics/selection.json")
    known = {path: path.stat().st_mtime_ns for path in (folder / ".measure").rglob("drawn-*")}
    assert len(known) == 4
    select_in(folder, site)
    after = read_json(folder / "metrics/selection.json")
    assert after["mean_gap"] > after["mean_gap_floor"] > 0
    assert after["frechet_distance"] == before["frechet_distance"]
    assert {path: path.stat().st_mtime_ns for path in known} == known
    columns = (folder / "metrics/checkpoints.tsv").read_text().splitlines()[0].split("\t")
    assert {"mean_gap", "mean_gap_floor"} <= {*columns}


@pytest.mark.parametrize("stage", ["ingest", "normalize", "evaluator", "train", "sample", "export"])
def test_a_metric_is_part_of_what_measures_and_of_nothing_else(
    both: tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]], stage: str
) -> None:
    before, after = both
    assert after[stage] == before[stage]
    assert "tiny_metrics" in after["select"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """What identifies each stage without the package and with it."""
    folder = tmp_path_factory.mktemp("identity")
    for name in ("mintage", "stages", "dvc.yaml", "params.yaml"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "data/source").mkdir(parents=True)
    return identity(folder), identity(folder, install(folder / "site"))
