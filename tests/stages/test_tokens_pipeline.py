"""Lines through every stage, as people run them: sentences of a known grammar, by a game and by likelihood alone."""

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import mintage
from mintage import Model
from mintage.networks.recurrent import draw_words
from mintage.tokens import as_samples, as_tokens, texts
from stages.common.files import read_json
from stages.common.shards import read_tables
from stages.gallery.site import build
from stages.media import medium_of
from stages.media.grammar import is_sentence
from stages.sampling.files import write_files
from stages.sources.sentences import MEDIUM
from stages.stores import open_store
from stages.summary import summary
from tests.refusals import refused
from tests.stages.forked import run_stage_in, try_stage_in
from tests.stages.kills import assert_killed_and_run_again_ends_in_the_same_bits
from tests.stages.report_pages import Elements
from tests.stages.tiny_data import write_params
from tests.stages.whole_pipeline import STAGES

pytestmark = pytest.mark.slow
PARAMS: dict[str, Any] = {
    "ingest.source": "sentences",
    "ingest.options": {"sentences": 800},
    "normalize.height": 1,
    "normalize.width": MEDIUM.length,
    "evaluator.images": 6_000,
    "train.family": "seqgan",
    "train.recipe": {"width": 16, "pretrain_images": 4_000, "decay_images": 0.0, "roll_outs": 2},
    "train.images": 6_000,
    "train.checkpoint_every": 3_000,
    "train.log_every": 1_500,
    "select.metric": "counted_surprise",
    "select.samples": 100,
    "sample.count": 24,
}


def test_the_data_carry_their_vocabulary_and_the_gate_calls_them_lines(finished: Path) -> None:
    manifest = read_json(finished / "data/normalized/manifest.json")
    assert medium_of(manifest) == MEDIUM
    assert manifest["shape"] == [1, 1, MEDIUM.length]
    names = [one["name"] for one in read_json(finished / "reports/validation.json")["expectations"]]
    assert any("lines have more than one unknown word in four" in name for name in names)
    assert any("lines take up less than a fifth of their places" in name for name in names)
    assert any("of the lines are one word over and over" in name for name in names)
    assert any("of the lines repeat another, word for word" in name for name in names)


def test_written_lines_are_measured_beside_real_ones(finished: Path, selection: dict[str, Any]) -> None:
    evaluator = read_json(finished / "metrics/evaluator.json")
    assert evaluator["kind"] == "language"
    assert evaluator["holdout_surprise"] < 0.8 * MEDIUM.length * np.log(len(MEDIUM.vocabulary))
    assert selection["frechet_distance"] > selection["frechet_floor"]
    assert selection["counted_surprise_floor"] < selection["counted_surprise"] < np.log(len(MEDIUM.vocabulary))
    assert selection["grammatical_floor"] == 1
    assert selection["metric"] == "counted_surprise"
    assert {"bleu", "self_bleu", "near_copies", "diversity"} <= set(selection)
    assert not selection["absent"].keys() & set(MEDIUM.metrics)


def test_it_is_said_whether_the_game_beat_likelihood_alone(finished: Path, selection: dict[str, Any]) -> None:
    game = selection["game"]
    assert game["known"]
    assert game["won"] == (selection["images"] > 4_000)
    for page in ("select.txt", "models/selected/README.md", "reports/index.html"):
        assert game["sentence"] in (finished / page).read_text()


def test_samples_are_text_that_other_programs_open(finished: Path, selected: Model, tmp_path: Path) -> None:
    import datasets

    (table,) = read_tables(finished / "samples")
    expected = texts(selected.write(24, seed=0), MEDIUM.vocabulary)
    assert table["text"].to_pylist() == expected
    rows = table["image"].to_pylist()
    assert [(row["bytes"].decode(), row["path"]) for row in rows[:1]] == [(expected[0], "000000.txt")]
    features = datasets.Features.from_arrow_schema(table.schema)
    assert features["text"] == datasets.Value("string")
    assert "24 lines as files" in write_files(finished, tmp_path / "lines")
    assert (tmp_path / "lines/000003.txt").read_text() == expected[3]


def test_the_release_writes_the_same_and_so_does_its_onnx(finished: Path, selected: Model, published: Model) -> None:
    assert published.vocabulary == tuple(MEDIUM.vocabulary)
    written = selected.write(8, seed=3)
    assert published.write(8, seed=3).equal(written)
    held = mintage.tokens.sequences(written, MEDIUM.vocabulary)
    assert published.log_likelihood(held).shape == (8, MEDIUM.length)
    session = onnxruntime.InferenceSession(finished / "models/onnx/generator.onnx")
    latents = torch.rand(8, MEDIUM.length, generator=torch.Generator().manual_seed(0)) * 2 - 1
    (found,) = session.run(None, {"latents": latents.numpy()})
    made = selected.generator(latents).detach()
    words = len(MEDIUM.vocabulary)
    assert as_tokens(torch.from_numpy(found), words).equal(as_tokens(made, words))


