"""`mintage.release.load`: from folders, from an S3 store, and with this package's mintage/ alone."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from mintage.model_config import ModelConfig
from mintage.players import Generator, build_players
from mintage.release import ReleaseError, load
from mintage.sampling import samples
from tests.stages.s3_servers import SERVERS, bucket_of, named_server

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ModelConfig("dcgan", 8, (1, 8, 8), ("a", "b"), 8, "normal", generator_conditioning="concat")


def write_store(root: Path, seed: int = 0, channel: str = "production") -> tuple[Generator, str]:
    """A store with one release and a channel that points to it."""
    generator = build_players(CONFIG, seed)[0].eval()
    return generator, write_release(root, generator, channel)


def write_release(root: Path, generator: Generator, channel: str, **more: bytes) -> str:
    """A release in the documented layout, by hand, and a channel that points to it; the release's id.

    `more` are other files, by name.
    """
    contents = {
        "config.json": json.dumps(asdict(generator.config)).encode(),
        "generator.safetensors": save(generator.state_dict()),
        **more,
    }
    files: list[dict[str, Any]] = [
        {"path": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in sorted(contents.items())
    ]
    listed = json.dumps(files, sort_keys=True, separators=(",", ":")).encode()
    content_id = hashlib.sha256(listed).hexdigest()
    contents["manifest.json"] = json.dumps({"id": content_id, "files": files}).encode()
    folder = root / "releases" / content_id[:20]
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    pointer = {"release": content_id[:20], "id": content_id}
    (root / "channels" / channel).parent.mkdir(parents=True, exist_ok=True)
    (root / "channels" / f"{channel}.json").write_text(json.dumps(pointer))
    return content_id


def test_a_release_of_weights_that_are_laid_out_otherwise_is_refused_as_any_that_cannot_be_loaded(
    tmp_path: Path,
) -> None:
    generator = build_players(CONFIG, 0)[0].eval()
    generator.config = replace(CONFIG, layout=1)
    write_release(tmp_path, generator, "production")
    with pytest.raises(ReleaseError, match=r"cannot be loaded \(its weights are laid out as an older version"):
        load(tmp_path / "channels/production", tmp_path / "cache")


def images(generator: Generator) -> torch.Tensor:
    return next(samples(generator, count=4, seed=0, asked=[0, 1]))[0]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINTAGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.mark.parametrize("form", ["{store}/channels/production", "file:{store}/channels/production.json"])
def test_a_channel_gives_the_generator_that_was_published(store: Path, form: str) -> None:
    generator, _ = write_store(store)
    assert torch.equal(images(load(form.format(store=store))), images(generator))


def test_a_channel_in_a_folder_gives_the_generator_that_was_published(store: Path) -> None:
    generator, _ = write_store(store, channel="examples/digits")
    assert torch.equal(images(load(store / "channels/examples/digits")), images(generator))


def test_a_release_is_loaded_by_its_id_and_as_a_fetched_folder(store: Path, tmp_path: Path) -> None:
    generator, content_id = write_store(store)
    shutil.copytree(store / "releases" / content_id[:20], tmp_path / "fetched")
    for address in [store / "releases" / content_id[:20], store / "releases" / content_id, tmp_path / "fetched"]:
        assert torch.equal(images(load(address)), images(generator))


def test_what_is_in_the_cache_is_not_read_again_and_a_damaged_copy_is(store: Path, cache: Path) -> None:
    generator, content_id = write_store(store)
    load(store / "channels/production")
    (store / "releases" / content_id[:20] / "generator.safetensors").rename(store / "away")
    assert torch.equal(images(load(store / "channels/production")), images(generator))
    for kept in cache.iterdir():
        kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    with pytest.raises(ReleaseError, match=r"generator\.safetensors is not there"):
        load(store / "channels/production")


@pytest.mark.parametrize("name", ["config.json", "generator.safetensors", "manifest.json"])
def test_one_flipped_bit_is_refused(store: Path, name: str) -> None:
    _, content_id = write_store(store)
    path = store / "releases" / content_id[:20] / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ReleaseError, match=r"damaged|cannot be read"):
        load(store / "channels/production")


def test_a_whole_release_in_another_s_place_is_refused(store: Path, tmp_path: Path) -> None:
    _, content_id = write_store(store)
    _, other = write_store(tmp_path / "other", seed=1)
    shutil.rmtree(store / "releases" / content_id[:20])
    shutil.copytree(tmp_path / "other/releases" / other[:20], store / "releases" / content_id[:20])
    with pytest.raises(ReleaseError, match="its manifest is damaged or another's"):
        load(store / "channels/production")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("nowhere/channels/production", "is not there"),
        ("nowhere", r"release, or a channel, which is named with its store \(published/channels/nowhere\)$"),
        ("no/where", "is not there: name the folder of a model, a release, or a channel$"),
        ("https://host/channels/production", "^https://host/channels/production is neither a folder nor in a bucket"),
        ("s3://bucket/x", "name a channel"),
        ("nowhere/releases/0290c0", "give 20 digits"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, address: str, sentence: str) -> None:
    with pytest.raises(ReleaseError, match=sentence):
        load(address)


ALONE = """
import sys
from importlib.machinery import PathFinder
class WithoutBlocked(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in {blocked} else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutBlocked
{before}
{lines}
assert images.shape == (16, 1, 8, 8) and images.abs().max() <= 1
assert not any(name == "stages" or name.startswith("stages.") for name in sys.modules)
try:
    mintage.load("s3://bucket/channels/production")
except Exception as error:
    assert "needs boto3" in str(error), error
else:
    raise AssertionError("loaded without boto3")
"""
BEFORE = """
import mintage, torch
x, y = torch.rand(64, 1, 8, 8) * 2 - 1, torch.arange(64) % 2
holdout = mintage.Dataset(image=x, label=y, classes=["bag", "boot"])
"""
SHORTER = {"images=500_000": "images=640", "holdout, data)": "holdout, data, evaluator_images=640)"}
"""What a test changes in the documented lines, which train for minutes."""


@pytest.mark.parametrize(
    ("page", "before", "names"),
    [
        ("README.md", BEFORE, ["Dataset", "train", "run.model.sample", "measure", "load"]),
        ("docs/releases.md", "", ["load", "model.sample"]),
    ],
)
def test_the_documented_lines_need_torch_safetensors_numpy_and_mintage_alone(
    page: str, before: str, names: list[str], store: Path, tmp_path: Path
) -> None:
    write_store(store)
    shutil.copytree(ROOT / "mintage", tmp_path / "alone/mintage")
    lines = (ROOT / page).read_text().split("```python\n")[1].split("```")[0]
    assert len([line for line in lines.splitlines() if line]) == 1 + len(names)
    assert all(f"{name}(" in lines for name in names)
    address = "s3://bucket/prefix/channels/production"
    changes = {address: f"{store}/channels/production", **(SHORTER if before else {})}
    for documented, tried in changes.items():
        assert documented in lines
        lines = lines.replace(documented, tried)
    blocked = ["stages", "flows", "dvc", "prefect", "boto3", "botocore", "pydantic", "pyarrow", "ruamel", "tqdm", "PIL"]
    code = ALONE.format(blocked=repr(set(blocked)), before=before, lines=lines)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "alone", check=True)


@pytest.fixture(scope="module", params=SERVERS)
def bucket(request: pytest.FixtureRequest) -> Iterator[tuple[Any, str]]:
    with (
        pytest.MonkeyPatch.context() as patch,
        named_server(request.param) as server,
        bucket_of(server, patch) as found,
    ):
        yield found


def test_a_channel_in_a_bucket_is_loaded_and_what_is_cached_is_not_sent_again(
    bucket: tuple[Any, str], store: Path
) -> None:
    generator, content_id = write_store(store)
    client, name = bucket
    for path in store.rglob("*.*"):
        client.put_object(Bucket=name, Key=f"team/{path.relative_to(store)}", Body=path.read_bytes())
    address = f"s3://{name}/team/channels/production"
    assert torch.equal(images(load(address)), images(generator))
    client.delete_object(Bucket=name, Key=f"team/releases/{content_id[:20]}/generator.safetensors")
    assert torch.equal(images(load(address)), images(generator))


def test_a_refusal_of_a_bucket_is_one_sentence_without_secrets(
    bucket: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
    with pytest.raises(ReleaseError, match=r"cannot be read|is not there") as caught:
        load("s3://mintage-no-such-bucket/channels/production")
    assert "planted" not in str(caught.value)


def test_a_cache_that_cannot_be_written_is_left_out_and_one_that_is_shared_can_be_read(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, _ = write_store(tmp_path / "store")
    before = os.umask(0o022)
    try:
        load(tmp_path / "store/channels/production")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in cache.iterdir()} == {0o644}
    (tmp_path / "a file").touch()  # no folder can be made in it, not even by root
    monkeypatch.setenv("MINTAGE_CACHE", str(tmp_path / "a file/cache"))
    assert torch.equal(images(load(tmp_path / "store/channels/production")), images(generator))


def test_a_user_without_a_name_and_a_home_loads_a_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    generator, _ = write_store(tmp_path / "store")
    monkeypatch.delenv("MINTAGE_CACHE")
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert torch.equal(images(load(tmp_path / "store/channels/production")), images(generator))
    assert len(list((tmp_path / f"mintage-{os.getuid()}/.cache/mintage").iterdir())) == 2
