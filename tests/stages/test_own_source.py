"""A user's own source, as docs/data.md has it, and the list of all sources."""

import os
import re
import sys
from pathlib import Path

import pytest

from stages.sources import BUILT_IN, checked_options, open_source, reader
from stages.sources.listing import listing
from tests.programs import printed_by
from tests.refusals import refused
from tests.stages.source_files import ingest_params, noise, write_tree
from tests.stages.tiny_data import ROOT, write_params


def readme_block(language: str, holding: str) -> str:
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs/data.md").read_text(), re.DOTALL)
    return next(block for block in blocks if holding in block)


def install(site: Path, code: str, monkeypatch: pytest.MonkeyPatch, name: str = "flowers") -> None:
    """What `pip install` makes of a module and its entry point."""
    about = site / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[mintage.sources]\n{name} = {name}_source\n")
    (site / f"{name}_source.py").write_text(code)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{site}")


def test_the_source_in_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = readme_block("python", "def read(")
    assert len([line for line in code.splitlines() if line.strip()]) == 10
    assert '[project.entry-points."mintage.sources"]' in readme_block("toml", "entry-points")
    install(tmp_path / "site", code, monkeypatch)
    write_tree(tmp_path / "tree", {"": 6})
    changes = {"ingest.source": "flowers", "ingest.path": "tree", "ingest.options": {"every": 2}, "train.family": "gan"}
    write_params(tmp_path, changes)
    also = [tmp_path / "site"]
    printed = printed_by("-m", "stages.ingest", folder=tmp_path, also=also)
    assert "ingested 3 images from flowers (tree)" in printed
    listed = printed_by("-m", "stages.ingest", "--sources", also=also)
    assert "flowers" in listed
    assert "    every = 1: " in listed


def test_every_source_is_listed_with_its_options_their_defaults_and_meanings() -> None:
    listed = printed_by("-m", "stages.ingest", "--sources")
    for name in BUILT_IN:
        assert re.search(rf"(?m)^{name} +\w.*\.$", listed), name
        for option, field in reader(name).Options.model_fields.items():
            assert field.description
            assert f"    {option} = " in listed
    assert "    points = 100000: points to train on" in listed
    assert "    url = (needed): s3://BUCKET/PREFIX" in listed
    ring = listing("ring")
    assert ring in listed
    assert "points = 100000" in ring
    assert "url" not in ring
    with refused("source-unknown", "'ring'"):
        listing("rings")


@pytest.mark.parametrize(
    ("source", "code", "sentence"),
    [
        ("raise RuntimeError('no license')", "source-not-importable", "(RuntimeError: no license)"),
        ("Options = None", "source-incomplete", "the source 'bad' (bad_source) has no read"),
    ],
)
def test_a_source_of_ones_own_that_is_broken_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, code: str, sentence: str
) -> None:
    install(tmp_path / "site", source, monkeypatch, "bad")
    monkeypatch.delitem(sys.modules, "bad_source", raising=False)
    with refused(code, sentence):
        open_source(ingest_params(source="bad", path="x"))


def test_a_misspelt_source_or_option_is_told_the_nearest() -> None:
    with refused("source-unknown", "ingest.source = 'folders': did you mean 'folder'? It is not one of "):
        checked_options(ingest_params(source="folders", path="x"))
    with refused("params-invalid", "ingest.options.image = 3 is not a known key: did you mean 'images'?"):
        checked_options(ingest_params(source="glyphs", path="x", options={"image": 3}))
    with refused("params-invalid", "ingest.options.colors = 'grye': did you mean 'gray'? It is not one of "):
        checked_options(ingest_params(source="glyphs", path="x", options={"colors": "grye"}))


def test_a_label_that_is_no_class_is_told_by_the_image_s_key(tmp_path: Path) -> None:
    from stages.ingest import ingest
    from stages.sources import RawImage, Source

    images = (RawImage(str(n), "x.png", picture.tobytes(), 7, None) for n, picture in enumerate(noise(2, 4, 4)))
    source = Source("s", "l", "o", ["a", "b"], images)
    with refused("label-out-of-range", "image '0' has the label 7, but there are 2 classes: mend the source"):
        ingest(source, ingest_params(path="x"), tmp_path / "raw", tmp_path / "resume")
