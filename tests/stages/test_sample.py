import io
import json
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import stages.sample
from mintage.model_config import ModelConfig
from mintage.players import Generator
from mintage.sampling import CHUNK, samples
from stages.common.files import write_json
from stages.common.levels import to_uint8
from stages.common.mapping import one_by_one
from stages.common.models import read_generator, write_generator
from stages.common.pictures import grid_scale
from stages.common.shards import encoded_schema, write_encoded
from stages.sample import sample
from stages.sampling.files import write_files
from stages.sampling.rows import PIECE, Job, labels_for, rows
from tests.refusals import refused
from tests.stages.forked import try_stage_in
from tests.stages.tiny_data import CLASSES, digests, write_params
from tests.stages.tiny_models import SMALL, sample_params, write_selected

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 images of a conditional model, made by the stage as DVC runs it."""
    folder = write_selected(tmp_path_factory.mktemp("finished"))
    code, printed = run(folder)
    assert code == 0, printed
    return folder


@pytest.fixture
def generator(finished: Path) -> Generator:
    return read_generator(finished / "models/selected", CPU)


def run(folder: Path) -> tuple[int, str]:
    return try_stage_in(folder, "sample")


def with_model(finished: Path, folder: Path) -> Path:
    """A folder with the selected model and params, and no samples yet."""
    target = folder / "models/selected"
    target.mkdir(parents=True)
    for path in (finished / "models/selected").iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    write_params(folder, SMALL)
    return folder


def table(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted((folder / "samples").glob("part-*.parquet"))])


def made(folder: Path, target: Path, **changes: Any) -> pa.Table:
    """What the stage writes with changed params."""
    with_model(folder, target)
    sample(sample_params(target, **changes), target)
    return table(target)


def outputs(folder: Path) -> dict[str, str]:
    return digests(folder, "samples", "plots", "metrics")


def test_samples_are_the_model_s_images_as_png_with_class_index_and_seed(finished: Path, generator: Generator) -> None:
    images = torch.cat([images for images, _ in samples(generator, 150, 0, list(range(10)))])
    written = table(finished).to_pylist()
    assert len(written) == 150
    for i, (row, expected) in enumerate(zip(written, to_uint8(images.numpy()), strict=True)):
        assert (row["image"]["path"], row["index"], row["label"], row["seed"]) == (f"{i:06d}.png", i, i % 10, 0)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])))[None], expected)


def test_samples_have_the_layout_of_raw_images(finished: Path) -> None:
    schema = table(finished).schema
    assert schema.field("image").type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features["label"] == {"_type": "ClassLabel", "names": CLASSES}
    assert features["image"] == {"_type": "Image"}


@pytest.mark.parametrize("batch_size", [1, 7, 64, 100, 5000])
def test_any_batch_size_gives_the_same_images(finished: Path, tmp_path: Path, batch_size: int) -> None:
    assert made(finished, tmp_path, batch_size=batch_size).equals(table(finished))


def test_image_i_is_the_same_whatever_the_count_and_another_seed_gives_others(finished: Path, tmp_path: Path) -> None:
    few, other = made(finished, tmp_path / "few", count=70), made(finished, tmp_path / "other", seed=1)
    assert few.equals(table(finished).slice(0, 70))
    before, after = ({row["bytes"] for row in t["image"].to_pylist()} for t in (table(finished), other))
    assert not before & after
    assert set(other["seed"].to_pylist()) == {1}


def test_the_same_params_give_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    made(finished, tmp_path)
    assert outputs(tmp_path) == outputs(finished)


def test_chosen_classes_are_generated_in_turn(finished: Path, tmp_path: Path) -> None:
    assert made(finished, tmp_path, classes=[7, 3], count=5)["label"].to_pylist() == [7, 3, 7, 3, 7]
    grid = Image.open(tmp_path / "plots/samples.png")
    assert grid.height < Image.open(finished / "plots/samples.png").height  # two rows in place of ten


def test_the_sample_grid_is_large_enough_to_look_at_and_has_the_names_of_its_rows(finished: Path) -> None:
    picture = np.asarray(Image.open(finished / "plots/samples.png"))
    side, shown = 8 * grid_scale(8, 8), picture.shape[1] - (10 * 9 - 1) * grid_scale(8, 8)
    assert side >= 64
    assert picture.shape[0] == (10 * 9 - 1) * grid_scale(8, 8)
    names = picture[:, :shown]
    inked = [(names[round(row * 9 * grid_scale(8, 8)) :][:side] < 128).any() for row in range(10)]
    assert all(inked), "a name beside each row"
    blocks = picture[:side, shown : shown + side].reshape(8, side // 8, 8, side // 8)
    assert (blocks == blocks[:, :1, :, :1]).all(), "each pixel is a square of one color"


def unconditional(folder: Path, latent_distribution: str = "normal") -> Generator:
    config = ModelConfig("mlp", 8, (3, 9, 7), None, 5, latent_distribution)
    generator = Generator(config).eval().requires_grad_(False)
    (folder / "models/selected").mkdir(parents=True)
    write_generator(folder / "models/selected", generator)
    write_json(folder / "models/selected/provenance.json", {"medium": {"name": "images"}})
    write_params(folder, SMALL)
    return generator


def test_of_pictures_it_is_said_why_there_is_nothing_to_hear(finished: Path) -> None:
    listed = {path.name: json.loads(path.read_text()) for path in (finished / "plots/heard").iterdir()}
    reason = "images make no sound: there is nothing to hear"
    assert listed == {"heard.json": {"columns": [], "rows": [], "reason": reason}}


def test_an_unconditional_model_gives_images_without_labels(tmp_path: Path) -> None:
    unconditional(tmp_path)
    assert sample(sample_params(tmp_path), tmp_path) == 150
    written = table(tmp_path)
    assert written["label"].null_count == 150
    assert Image.open(io.BytesIO(written["image"][0]["bytes"].as_py())).size == (7, 9)
    with refused("sample-classes-unknown", "sample.classes = [1], and the model is unconditional"):
        sample(sample_params(tmp_path, classes=[1]), tmp_path)


def test_an_unknown_class_is_one_sentence_with_the_known_ones_and_exit_code_2(finished: Path, tmp_path: Path) -> None:
    made(finished, tmp_path)
    before = outputs(tmp_path)
    write_params(tmp_path, SMALL | {"sample.classes": [3, 10]})
    code, printed = run(tmp_path)
    assert code == 2
    assert "error: sample.classes has 10, which is not a label of the model: known are 0 (0), 1 (1)" in printed
    assert "Traceback" not in printed
    assert outputs(tmp_path) == before


def test_a_thousand_known_classes_are_told_in_short() -> None:
    names = tuple(f"name {i}" for i in range(1000))
    config = ModelConfig("mlp", 8, (1, 8, 8), names, 5, "normal", generator_conditioning="concat")
    assert labels_for([], config) == list(range(1000))
    with refused("sample-classes-unknown", "19 (name 19), up to 999 (name 999)"):
        labels_for([1000], config)


@pytest.mark.parametrize("damage", ["truncated", "other width", "missing"])
def test_a_selected_model_that_does_not_fit_its_config_is_refused_by_name(
    finished: Path, tmp_path: Path, damage: str
) -> None:
    made(finished, tmp_path)
    before = outputs(tmp_path)
    weights, config = (tmp_path / "models/selected" / name for name in ("generator.safetensors", "config.json"))
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:-20])
    elif damage == "missing":
        weights.unlink()
    else:
        config.write_text(json.dumps(json.loads(config.read_text()) | {"width": 12}))
    with refused("output-missing" if damage == "missing" else "weights-unusable", "generator.safetensors "):
        sample(sample_params(tmp_path), tmp_path)
    assert outputs(tmp_path) == before


def test_images_are_made_only_as_they_are_written(finished: Path, generator: Generator) -> None:
    job, calls = Job(sample_params(finished, count=10**6), finished), []
    job.generator.register_forward_hook(lambda *_: calls.append(1))
    endless = rows(job, one_by_one)
    assert len(list(islice(endless, PIECE + 1))) == PIECE + 1
    assert len(calls) == 2 * PIECE / CHUNK


class CountedRow(dict[str, Any]):
    """Tells how many of its kind are alive, and the most there ever were."""

    alive = most = 0

    def __init__(self, index: int) -> None:
        super().__init__(image={"bytes": b"png", "path": f"{index}.png"}, label=None)
        CountedRow.alive += 1
        CountedRow.most = max(CountedRow.most, CountedRow.alive)

    def __del__(self) -> None:
        CountedRow.alive -= 1


def test_no_more_than_a_batch_of_images_is_held(tmp_path: Path) -> None:
    def many() -> Iterator[dict[str, Any]]:
        for index in range(1000):
            yield CountedRow(index)

    assert write_encoded(tmp_path, many(), encoded_schema(None, {}), shard_images=300, held_images=20) == 1000
    assert CountedRow.most <= 20 + 2  # one on its way in, one on its way out
    shards = sorted(tmp_path.glob("*.parquet"))
    assert [pq.read_metadata(path).num_rows for path in shards] == [300, 300, 300, 100]
    assert [row["path"] for path in shards for row in pq.read_table(path)["image"].to_pylist()] == [
        f"{index}.png" for index in range(1000)
    ]


def test_many_images_fill_several_shards(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages.sample, "SHARD_IMAGES", 60)
    assert made(finished, tmp_path).equals(table(finished))
    assert len(list((tmp_path / "samples").iterdir())) == 3


def test_files_of_samples_are_called_by_class_and_say_whether_an_earlier_model_made_them(
    finished: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "again"))
    assert write_files(folder, tmp_path / "files") == f"150 images as files: {tmp_path / 'files'}"
    names = sorted(path.name for path in (tmp_path / "files").iterdir())
    labels = table(folder)["label"].to_pylist()
    assert names == [f"{index:06d}-{CLASSES[label]}.png" for index, label in enumerate(labels)]
    (tmp_path / "files/000150.png").write_bytes(b"of an earlier run")
    generator = read_generator(folder / "models/selected", CPU)
    next(generator.parameters()).data.add_(1)
    write_generator(folder / "models/selected", generator)
    assert write_files(folder, tmp_path / "files").endswith(
        "; they are of another model than models/selected: `dvc repro` makes those of this one; "
        "beside 1 file that was there"
    )
