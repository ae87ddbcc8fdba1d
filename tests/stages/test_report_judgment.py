"""What the page says of the measures: verdicts first, every metric of the table, each class."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.files import read_json
from stages.common.pictures import encode_png, grid_scale
from stages.reporting.inputs import read_inputs
from stages.reporting.sheets import class_pictures, samples_sheet
from stages.selection.metrics import METRICS
from tests.stages.report_inputs import NAMES, write_inputs
from tests.stages.report_pages import Elements, change, page, text_of
from tests.stages.tiny_data import ROOT


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    return write_inputs(tmp_path)


def test_a_collapse_and_a_memory_are_said_first_in_words(inputs: Path) -> None:
    assert page(inputs).count('class="note poor"><strong>') == 0
    change(inputs / "metrics/selection.json", collapse={"collapsed": True, "sentence": "2 of 10 classes are left."})
    change(inputs / "metrics/selection.json", copying={"copied": True, "sentence": "Copies."})
    html = page(inputs)
    assert html.count('class="note poor"><strong>') == 2
    assert html.index("2 of 10 classes are left.") < html.index("<nav")
    assert "✗ Originality Copies." in Elements(html).text


def test_the_first_screen_says_how_good_it_is_why_and_what_to_do(inputs: Path) -> None:
    html = page(inputs)
    first = html[: html.index("<nav")]
    assert '<div class="verdict fair">' in first
    assert "<strong>Fair:</strong> 6.2 times what real images reach by chance." in first
    assert "The Frechet distance rose again. Try another family." in first


@pytest.mark.parametrize(("level", "sentence"), [("poor", "Poor: noise."), ("unknown", "Not judged: few images.")])
def test_no_tick_stands_beside_the_variety_of_a_generator_that_is_poor_or_not_judged(
    level: str, sentence: str, inputs: Path
) -> None:
    assert "✓ Variety" in text_of(inputs)
    unknown = {"collapsed": False, "known": False, "sentence": "Mode collapse cannot be told."}
    before = read_json(inputs / "metrics/selection.json")
    change(inputs / "metrics/selection.json", collapse=unknown)
    assert "· Variety Mode collapse cannot be told." in text_of(inputs)
    assert "✓ Originality" in text_of(inputs)
    judged = before["verdict"] | {"level": level, "sentence": sentence}
    change(inputs / "metrics/selection.json", verdict=judged, collapse=before["collapse"])
    html = page(inputs)
    assert f'<div class="verdict {level}">' in html
    assert ("✓ Variety" in html, "✓ Originality" in html, html.count('class="note plain"')) == (False, False, 2)


def test_a_selection_from_before_there_were_verdicts_still_has_a_page(inputs: Path) -> None:
    change(inputs / "metrics/selection.json", verdict=None)
    assert '<div class="verdict' not in page(inputs)


def test_what_a_short_training_got_less_of_stands_on_the_first_screen(inputs: Path) -> None:
    change(inputs / "metrics/selection.json", left_out="Other classifiers were left out.")
    change(inputs / "metrics/evaluator.json", turned_down="The evaluator was shown 12,000 images.")
    first = page(inputs).partition("<nav")[0]
    assert "The evaluator was shown 12,000 images. Other classifiers were left out." in first


def test_a_reason_that_several_figures_share_is_said_once(inputs: Path) -> None:
    absent = {"classifier_score": "no classes", "class_frechet_distance": "no classes", "truncation": "no tails"}
    change(inputs / "metrics/selection.json", absent=absent)
    text = text_of(inputs)
    assert "Classifier score, Class Frechet distance : no classes" in text
    assert text.count("no classes") == 1


def test_a_training_that_was_stopped_early_says_so(inputs: Path) -> None:
    assert "stopped early" not in text_of(inputs)
    early = {"metric": "frechet_distance", "images": 60_032, "best": 9.5, "best_images": 40_000}
    change(inputs / "provenance/train.json", stopped_early=early)
    assert "Frechet distance was 9.50 at 40,000 images, and no better for 20,032 more." in text_of(inputs)


def test_the_truncation_curve_is_drawn_with_its_thresholds_and_told_in_a_table(inputs: Path) -> None:
    html = page(inputs)
    labels = [a["aria-label"] or "" for tag, a in Elements(html).found if tag == "svg"]
    assert any("0.25: 97.1% and 41.4%, 1: 88.1% and 50.4%, no limit: 73.1% and 65.4%" in label for label in labels)
    assert re.search(r"no limit</th>\s*<td[^>]*>9.73</td>", html)
    assert "conditional accuracy" not in html[html.index("What truncation gives") :].split("</table>")[0].lower()


def test_without_a_curve_there_is_no_part_for_it_and_the_reason_is_told(inputs: Path) -> None:
    (inputs / "metrics/truncation.tsv").write_text("threshold\tsamples\tfrechet_distance\n")
    facts = read_json(inputs / "metrics/selection.json")["absent"] | {"truncation": "the latents are uniform"}
    change(inputs / "metrics/selection.json", truncation=None, absent=facts)
    text = text_of(inputs)
    assert "Fidelity against variety" not in text
    assert "Truncation : the latents are uniform" in text


def test_categories_of_a_code_are_told_with_the_classes_that_they_were_named_after(inputs: Path) -> None:
    found = {"kind": "code", "accuracy": 0.95, "error": 0.01, "batch_size": 64, "evaluator": 0.99, "sentence": "Found."}
    found |= {"categories": 3, "names": ["two", "nought", "one"], "named_by": 1437, "k_means": 0.79, "chance": 0.1}
    change(inputs / "metrics/selection.json", classifier=found)
    text = text_of(inputs)
    assert "by categories of the code 95.0% ± 1.0%" in text
    assert "by as many clusters of pixels 79.0% by the most frequent class 10.0%" in text
    assert "two, nought, one" in text
    assert "supervised" not in text
    change(inputs / "metrics/selection.json", classifier=None)
    assert "Did the discriminator learn the classes?" not in text_of(inputs)


def test_what_comes_back_of_encoded_images_is_told_where_there_is_an_encoder(inputs: Path) -> None:
    own = METRICS["reconstruction_retrieval"]
    chosen = {"metric": "reconstruction_retrieval", "reconstruction_retrieval": 0.71, own.floor: 1.0}
    change(inputs / "metrics/selection.json", **chosen)
    text = text_of(inputs)
    assert "Does what is encoded come back? Of 359 held-out images" in text
    assert "71.0% real images: 100.0% higher is better 359 samples" in text
    change(inputs / "metrics/selection.json", reconstruction=None)
    assert "Does what is encoded come back?" not in text_of(inputs)


def test_each_class_has_its_own_samples_beside_its_figures(inputs: Path) -> None:
    found = class_pictures(read_inputs(inputs))
    assert list(found) == NAMES
    assert len({picture.png for picture in found.values()}) == len(NAMES)
    with Image.open(inputs / "plots/samples.png") as whole, Image.open(io.BytesIO(found["digit 3"].png)) as third:
        scale = grid_scale(8, 8)
        assert third.size == ((5 * 9 - 1) * scale, 8 * scale)
        box = (0, 3 * 9 * scale, third.width, 3 * 9 * scale + third.height)
        assert third.tobytes() == whole.crop(box).tobytes()


def test_every_metric_of_the_table_is_on_the_page_without_being_named_in_the_report(inputs: Path) -> None:
    for name, metric in METRICS.items():
        change(inputs / "metrics/selection.json", **{name: 0.25, metric.floor: 0.5})
    text = text_of(inputs)
    assert [metric.title for metric in METRICS.values() if metric.meaning not in text] == []
    code = "".join(path.read_text() for path in (ROOT / "stages/reporting").rglob("*.*") if path.suffix != ".pyc")
    assert [name for name in METRICS if re.search(rf"""['"]{name}['"]""", code)] == []


