import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from ruamel.yaml import YAML

from mintage.model_config import ModelConfig
from mintage.sampling import samples
from stages.common.checkpoint import read_checkpoint, write_checkpoint
from stages.common.files import read_json, write_json
from stages.common.licenses import license_entries
from stages.common.models import read_evaluator, read_generator
from stages.common.params import Evaluator, Guard, Select, load_section
from stages.common.pictures import grid_scale
from stages.common.split import Split
from stages.evaluator import evaluator
from stages.media.drawings import COLUMNS, draw_grid
from stages.media.images import Images
from stages.media.medium import Words
from stages.reporting.selection import Checkpoint, Selection
from stages.select import select
from stages.selection.cache import Cache
from stages.selection.card import inputs_in_numpy
from stages.selection.extraction import Judge, quantize
from stages.selection.features import feature_network
from stages.selection.measure import floors, load_generator, measure
from stages.selection.metrics import METRICS
from stages.selection.nearest import nearest_rows_of
from stages.selection.reference import Reference, reference
from stages.selection.verdicts import copying
from tests.programs import printed_by
from tests.refusals import refused
from tests.stages.crafted import Copier
from tests.stages.forked import try_stage_in
from tests.stages.tiny_data import ROOT, digests
from tests.stages.tiny_models import CHECKPOINTS, checkpoint, select_params, write_run

CPU = torch.device("cpu")
OUTPUTS = ("models/selected", "metrics/selection.json", "metrics/checkpoints.tsv", "plots/nearest.png")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, digits_selected: Path) -> Path:
    """A conditional run on ten classes, selected by the stage as DVC runs it."""
    return Path(shutil.copytree(digits_selected, tmp_path_factory.mktemp("finished"), dirs_exist_ok=True))


@pytest.fixture(scope="module")
def unconditional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("unconditional"), classes=None)
    select(select_params(folder), folder)
    return folder


def run(folder: Path) -> tuple[int, str]:
    """Exit code and everything printed."""
    return try_stage_in(folder, "select")


def copy_of(finished: Path, target: Path) -> Path:
    return Path(shutil.copytree(finished, target / "copy"))


def outputs(folder: Path) -> dict[str, str]:
    return digests(folder, *OUTPUTS)


def table(folder: Path) -> list[dict[str, str]]:
    header, *lines = [line.split("\t") for line in (folder / "metrics/checkpoints.tsv").read_text().splitlines()]
    return [dict(zip(header, line, strict=True)) for line in lines]


def refuses(code: str, *parts: str, folder: Path, params: Select) -> None:
    """A selection is refused by this code, names `parts`, and leaves its earlier outputs as they are."""
    before = outputs(folder)
    with refused(code, *parts):
        select(params, folder)
    assert outputs(folder) == before


def test_every_checkpoint_is_measured_beside_its_floors_and_one_is_marked(finished: Path) -> None:
    rows = table(finished)
    of_real = read_json(finished / "metrics/evaluator.json")["holdout_accuracy"]
    figures = [c for name, m in METRICS.items() if m.needs is None for c in (name, *m.columns)]
    assert list(rows[0]) == ["images", "samples", *figures, "collapsed", "selected"]
    assert [int(row["images"]) for row in rows] == CHECKPOINTS
    best = min(rows, key=lambda row: float(row["frechet_distance"]))
    assert [row["images"] for row in rows if row["selected"] == "1"] == [best["images"]]
    for row in rows:
        assert float(row["frechet_floor_low"]) < float(row["frechet_floor_high"]) < float(row["frechet_distance"])
        assert float(row["frechet_floor"]) < float(row["frechet_distance"])  # a few turns make no real image
        assert float(row["accuracy_floor"]) == pytest.approx(of_real, rel=1e-5)
        assert row["samples"] == "200"


def test_the_selection_tells_the_chosen_and_the_last_as_the_report_reads_them(finished: Path) -> None:
    values = read_json(finished / "metrics/selection.json")
    selection = Selection.model_validate(values)
    rows = [Checkpoint.model_validate(row) for row in table(finished)]
    chosen = next(row for row in rows if row.selected == "1")
    assert (selection.images, selection.value("frechet_distance")) == (chosen.images, chosen.value("frechet_distance"))
    assert (selection.last.images, selection.last.value("kernel_distance")) == (2560, rows[-1].value("kernel_distance"))
    assert (selection.samples, selection.holdout_images, values["floor_images"]) == (200, 150, 200)
    assert (selection.checkpoints, selection.rule) == (4, "lowest Frechet distance")