def test_onnx_that_writes_other_words_is_refused(
    finished: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import stages.export

    def other(_: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return (places * 3).long()

    def broken(generator: Any, opset: int) -> bytes:
        monkeypatch.setattr("mintage.networks.recurrent.draw_words", other)
        content = to_onnx(generator, opset)
        monkeypatch.setattr("mintage.networks.recurrent.draw_words", draw_words)
        return content

    to_onnx = stages.export.to_onnx
    monkeypatch.setattr(stages.export, "to_onnx", broken)
    with refused("onnx-differs"):
        stages.export.export(finished / "models/selected", tmp_path / "generator.onnx", 20)


@pytest.mark.parametrize("name", ["samples", "nearest", "latent/walk"])
def test_lines_are_drawn_below_each_other(finished: Path, name: str) -> None:
    with Image.open(io.BytesIO((finished / f"plots/{name}.png").read_bytes())) as picture:
        ink = np.asarray(picture.convert("L")) < 100
    assert picture.width <= 1_100
    gaps = (np.diff(ink.any(1).astype(int)) == 1).sum()
    assert gaps > 20, "as many lines of text"


def test_the_report_and_the_gallery_show_the_lines_as_text(finished: Path, tmp_path: Path) -> None:
    (first, *_) = read_tables(finished / "samples").__next__()["text"].to_pylist()
    page = (finished / "reports/index.html").read_text()
    assert f'<li dir="auto">{first}</li>' in page
    assert f"A generator of {MEDIUM.length}-word lines" in page
    assert "it was not measured" not in page
    build(open_store(f"file:{finished / 'published'}"), tmp_path / "site", [])
    [release] = (tmp_path / "site/releases").glob("*/index.html")
    assert f'<li dir="auto">{first}</li>' in release.read_text()


def prose(page: Path) -> str:
    """What a reader sees of it but code, and params by their names."""
    html = re.sub(r"(?s)<(style|script|code|pre)\b.*?</\1>", " ", page.read_text())
    return Elements(html).text


def test_every_stage_and_page_speaks_of_lines_and_words_and_never_of_images_and_pixels(
    finished: Path, tmp_path: Path
) -> None:
    build(open_store(f"file:{finished / 'published'}"), tmp_path / "site", [])
    [release] = (tmp_path / "site/releases").glob("*/index.html")
    facts = {stage: (finished / f"{stage}.txt").read_text() for stage in STAGES} | {"summary": summary(finished)}
    facts |= {"report": prose(finished / "reports/index.html"), "gallery": prose(release)}
    meant = re.compile(r".{0,60}(?<![.\w])(?:images?|pixels?)\b(?![.=/]).{0,40}")
    assert {where: found for where, text in facts.items() if (found := meant.findall(text))} == {}


def test_a_line_that_looks_like_html_is_only_text_on_every_page(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    path = tmp_path / "copy/metrics/latent.json"
    evil = "<script>alert(1)</script> & <b>"
    path.write_text(json.dumps(read_json(path) | {"lines": [evil]}))
    run_stage_in(tmp_path / "copy", "report")
    page = (tmp_path / "copy/reports/index.html").read_text()
    assert evil not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;" in page


def test_the_card_says_how_to_write(finished: Path) -> None:
    card = (finished / "models/selected/README.md").read_text()
    code = card.split("```python\n")[1].split("```")[0]
    assert "pipeline_tag: text-generation" in card
    printed: list[str] = []
    code = code.replace("mintage.load('.')", f"mintage.load({str(finished / 'models/selected')!r})")
    exec(code, {"print": printed.append})
    assert printed[0].splitlines() == texts(mintage.load(finished / "models/selected").write(16), MEDIUM.vocabulary)


def test_likelihood_alone_goes_through_the_same_stages_and_learns_the_grammar(finished: Path, tmp_path: Path) -> None:
    for name in ("data", "reports", "models/evaluator", "metrics/evaluator.json", "provenance"):
        whole = finished / name
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if whole.is_dir() else shutil.copy)(whole, tmp_path / name)
    write_params(tmp_path, PARAMS | {"train.family": "lstm", "train.recipe": {}, "train.images": 15_000})
    for stage in ("train", "select", "sample"):
        run_stage_in(tmp_path, stage)
    lines = read_tables(tmp_path / "samples").__next__()["text"].to_pylist()
    assert sum(is_sentence(line.split()) for line in lines) / len(lines) > 0.1
    assert read_json(tmp_path / "metrics/selection.json")["grammatical"] > 0.1


def test_a_family_of_pictures_is_refused_before_anything_is_trained(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "data", tmp_path / "data")
    write_params(tmp_path, PARAMS | {"train.family": "dcgan", "train.recipe": {}})
    code, printed = try_stage_in(tmp_path, "validate")
    assert code == 2
    assert "train.family = 'dcgan' makes no words, and these are lines: set train.family to lstm" in printed


def test_killed_with_9_and_run_again_it_ends_in_the_same_bits(finished: Path, tmp_path: Path) -> None:
    assert_killed_and_run_again_ends_in_the_same_bits(
        finished, tmp_path, PARAMS | {"train.recipe": PARAMS["train.recipe"] | {"pretrain_images": 320}}
    )


@pytest.mark.parametrize(("kind", "worse"), [("shuffled", 1.15), ("at random", 1.3), ("one over and over", 1.3)])
def test_figures_of_lines_tell_bad_ones_from_real_ones(finished: Path, kind: str, worse: float) -> None:
    from stages.common.split import Split

    held, real = (
        torch.from_numpy(Split(finished / f"data/normalized/{side}").images()) for side in ("holdout", "train")
    )
    words, random = len(MEDIUM.vocabulary), torch.Generator().manual_seed(0)
    tokens = as_tokens(real, words)
    bad = {
        "shuffled": torch.stack([row[torch.randperm(len(row), generator=random)] for row in tokens]),
        "at random": torch.randint(1, words, tokens.shape, generator=random),
        "one over and over": tokens[:1].expand(len(tokens), -1),
    }[kind]
    of_real, of_bad = (MEDIUM.measure(one, held) for one in (real, as_samples(bad, words)))
    assert of_bad["counted_surprise"] > worse * of_real["counted_surprise"]
    assert of_real["grammatical"] == 1
    assert (of_bad["grammatical"] == 1) == (kind == "one over and over")
    assert of_real["self_bleu"] < of_bad["self_bleu"] or kind != "one over and over"