def test_a_picture_wider_than_the_page_is_carried_smaller_with_its_rows_named(inputs: Path) -> None:
    wide = encode_png(np.zeros((3, 10 * 513 - 1, 10 * 513 - 1), np.uint8))
    change(inputs / "data/normalized/manifest.json", shape=[3, 512, 512])
    (inputs / "plots/samples.png").write_bytes(wide)
    found = samples_sheet(read_inputs(inputs))
    assert (found.picture.width, found.names) == (1100, NAMES)
    assert found.picture.width == found.picture.height
    of_classes = class_pictures(read_inputs(inputs))
    assert {(picture.width, picture.height) for picture in of_classes.values()} == {(1100, 220)}


def test_classes_of_which_nothing_is_known_have_no_empty_columns(inputs: Path) -> None:
    assert ">diversity ↑ <" in page(inputs)
    change(inputs / "metrics/selection.json", classes=[{"label": 0, "name": NAMES[0], "frechet_distance": None}])
    assert ">diversity ↑ <" not in page(inputs)
    assert "Nothing was measured class by class." in text_of(inputs)


def test_a_runner_up_that_is_the_last_checkpoint_too_has_one_column(inputs: Path) -> None:
    assert "runner-up 100,032 images last 200,000 images" in text_of(inputs)
    change(inputs / "metrics/selection.json", runner_up=read_json(inputs / "metrics/selection.json")["last"])
    assert "real images runner-up, last 200,000 images" in text_of(inputs)
    change(inputs / "metrics/selection.json", runner_up=None)
    assert "real images last 200,000 images" in text_of(inputs)