def test_the_selected_generator_is_the_averaged_one_of_its_checkpoint(finished: Path) -> None:
    images = read_json(finished / "metrics/selection.json")["images"]
    tensors, _ = read_checkpoint(checkpoint(finished, images))
    selected = read_generator(finished / "models/selected", CPU).state_dict()
    assert selected
    for name, tensor in selected.items():
        assert torch.equal(tensor, tensors[f"engine.average.generator.{name}"])


def test_the_model_card_s_few_lines_load_the_model(finished: Path) -> None:
    card = (finished / "models/selected/README.md").read_text()
    code = re.findall(r"```python\n(.*?)```", card, re.DOTALL)[0] + "\nprint(tuple(images.shape))"
    assert printed_by("-c", code, folder=finished / "models/selected") == "(16, 1, 8, 8)\n"


def test_the_model_card_s_attributes_have_one_word_of_a_group() -> None:
    names = ("glasses", "hair=red", "hair=black")
    config = ModelConfig("dcgan", 8, (3, 8, 8), None, 12, "uniform", "concat", attributes=names)
    made = eval(inputs_in_numpy(config)["attributes"], {"np": np})
    assert (made.shape, made.dtype, made[0].tolist()) == ((16, 3), np.float32, [1, 1, -1])


def test_the_model_card_has_a_header_for_the_hub_and_every_figure_with_its_floor(finished: Path) -> None:
    card = (finished / "models/selected/README.md").read_text()
    _, header, body = card.split("---\n", 2)
    facts, selection = YAML(typ="safe").load(header), read_json(finished / "metrics/selection.json")
    assert (facts["license"], facts["library_name"]) == ("cc-by-4.0", "pytorch")
    assert {"gan", "cgan"} <= set(facts["tags"])
    figures = {m["type"]: m["value"] for m in facts["model-index"][0]["results"][0]["metrics"]}
    assert figures == {metric: selection[metric] for metric, about in METRICS.items() if about.needs is None}
    for metric in figures:
        about = METRICS[metric]
        title = about.title[0].upper() + about.title[1:]
        line = next(line for line in body.splitlines() if line.startswith(f"| {title}"))
        assert f"| {about.text(selection[metric])}" in line
        assert f"| {about.of_real(selection)} |" in line
    assert "200 generated images against 150 real ones" in body
    assert "c0ffee` with changes that were not committed" in body
    assert "synthetic" in body


def test_the_model_s_provenance_names_training_data_evaluator_and_rule(finished: Path) -> None:
    made = read_json(finished / "models/selected/provenance.json")
    assert made["train"] == read_json(finished / "provenance/train.json")
    assert made["data_fingerprint"] == "f1f1"
    assert made["evaluator"]["sha256"] == read_json(finished / "metrics/evaluator.json")["sha256"]
    assert made["selection"]["rule"] == "lowest Frechet distance"


def test_the_same_inputs_give_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path)
    for output in OUTPUTS[1:]:
        (folder / output).unlink()
    select(select_params(folder), folder)
    assert outputs(folder) == outputs(finished)


def test_another_metric_is_another_rule_on_the_same_figures(finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path)
    select(select_params(folder, metric="coverage"), folder)
    rows, before = table(folder), table(finished)
    assert [{**row, "selected": ""} for row in rows] == [{**row, "selected": ""} for row in before]
    chosen = next(row for row in rows if row["selected"] == "1")
    assert float(chosen["coverage"]) == max(float(row["coverage"]) for row in rows)


@pytest.mark.parametrize(("right", "trusted"), [(0.97, True), (0.12, False)])
def test_nothing_is_good_or_poor_by_an_evaluator_that_knows_no_class(
    finished: Path, tmp_path: Path, right: float, trusted: bool
) -> None:
    folder = copy_of(finished, tmp_path)
    figures = read_json(folder / "metrics/evaluator.json")
    write_json(folder / "metrics/evaluator.json", figures | {"train_accuracy": right, "holdout_accuracy": right})
    verdict = select(select_params(folder), folder)["verdict"]
    assert (verdict["level"] != "unknown") == trusted
    assert ("where guessing is right on" in verdict["sentence"]) != trusted
    assert ("Raise evaluator.images" in verdict["advice"]) != trusted


