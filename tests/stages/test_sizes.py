"""Pictures that are smaller than asked are told, by a look at the first and by the gate."""

from pathlib import Path

import pytest

from stages.common.params import load_params
from stages.media.images import Images
from stages.sources import open_source
from stages.sources.sizes import notes_of_size
from stages.validate import report_lines
from tests.stages.source_files import write_tree
from tests.stages.summary_tables import gated, manifest_of, valid_stats
from tests.stages.tiny_data import ROOT


@pytest.mark.parametrize(
    ("height", "upscale", "fit", "said"),
    [
        (64, "refuse", "crop", "and count as broken (normalize.upscale): lower these, or bring larger pictures"),
        (64, "refuse", "pad", None),
        (64, "allow", "resize", None),
        (8, "refuse", "resize", None),
    ],
)
def test_the_first_pictures_show_before_anything_runs_that_they_are_too_small(
    tmp_path: Path, height: int, upscale: str, fit: str, said: str | None
) -> None:
    params = load_params(ROOT / "params.yaml")
    tree = write_tree(tmp_path, {"a": 2, "b": 2})
    source = open_source(params.ingest.model_copy(update={"source": "folder", "path": str(tree)}))
    changes = {"height": height, "width": 8, "upscale": upscale, "fit": fit}
    notes = list(notes_of_size(source, params.normalize.model_copy(update=changes)))
    begin = "of the first 4 images 4 have fewer pixels than the 64 x 8 of normalize.height and width, "
    assert notes == ([] if said is None else [begin + said])


def test_the_gate_counts_the_pictures_that_were_enlarged(tmp_path: Path) -> None:
    stats = valid_stats(classes=0)
    stats.loc[:4, ["source_height", "source_width"]] = 11
    outcome = gated(tmp_path, stats, manifest_of(stats, None))
    warned = "\n".join(report_lines(outcome, Images().words))
    assert "the 128 pixels (8 x 16) that normalize makes of it', but found 5 exceptions (e.g. image-000" in warned
    assert "what is enlarged is a blur" in warned
    assert outcome.failed == []
