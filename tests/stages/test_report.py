"""The report: complete, honest about what is missing, safe to open, the same bytes each time."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mintage.waves import encode_wav
from stages.common.files import read_json, write_bytes, write_json, write_text, write_tsv
from stages.report import main
from stages.reporting.inputs import read_inputs
from stages.reporting.sheets import samples_sheet
from tests.programs import printed_by, python
from tests.refusals import refused
from tests.stages.report_inputs import (
    CHECKPOINTS,
    COMMIT,
    FINGERPRINT,
    NAMES,
    SELECTED,
    STAGES,
    measures,
    picture,
    write_inputs,
)
from tests.stages.report_pages import Elements, change, page, text_of

ROOT = Path(__file__).parents[2]
EVIL = """</script><script>alert("x")</script><img src=x onerror=alert(1)>' onfocus="alert(2)"""


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    return write_inputs(tmp_path)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return text_of(write_inputs(tmp_path_factory.mktemp("inputs")))


def test_the_page_loads_nothing_from_anywhere(inputs: Path) -> None:
    html = page(inputs)
    for tag, attributes in Elements(html).found:
        for name in ("src", "href", "xlink:href", "srcset", "data", "poster", "action"):
            target = attributes.get(name) or ""
            link = tag == "a" and target.startswith("https://archive.ics.uci.edu/")
            assert not target or link or target.startswith(("#", "data:")), (tag, target)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    assert "@import" not in html


