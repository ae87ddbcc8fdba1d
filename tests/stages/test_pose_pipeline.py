"""Pictures that are joined by a map, through every stage: figures drawn by a seed, each to be seen in another pose."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import mintage
from stages.common.files import read_json, sha256_of
from stages.common.levels import to_uint8
from stages.common.pictures import encode_png, grid_scale, rows_of_blocks
from stages.common.shards import read_tables
from stages.common.split import Split
from stages.reporting.inputs import read_inputs
from stages.reporting.sheets import samples_sheet
from tests.stages.forked import run_stage_in, try_stage_in
from tests.stages.source_files import ingested, normalized

PARAMS: dict[str, Any] = {
    "ingest.source": "figures",
    "ingest.options": {"figures": 250, "each": 2, "side": 16},
    "normalize.channels": 3,
    "normalize.height": 16,
    "normalize.width": 16,
    "evaluator.images": 500,
    "train.family": "pg2",
    "train.recipe.width": 4,
    "train.recipe.pretrain_images": 3_000,
    "train.recipe.ema_half_life": 200.0,
    "train.recipe.generator": {"learning_rate": 5e-3},
    "train.images": 4_800,
    "train.checkpoint_every": 2_400,
    "train.log_every": 800,
}


def test_figures_are_drawn_in_a_pose_that_they_were_never_seen_in(selection: dict[str, Any]) -> None:
    assert selection["psnr"] > selection["baseline"]["psnr"] + 0.3
    assert selection["l1"] < 1.05 * selection["baseline"]["l1"], "in so short a training rounding decides which is less"


def test_no_figure_is_on_both_sides_of_the_split(finished: Path, holdout: Split) -> None:
    shown = Split(finished / "data/normalized/train")
    held, seen = ({key.rpartition("-")[0] for key in split.keys} for split in (holdout, shown))
    assert min(len(held), len(seen)) > 0
    assert not held & seen
    assert read_json(finished / "data/normalized/manifest.json")["partner_shape"] == [6, 16, 16]


def test_a_sheet_shows_the_map_below_what_was_made_by_it(finished: Path, holdout: Split) -> None:
    names = ["source", "translation", "truth", "map"]
    assert samples_sheet(read_inputs(finished)).names == rows_of_blocks(names)
    scale, side = grid_scale(16, 16), 17
    sheet = np.asarray(Image.open(finished / "plots/samples.png").convert("RGB"))
    pixels = sheet[::scale, -(10 * side - 1) * scale :: scale]
    rows = [pixels[number * side : number * side + 16, :16] for number in range(4)]
    assert holdout.partners is not None
    pictures = to_uint8(holdout.partners.images()).transpose(0, 2, 3, 1)
    found = [index for index, six in enumerate(pictures) if np.array_equal(six[..., :3], rows[0])]
    assert any(np.array_equal(pictures[index][..., 3:], rows[3]) for index in found)
    (table,) = read_tables(finished / "samples")
    assert Image.open(io.BytesIO(table.to_pylist()[0]["source"]["bytes"])).getbands() == ("R", "G", "B")


def test_the_exported_model_takes_a_picture_and_its_map(finished: Path, holdout: Split) -> None:
    assert holdout.partners is not None
    sources = torch.from_numpy(holdout.partners.images()[:5])
    made = mintage.load(finished / "models/selected").translate(sources)
    session = onnxruntime.InferenceSession(finished / "models/onnx/generator.onnx")
    (found,) = session.run(None, {"sources": sources.numpy()})
    assert np.abs(found - made.numpy()).max() < 1e-3


def write_pictures(folder: Path, holdout: Split, count: int = 3) -> None:
    """Held-out sources, maps and truths as files of the same names."""
    assert holdout.partners is not None
    six, truths = to_uint8(holdout.partners.images()[:count]), to_uint8(holdout.images()[:count])
    for kind, pictures in {"source": six[:, :3], "map": six[:, 3:], "truth": truths}.items():
        (folder / kind).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            (folder / kind / f"{number}.png").write_bytes(encode_png(picture))


def test_files_are_translated_with_the_maps_of_their_names(finished: Path, holdout: Split, tmp_path: Path) -> None:
    write_pictures(tmp_path, holdout)
    asked = ("source", "--release", str(finished / "models/selected"), "--out", "made")
    code, said = try_stage_in(tmp_path, "translate", *asked, "--with", "map")
    assert (code, "translated 3 pictures" in said) == (0, True), said
    assert holdout.partners is not None
    made = mintage.load(finished / "models/selected").translate(torch.from_numpy(holdout.partners.images()[:3]))
    for number, one in enumerate(to_uint8(made.numpy())):
        written = np.asarray(Image.open(tmp_path / f"made/{number}.png")).transpose(2, 0, 1)
        assert np.abs(written.astype(int) - one).max() <= 1


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        ((), "takes 1 map with each picture, and 0 were given"),
        (("map", "map"), "takes 1 map with each picture, and 2 were given"),
        (("nowhere",), "is neither a file nor a folder"),
        (("some",), "'1.png' has no map in some"),
    ],
)
def test_a_picture_without_its_map_is_told(
    finished: Path, holdout: Split, tmp_path: Path, maps: tuple[str, ...], said: str
) -> None:
    write_pictures(tmp_path, holdout)
    if "some" in maps:
        shutil.copytree(tmp_path / "map", tmp_path / "some", ignore=shutil.ignore_patterns("1.png"))
    asked = ("source", "--release", str(finished / "models/selected"), "--out", "made")
    code, printed = try_stage_in(tmp_path, "translate", *asked, *(word for name in maps for word in ("--with", name)))
    assert (code, said in printed) == (2, True), printed


def test_what_a_release_made_is_the_source_of_the_next_training_and_the_data_say_which(
    finished: Path, holdout: Split, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "tree", holdout, 20)
    asked = ("source", "--release", str(finished / "published/channels/latest"), "--with", "map", "--out", "coarse")
    run_stage_in(tmp_path / "tree", "translate", *asked)
    ingested(
        tmp_path / "raw",
        path=str(tmp_path / "tree"),
        pairs={"by": "name", "folders": ["truth", "coarse", "source", "map"]},
    )
    manifest = normalized(tmp_path, channels=3, height=16, width=16)
    (release,) = (finished / "published/releases").iterdir()
    weights = sha256_of(finished / "models/selected/generator.safetensors")
    assert manifest["partners_made_by"] == [{"model": weights[:20], "family": "pg2", "release": release.name}]
    assert manifest["partner_shape"] == [9, 16, 16]
    split = Split(tmp_path / "normalized/train")
    assert split.partners is not None
    for key, nine in zip(split.keys, to_uint8(split.partners.images()), strict=True):
        made = np.asarray(Image.open(tmp_path / "tree/coarse" / key))
        assert np.array_equal(nine[:3], made.transpose(2, 0, 1))