def test_an_evaluator_that_knows_its_images_by_heart_is_doubted(finished: Path, tmp_path: Path) -> None:
    """Labels by chance can be learned in no other way."""
    folder, random = copy_of(finished, tmp_path), np.random.default_rng(0)
    for shard in sorted((folder / "data/normalized").glob("*/*.parquet")):
        rows = pq.read_table(shard)
        labels = pa.array(random.integers(10, size=len(rows)), pa.int64())
        rows = rows.set_column(rows.schema.get_field_index("label"), rows.schema.field("label"), labels)
        pq.write_table(rows, shard, row_group_size=25)
    params = load_section(Evaluator, folder / "params.yaml").model_copy(update={"images": 40_000})
    figures = evaluator(params, folder)
    assert figures["train_accuracy"] > figures["holdout_accuracy"] + 0.3
    verdict = select(select_params(folder), folder)["verdict"]
    assert verdict["level"] == "unknown"
    assert "has memorized its training images" in verdict["sentence"]
    assert "Bring more images (400 are few: better 5,000)" in verdict["advice"]


def test_an_unconditional_model_has_distances_alone_and_no_rule_can_ask_for_accuracy(unconditional: Path) -> None:
    rows = table(unconditional)
    assert not {"conditional_accuracy", "accuracy_floor"} & set(rows[0])
    facts = read_json(unconditional / "metrics/selection.json")
    Selection.model_validate(facts)
    reasons = {"classifier_score", "conditional_accuracy", "class_frechet_distance", "classification_accuracy_score"}
    assert set(facts["absent"]) == reasons
    assert (facts["classes"], facts["classification_accuracy_score"]) == (None, None)
    assert facts["diversity_floor"] > 0  # over all images, where there are no classes
    assert "sample(16, seed=0)" in (unconditional / "models/selected/README.md").read_text()
    by_metric = select_params(unconditional, metric="class_frechet_distance")
    refuses("metric-not-measured", "'class_frechet_distance'", folder=unconditional, params=by_metric)
    guarded = select_params(unconditional, guards=[Guard(metric="conditional_accuracy", at_least=0.1)])
    refuses("metric-not-measured", "'conditional_accuracy'", folder=unconditional, params=guarded)


def test_a_damaged_checkpoint_is_one_sentence_with_its_name_and_exit_code_2(finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path)
    path = checkpoint(folder, 1280)
    content = path.read_bytes()
    path.write_bytes(content[:-100] + bytes([content[-100] ^ 1]) + content[-99:])
    before = outputs(folder)
    code, printed = run(folder)
    assert code == 2
    assert "Traceback" not in printed
    assert [path.name in line for line in printed.splitlines() if line.startswith("error: ")] == [True]
    assert outputs(folder) == before


def test_inputs_that_do_not_fit_are_refused_by_name(finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path)
    params = select_params(folder)
    guard = Guard(metric="conditional_accuracy", at_least=0.99999)
    refuses("guards-passed-by-none", folder=folder, params=params.model_copy(update={"guards": [guard]}))
    refuses("samples-too-few", "select.samples is 3", folder=folder, params=params.model_copy(update={"samples": 3}))
    path = checkpoint(folder, 640)
    tensors, facts = read_checkpoint(path)
    broken = {name: t * torch.nan if "average" in name and t.is_floating_point() else t for name, t in tensors.items()}
    write_checkpoint(path, broken, facts)
    refuses("checkpoint-not-measurable", path.name, "not finite", folder=folder, params=params)
    write_checkpoint(path, tensors, facts | {"config": facts["config"] | {"width": 12}})
    refuses("checkpoint-unusable", path.name, "its config", folder=folder, params=params)
    write_checkpoint(path, tensors, {"images_seen": 640})
    refuses("checkpoint-unusable", path.name, "its config", folder=folder, params=params)
    write_checkpoint(path, tensors, facts | {"config": facts["config"] | {"classes": list("abcdefghij")}})
    refuses("output-of-other-data", path.name, folder=folder, params=params)
    shutil.rmtree(folder / "models/checkpoints")
    refuses("output-missing", "models/checkpoints", folder=folder, params=params)


