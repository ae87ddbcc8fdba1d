"""`python -m stages.releases recognize`: by the mark, by looks, or unknown."""

import io
import json
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from mintage.midi import encode_midi
from mintage.waves import encode_wav
from stages.common.levels import Levels
from stages.common.marks import Mark, with_mark
from stages.common.pictures import encode_png
from stages.common.shards import encoded_schema, write_encoded
from stages.releases.content import gather
from stages.releases.publish import publish
from stages.releases.recognition import Samples, levels_of
from tests.stages.release_trees import make_tree
from tests.stages.shared_store import Shared


def digits() -> Levels:
    """Real ones `[N,1,16,16]`, enlarged, which stand for samples here."""
    small = [Image.fromarray(np.uint8(levels * 15)).resize((16, 16)) for levels in load_digits().images]
    return np.stack([np.asarray(image) for image in small])[:, None]


DIGITS = digits()


def release_of(shared: Shared, samples: Levels, seed: int, channel: str) -> str:
    """Publish a release with these samples."""
    make_tree(shared.tree, seed=seed)
    (shared.tree / "samples/part-00000.parquet").unlink()
    rows = [{"image": {"bytes": encode_png(one), "path": "x.png"}, "label": None} for one in samples]
    write_encoded(shared.tree / "samples", rows, encoded_schema(None, {}), 20_000)
    receipt, _ = publish(shared.store, gather(), channel)
    return str(receipt["release"])


@pytest.fixture(scope="module")
def known() -> Samples:
    """Two releases of 300 other samples each."""
    return Samples([("one", DIGITS[:300]), ("other", DIGITS[300:600])])


def asked(shared: Shared, content: bytes) -> tuple[int, str]:
    (shared.tree / "asked").write_bytes(content)
    return shared.run("recognize", "asked")


def as_jpeg(levels: Levels) -> bytes:
    content = io.BytesIO()
    Image.fromarray(levels[0]).save(content, "JPEG", quality=75)
    return content.getvalue()


def moved(levels: Levels) -> bytes:
    return encode_png(np.pad(levels, [(0, 0), (1, 0), (0, 1)], mode="edge")[:, :-1, 1:])


def enlarged(levels: Levels) -> bytes:
    return encode_png(levels.repeat(4, axis=1).repeat(4, axis=2))


def brighter(levels: Levels) -> bytes:
    return encode_png(np.clip(levels * 0.8 + 40, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("change", [encode_png, as_jpeg, moved, enlarged, brighter])
def test_a_sample_without_its_mark_is_known_by_its_looks(known: Samples, change: Callable[[Levels], bytes]) -> None:
    found = [known.search(levels_of(change(one))).releases for one in DIGITS[280:320]]
    assert found == [["one"]] * 20 + [["other"]] * 20


def test_images_that_are_no_samples_are_unknown(known: Samples) -> None:
    assert [known.search(one).releases for one in DIGITS[600:700]] == [[]] * 100


@pytest.mark.parametrize(
    "levels",
    [np.full((1, 16, 16), 90, np.uint8), DIGITS[0][:, :8], DIGITS[0][:, :1, :1]],
    ids=["flat", "another aspect", "a pixel"],
)
def test_a_picture_with_nothing_to_know_it_by_is_unknown(known: Samples, levels: Levels) -> None:
    assert known.search(levels).releases == []


def test_a_mark_names_the_release_whose_weights_it_has_and_looks_the_one_that_holds_it(shared: Shared) -> None:
    one, other = release_of(shared, DIGITS[:30], 0, "one"), release_of(shared, DIGITS[30:60], 1, "other")
    manifest = json.loads(shared.store.read(f"releases/{other}/manifest.json") or b"")
    weights = next(file["sha256"] for file in manifest["files"] if file["path"] == "generator.safetensors")
    code, text = asked(shared, with_mark(encode_png(DIGITS[0]), Mark(weights[:20], "cgan")))
    assert (code, text) == (0, f"release {other} (other): its mark names the model\n")
    code, text = asked(shared, with_mark(encode_png(DIGITS[0]), Mark("0" * 20)))
    assert (code, text) == (1, "unknown: its mark names a model of no release here\n")
    code, text = asked(shared, with_mark(encode_png(DIGITS[1700]), Mark()))
    assert (code, text) == (1, "unknown: its mark says that Mintage generated it, and names no model\n")
    code, text = asked(shared, as_jpeg(DIGITS[0]))
    assert (code, text) == (0, f"release {one} (one): it has no mark, and looks like one of its samples\n")
    assert asked(shared, encode_png(DIGITS[99])) == (1, "unknown: it has no mark, and is none of the samples here\n")
    shared.damage(one, "manifest.json")
    shared.damage(one, "samples/part-00000.parquet")
    code, text = asked(shared, encode_png(DIGITS[40]))
    assert (code, text.split()[1]) == (0, other), "a damaged release hides no other"


@pytest.mark.parametrize("content", [encode_wav(np.zeros((1, 8)), 8000), encode_midi(np.eye(16, dtype=np.bool_))])
def test_a_sound_or_a_tune_is_known_by_its_mark_alone(shared: Shared, content: bytes) -> None:
    release = release_of(shared, DIGITS[:30], 0, "one")
    manifest = json.loads(shared.store.read(f"releases/{release}/manifest.json") or b"")
    weights = next(file["sha256"] for file in manifest["files"] if file["path"] == "generator.safetensors")
    assert asked(shared, with_mark(content, Mark(weights[:20]))) == (
        0,
        f"release {release} (one): its mark names the model\n",
    )
    assert asked(shared, with_mark(content, Mark())) == (
        1,
        "unknown: its mark says that Mintage generated it, and names no model\n",
    )
    assert asked(shared, content) == (1, "unknown: it has no mark, and only pictures are known by their looks\n")


def test_releases_with_the_same_samples_are_both_named(shared: Shared) -> None:
    both = {release_of(shared, DIGITS[:30], seed, f"channel{seed}") for seed in (0, 1)}
    (shared.tree / "asked").write_bytes(encode_png(DIGITS[7]))
    facts = json.loads(shared.run("recognize", "asked", "--json")[1])
    assert set(facts["releases"]) == both
    assert facts["mark"] is None


def test_a_store_whose_samples_are_damaged_knows_nothing(shared: Shared) -> None:
    shared.release(0)  # whose samples are no Parquet
    assert asked(shared, encode_png(DIGITS[0])) == (1, "unknown: no release here holds samples that are pictures\n")


@pytest.mark.tried(
    "`python -m stages.releases recognize notes.txt`",
    "error: asked is no picture, WAV or MIDI file, which are all that is recognized",
)
@pytest.mark.tried(
    "`python -m stages.releases recognize gone.png`",
    "error: gone.png cannot be read (No such file or directory): name a file",
)
def test_what_is_no_picture_is_one_sentence(shared: Shared, read: Callable[[str], None]) -> None:
    shared.release(0)
    code, text = asked(shared, b"no picture")
    read(text)
    missing, printed = shared.run("recognize", "gone.png")
    read(printed)
    assert (code, missing) == (2, 2)