def test_its_own_policy_forbids_network_and_any_script_but_its_own(inputs: Path) -> None:
    policy = next(a["content"] for t, a in Elements(page(inputs)).found if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script-src 'sha256-" in policy


@pytest.mark.parametrize(
    "sentence",
    [
        "handwritten digits", "CC BY 4.0", "https://archive.ics.uci.edu/80", "8×8 gray", "1 × 8 × 8", "−1 to 1",
        "1,797", "1,437", "359", "random, 20% held out, seed 7", "image-0666", "truncated after 12 bytes", *NAMES,
        "values lie in [-1,1]", "few duplicates", "0.0123", "at most: 0.0500", "Great Expectations 1.24.1", FINGERPRINT,
        "9.81", "0.523", "0.0412", "standard error 0.0031", "91.2%", "98.6%", "2,000 samples", "the smallest Frechet",
        "Keeping the last checkpoint (200,000 images)", "cgan", "4,321", "123,456", "98,765", "minimax", "e7" * 32,
        "120,000", *STAGES, COMMIT, "✓ clean", "✗ changed", "1 min 2 s", "numpy 2.3.1", "python 3.11.9", "seed: 3",
        "generator.safetensors", "Losses", "Value of the game, V(G,D)", "Real, generated, nearest real", "at most 1",
        "Walks between two latents", "Fidelity against variety", "Fidelity rises as variety falls",
        "2,000 samples a threshold",
        "It learned from the others, too", "93.4% ± 1.3%", "same labels 84.1%", "150 labels", "64 images together",
        "Information code is not shown: the family learns none", "No collapse: all ten", "Not by heart: no closer",
        "It has the lowest Frechet distance of 4", "runner-up 100,032 images", "87.1%", "in 95.5%", "91.3%", "fe" * 32,
        "seed 4", "own classifier, 64 features", "Classifier score : the evaluator is no classifier", "12.3 (1.02)",
        "7.10 (8.20)",
        "Nothing had been published from here",
    ],
)  # fmt: skip
def test_what_the_stages_wrote_is_on_the_page(sentence: str, text: str) -> None:
    assert sentence in text


def test_only_the_selected_checkpoint_is_marked_in_the_table_and_in_the_film(inputs: Path) -> None:
    html = page(inputs)
    rows = re.findall(r'<tr class="selected">.*?</tr>', html, re.DOTALL)
    assert len(rows) == 1
    assert f"{SELECTED:,}" in rows[0]
    assert re.findall(r"data-selected.*?<strong>([\d,]+)", html, re.DOTALL) == [f"{SELECTED:,}"]


def test_every_picture_is_there_with_an_alt_text(inputs: Path) -> None:
    pictures = [attributes for tag, attributes in Elements(page(inputs)).found if tag == "img"]
    assert len(pictures) == len(CHECKPOINTS) + 5 + len(NAMES)  # nearest, latent space, samples twice and by class
    assert all(picture["alt"] and picture["src"] for picture in pictures)


def test_no_id_stands_twice_on_the_page_and_every_reference_has_its_id(inputs: Path) -> None:
    html = page(inputs)
    ids = [attributes["id"] for _, attributes in Elements(html).found if attributes.get("id")]
    assert len(ids) == len(set(ids))
    referred = re.findall(r'(?:href="#|url\(#|aria-labelledby=")([\w-]+)', html)
    assert referred
    assert set(referred) <= set(ids)


def test_two_runs_give_the_same_bytes(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    again = write_inputs(tmp_path_factory.mktemp("again"))
    assert page(inputs) == page(again)
    shutil.copy(ROOT / "params.yaml", again)
    printed_by("-m", "stages.report", folder=again, PYTHONHASHSEED="7")  # draws its own charts
    assert (again / "reports/index.html").read_text() == page(inputs)


def test_hostile_names_are_shown_as_text_and_never_run(tmp_path: Path) -> None:
    write_inputs(tmp_path, [EVIL, *NAMES[1:]])
    change(tmp_path / "data/normalized/manifest.json", source={"name": EVIL, "license": EVIL, "origin": EVIL})
    change(tmp_path / "data/normalized/manifest.json", broken=[{"key": EVIL, "reason": EVIL}])
    change(tmp_path / "metrics/selection.json", rule=EVIL)
    change(tmp_path / "provenance/train.json", family=EVIL, params={EVIL: EVIL}, packages={EVIL: EVIL})
    write_bytes(tmp_path / "models/selected/<script>alert(1)<script>.json", b"{}")
    found = Elements(page(tmp_path, EVIL))
    assert [tag for tag, _ in found.found].count("script") == 1
    assert not any(name.startswith("on") for _, attributes in found.found for name in attributes)
    assert all((a["src"] or "").startswith("data:image/png;base64,") for tag, a in found.found if tag == "img")
    assert found.words.count(EVIL) >= 5


def test_an_origin_that_is_a_script_is_no_link(inputs: Path) -> None:
    source = {"name": "x", "license": None, "origin": "javascript:alert(1)"}
    change(inputs / "data/normalized/manifest.json", source=source)
    links = [attributes["href"] for tag, attributes in Elements(page(inputs)).found if tag == "a"]
    assert not any("javascript" in (link or "") for link in links)


def test_images_without_classes_get_reasons_and_no_empty_part(tmp_path: Path) -> None:
    write_inputs(tmp_path, classes=None)
    html = page(tmp_path)
    text = Elements(html).text
    assert "Conditional accuracy : the images have no classes" in text
    assert "it rebuilds 87.4% of the variance of 359 held-out real images" in text
    assert "there is no balance and nothing to tell class by class" in text
    assert "A sheet of samples" in text
    assert html.count('<svg class="chart"') == 5 + 2 + 3, "quality, truncation, training"
    assert "one row a class" not in html


def test_rows_of_samples_carry_the_names_of_the_classes_that_were_asked_for(inputs: Path) -> None:
    assert samples_sheet(read_inputs(inputs)).names == NAMES
    change(inputs / "provenance/sample.json", params={"classes": [7, 2]})
    assert samples_sheet(read_inputs(inputs)).names is None, "the grid has ten rows, so two names would lie"
    write_bytes(inputs / "plots/samples.png", picture(10, 2, 0))
    assert samples_sheet(read_inputs(inputs)).names == ["digit 7", "digit 2"]


def test_a_grid_of_the_first_classes_carries_their_names(inputs: Path) -> None:
    write_bytes(inputs / "plots/samples.png", picture(10, 4, 0))
    assert samples_sheet(read_inputs(inputs)).names == NAMES[:4]


def test_the_floor_tells_by_how_many_real_images_it_was_measured(inputs: Path) -> None:
    floor = re.search(r'<tr class="floor">.*?</tr>', page(inputs), re.DOTALL)
    assert floor is not None
    assert ">1,437<" in floor[0]


def test_a_figure_without_its_floor_is_shown_nowhere(inputs: Path) -> None:
    change(inputs / "metrics/selection.json", frechet_floor=None, metric="kernel_distance")
    text = text_of(inputs)
    assert "9.81" not in text
    assert "Frechet distance : its floor or sample count is missing" in text
    assert "0.0412" in text


def test_a_failed_gate_is_said_first_and_names_its_examples(inputs: Path) -> None:
    validation = read_json(inputs / "reports/validation.json")
    validation["success"] = validation["expectations"][2]["success"] = False
    validation["expectations"][2]["examples"] = ["twin-1", "twin-2"]
    write_json(inputs / "reports/validation.json", validation)
    text = text_of(inputs)
    assert "Failed: 1 of 3 expectations do not hold" in text
    assert "✗ fails few duplicates e.g. twin-1, twin-2" in text


def test_a_warning_of_the_gate_and_a_drift_are_said_and_are_no_failure(inputs: Path) -> None:
    assert "Not compared with the data of the release before: nothing was published from here yet." in text_of(inputs)
    warned = {**read_json(inputs / "reports/validation.json")["expectations"][0], "success": False}
    warned |= {"name": "Images are as bright as in release 0123", "severity": "warning"}
    write_json(inputs / "reports/drift.json", {"reason": None, "expectations": [warned]})
    text = text_of(inputs)
    assert "~ Data The gate warns. Expected: Images are as bright as in release 0123; found:" in text
    assert "Passed with warnings: 1 of 4 expectations do not hold" in text
    assert "! warns Images are as bright" in text


def test_uncommitted_changes_and_other_data_are_warned_of(inputs: Path) -> None:
    assert "uncommitted changes: select." in text_of(inputs)
    assert "another data fingerprint" not in text_of(inputs)
    change(inputs / "provenance/train.json", data_fingerprint="0" * 64)
    assert "The training recorded another data fingerprint" in text_of(inputs)


def test_a_run_outside_git_is_told_as_such(inputs: Path) -> None:
    for stage in STAGES:
        change(inputs / f"provenance/{stage}.json", git={"commit": None, "clean": None})
    text = text_of(inputs)
    assert "made outside a git checkout" in text
    assert "uncommitted changes" not in text


def test_a_game_that_diverged_leaves_gaps_and_one_never_recorded_a_reason(inputs: Path) -> None:
    row = {"images": 64, "discriminator_loss": "nan", "generator_loss": "inf", "d_real": 0.5, "d_fake": 0.5}
    rows = [row | {"images": n, "value": None, "value_optimum": None} for n in (64, 128)]
    write_tsv(inputs / "metrics/train.tsv", [*rows, rows[0] | {"images": 192, "discriminator_loss": 1.0}])
    text = text_of(inputs)
    assert "Value of the game, V(G,D) Not shown: it was not recorded in this training." in text
    assert ">nan<" not in page(inputs)


def test_the_curves_of_an_encoder_that_learns_alone_are_its_own(inputs: Path) -> None:
    rows = [{"images": n, "encoder_loss": 50.0 - n / 64, "encoder_gradient": 1.5} for n in (64, 128)]
    write_tsv(inputs / "metrics/train.tsv", rows)
    html = page(inputs)
    assert "Losses, encoder" in html
    assert "Norm of each player's gradient, encoder" in html.replace("&#39;", "'")
    assert "Losses, generator" not in html


def test_where_no_discriminator_learned_none_is_in_curves_or_words(inputs: Path) -> None:
    rows = [{"images": n, "encoder_loss": 50.0 - n / 64, "generator_loss": 40.0 - n / 64} for n in (64, 128)]
    assert "Two players" in text_of(inputs)
    write_tsv(inputs / "metrics/train.tsv", rows)
    html = page(inputs)
    assert "Losses, generator" in html
    assert "Losses, encoder" in html
    assert "Losses, discriminator" not in html
    assert "Two players" not in html


def test_one_checkpoint_is_enough_for_a_page(inputs: Path) -> None:
    only = measures(SELECTED, True)
    write_tsv(inputs / "metrics/checkpoints.tsv", [only | {"selected": 1}])
    change(inputs / "metrics/selection.json", checkpoints=1, last=only)
    for images in set(CHECKPOINTS) - {SELECTED}:
        (inputs / f"plots/training/images-{images:09d}.png").unlink()
    html = page(inputs)
    assert "The last checkpoint is the selected one" in html
    assert 'type="range"' not in html


def test_a_long_training_keeps_the_page_light_with_first_selected_and_last_grid(inputs: Path) -> None:
    for images in range(300_000, 400_000, 1000):
        write_bytes(inputs / f"plots/training/images-{images:09d}.png", picture(2, 2, 0))
    shown = re.findall(r"<strong>([\d,]+) images</strong>", page(inputs))
    assert len(shown) <= 24
    assert {"50,048", "150,016", "399,000"} <= set(shown)


READ = [
    "data/normalized/manifest.json", "reports/validation.json", "reports/drift.json", "metrics/evaluator.json",
    "metrics/train.tsv",
    "metrics/selection.json", "metrics/checkpoints.tsv", "metrics/truncation.tsv",
    "plots/training", "plots/nearest.png", "plots/samples.png",
    "plots/latent", "plots/heard", "metrics/latent.json", "models/selected", "provenance",
]  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_missing_input_is_named_in_one_sentence(name: str, inputs: Path) -> None:
    path = inputs / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with refused("output-missing", name, "mintage run"):
        read_inputs(inputs)


def test_the_inputs_are_those_that_the_graph_lists() -> None:
    listed = (ROOT / "dvc.yaml").read_text().split("\n  report:")[1].split("outs:")[0]
    assert [name for name in READ if f"- {name}\n" not in listed] == []


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def named(path: Path, file: str) -> None:
    facts = read_json(path)
    facts["pictures"][0]["file"] = file
    write_json(path, facts)


def with_a_broken_sound(path: Path) -> None:
    change(path, columns=["generated"], rows=[{"title": "a", "files": ["0-0"]}])
    write_bytes(path.with_name("0-0.wav"), encode_wav(np.zeros((1, 64)), 8000)[:-9])


MALFORMED: list[tuple[str, Callable[[Path], object], str]] = [
    ("data/normalized/manifest.json", truncate, "manifest.json is not valid JSON"),
    ("data/normalized/manifest.json", lambda p: change(p, shape=[1, 8]), "shape: .* not the channels, height, width"),
    ("data/normalized/manifest.json", lambda p: write_text(p, "[]"), "manifest.json: the whole: "),
    ("metrics/evaluator.json", lambda p: change(p, images="many"), "evaluator.json: images: "),
    ("metrics/selection.json", lambda p: change(p, metric="fid"), "selection.json: metric: "),
    ("metrics/latent.json", lambda p: change(p, absent=[{}]), "latent.json: absent.0.title: "),
    ("metrics/latent.json", lambda p: named(p, "../nearest.png"), "latent.json: pictures.0.file: "),
    ("metrics/selection.json", lambda p: change(p, images=7), r"marks \[150016\] as selected .* says 7"),
    ("metrics/train.tsv", lambda p: write_text(p, ""), "train.tsv has no rows"),
    ("metrics/train.tsv", lambda p: write_text(p, "images\tvalue\n1\n"), "line 2: 1 cells under 2 headings"),
    ("metrics/train.tsv", lambda p: write_text(p, "generator_loss\n12\n"), "train.tsv, line 2: images: field"),
    ("metrics/checkpoints.tsv", lambda p: write_bytes(p, b"\xff\xfe\x00"), "checkpoints.tsv is not text"),
    ("plots/latent/walk.png", truncate, "walk.png is not a sound PNG"),
    ("plots/latent/walk.png", lambda p: write_text(p, "GIF89a"), "walk.png is not a sound PNG"),
    ("plots/heard/heard.json", lambda p: change(p, rows=[{"title": "a", "files": ["../a"]}]), "rows.0.files.0: "),
    ("plots/heard/heard.json", with_a_broken_sound, "0-0.wav is not a sound WAV file .it is cut off"),
    ("plots/training/images-000050048.png", lambda p: shutil.move(p, p.with_name("a.png")), "a.png is not named"),
    ("provenance/train.json", lambda p: change(p, seconds=None), "train.json: seconds: "),
]


@pytest.mark.parametrize(("name", "spoil", "sentence"), MALFORMED)
def test_a_malformed_input_is_named_in_one_sentence(
    name: str, spoil: Callable[[Path], object], sentence: str, inputs: Path
) -> None:
    spoil(inputs / name)
    code = "outputs-disagree" if "as selected" in sentence else "output-damaged"
    with refused(code, "dvc repro") as caught:
        read_inputs(inputs)
    assert re.search(sentence, str(caught.value))


def test_the_stage_says_where_the_page_is_and_leaves_no_other_file(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ROOT / "params.yaml", inputs)
    before = {path for path in inputs.rglob("*") if path.is_file()}
    monkeypatch.chdir(inputs)
    main()
    assert {path for path in inputs.rglob("*") if path.is_file()} - before == {
        inputs / "reports/index.html",
        inputs / "reports/report.json",
    }
    (said,) = capsys.readouterr().out.splitlines()  # figures and verdict end the run: stages/summary.py
    assert said.startswith("report: reports/index.html (")


def test_bad_input_stops_the_stage_with_exit_code_2_and_the_earlier_page_untouched(inputs: Path) -> None:
    shutil.copy(ROOT / "params.yaml", inputs)
    write_text(inputs / "reports/index.html", "earlier")
    (inputs / "metrics/selection.json").write_text(json.dumps({"images": 1}))
    done = python("-m", "stages.report", folder=inputs)
    assert done.returncode == 2
    assert done.stderr.startswith("error: metrics/selection.json: ")
    assert len(done.stderr.splitlines()) == 1
    assert (inputs / "reports/index.html").read_text() == "earlier"


def test_large_grids_over_time_are_fewer_so_that_the_page_stays_light(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = (inputs / f"plots/training/images-{SELECTED:09d}.png").stat().st_size
    monkeypatch.setattr("stages.reporting.sheets._FRAME_BYTES", 3 * frame)
    text = text_of(inputs)
    assert "3 of 4 grids are shown" in text
    assert all(f"{images:,} images" in text for images in (CHECKPOINTS[0], SELECTED, CHECKPOINTS[-1]))


def test_a_generator_that_takes_no_class_gets_no_names_of_classes_beside_its_samples(inputs: Path) -> None:
    change(inputs / "provenance/train.json", recipe={"generator": {"conditioning": "none"}})
    change(inputs / "metrics/selection.json", conditional_accuracy=None)
    assert samples_sheet(read_inputs(inputs)).names is None
    text = text_of(inputs)
    assert re.search(r"Conditional accuracy[^:]* : it was not measured", text)
    assert "The generator takes no class, so there is no row for each" in text