def test_an_evaluator_of_other_data_is_refused(finished: Path, unconditional: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path)
    shutil.rmtree(folder / "models/evaluator")
    shutil.copytree(unconditional / "models/evaluator", folder / "models/evaluator")
    refuses("output-of-other-data", "models/evaluator", folder=folder, params=select_params(folder))


# Measuring, with generators whose figures are known.


@pytest.fixture(scope="module")
def real(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    network, _ = read_evaluator(finished / "models/evaluator", CPU)
    train, holdout = (Split(finished / "data/normalized" / name) for name in ("train", "holdout"))
    params = select_params(finished, samples=300)
    judge = Judge(network, feature_network(params, network, "", CPU, Words()), Images(), "")
    cache = tmp_path_factory.mktemp("cache")
    return reference(judge, train, holdout, params, condition="label", cache=cache)


def copier(real: Reference, lie: bool = False) -> Any:
    return Copier(real.train_split, lie=lie)


def figures_of(generator: Any, real: Reference, tmp_path: Path) -> dict[str, Any]:
    """What is measured of a generator, with nothing known from before."""
    subject = str(len(list(tmp_path.iterdir())))
    return measure(lambda: generator, real, Cache(tmp_path, subject), lambda images: None).figures


def test_a_generator_that_gives_real_images_is_measured_at_the_floor_and_is_a_copier(
    real: Reference, tmp_path: Path
) -> None:
    row, floor = figures_of(copier(real), real, tmp_path), floors(real).figures
    for metric in ("frechet_distance", "precision", "recall", "density", "coverage", "diversity", "classifier_score"):
        assert row[metric] == pytest.approx(floor[metric], rel=0.5), metric
    assert row["conditional_accuracy"] > 0.97
    assert (row["near_copies"], floor["near_copies"] < 0.05) == (1, True)
    verdict = copying(
        row | {"near_copies_floor": floor["near_copies"]}, load_section(Select, ROOT / "params.yaml"), Images()
    )
    assert verdict["copied"]
    assert verdict["sentence"].startswith(
        "Memorization: 100.0% of the images are copies of training images, also under"
    )
    lied = figures_of(copier(real, lie=True), real, tmp_path)
    assert lied["conditional_accuracy"] < 0.03
    assert lied["class_frechet_distance"] > 2 * row["class_frechet_distance"]
    assert lied["frechet_distance"] == pytest.approx(row["frechet_distance"], rel=0.5)


def test_the_nearest_training_image_of_a_copy_is_its_original(real: Reference) -> None:
    picture = draw_grid(real.medium, torch.from_numpy(nearest_rows_of(copier(real), real, seed=0)), COLUMNS)
    gap = grid_scale(8, 8)  # three rows, two gaps of one image pixel
    height = (picture.shape[1] - 2 * gap) // 3
    rows = [picture[:, top : top + height] for top in (0, height + gap, 2 * (height + gap))]
    assert np.array_equal(rows[1], rows[2])
    assert not np.array_equal(rows[0], rows[1])


def test_images_are_measured_as_8_bit_files_show_them(finished: Path) -> None:
    generator, _ = load_generator(checkpoint(finished, 640), CPU)
    images, _ = next(iter(samples(generator, 64, 0, [0])))
    seen = quantize(images)
    levels = (seen + 1) * 127.5
    assert torch.allclose(levels, levels.round(), atol=1e-4)
    assert (seen - images).abs().max() <= 0.5 / 127.5 + 1e-6
    real_levels = torch.from_numpy(np.arange(256, dtype=np.float32) / np.float32(127.5) - 1).view(1, 1, 16, 16)
    assert torch.equal(quantize(real_levels), real_levels)


@pytest.mark.parametrize(
    ("of_data", "expected"),
    [
        ("MIT", {"license": "mit"}),
        ("CC BY-SA 3.0", {"license": "cc-by-sa-3.0"}),
        ("House rules, v2", {"license": "other", "license_name": "house-rules-v2"}),
        (None, {"license": "other", "license_name": "not-stated"}),
    ],
)
def test_a_license_that_the_hub_does_not_know_is_other_with_its_name(
    of_data: str | None, expected: dict[str, str]
) -> None:
    assert license_entries(of_data) == expected
