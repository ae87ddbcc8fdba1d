"""Images and Parquet in a bucket, against moto's server."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.common.errors import TemporaryError
from stages.common.shards import class_names, encoded_schema
from stages.sources import open_source
from tests.refusals import refused
from tests.stages.s3_servers import Proxy, Server, client_of, moto_server
from tests.stages.source_files import ingest_params, ingested, write_tree

SECRET = "planted/secret+key0123456789"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with moto_server("AKIAPLANTEDKEY000001", SECRET) as started:
        yield started


@pytest.fixture
def bucket(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Proxy]]:
    """A client of an empty bucket "photos", and a proxy through which the source reaches it."""
    proxy = Proxy(server)
    client = client_of(server, monkeypatch, f"http://127.0.0.1:{proxy.port}", attempts=1)
    client.create_bucket(Bucket="photos")
    yield client, proxy
    for item in client.list_objects_v2(Bucket="photos").get("Contents", []):
        client.delete_object(Bucket="photos", Key=item["Key"])
    client.delete_bucket(Bucket="photos")
    proxy.close()


def read(raw: Path, url: str = "s3://photos/all", **options: Any) -> pa.Table:
    return ingested(raw, source="s3", path="unused", options={"url": url, **options})


def send(client: Any, tree: Path, prefix: str = "all/") -> None:
    for path in sorted(tree.rglob("*.*")):
        client.put_object(Bucket="photos", Key=f"{prefix}{path.relative_to(tree).as_posix()}", Body=path.read_bytes())


def test_a_prefix_of_images_gives_what_the_same_folder_gives(tmp_path: Path, bucket: tuple[Any, Proxy]) -> None:
    client, proxy = bucket
    tree = write_tree(tmp_path / "tree", {"train/cat": 20, "train/dog": 21, "test/cat": 2, "test/dog": 1})
    (tree / "notes.txt").write_text("x")
    client.put_object(Bucket="photos", Key="all/train/", Body=b"")  # as consoles make a folder
    (tree / "train/cat/empty.png").touch()
    send(client, tree)
    client.put_object(Bucket="photos", Key="alligator.png", Body=b"beside the prefix, not below it")
    there, here = read(tmp_path / "one"), ingested(tmp_path / "two", path=str(tree))
    assert there.to_pydict() == here.to_pydict()
    assert class_names(there.schema) == ["cat", "dog"]
    assert len([path for path in proxy.paths("GET") if ".png" in path]) == 45


def test_a_bucket_is_understood_as_a_folder_is(tmp_path: Path, bucket: tuple[Any, Proxy]) -> None:
    """Splits by any usual spelling, labels in a table, names in one Unicode form, nothing of the system."""
    client, _ = bucket
    tree = write_tree(tmp_path / "tree", {"Training/00000": 2, "Eval/00000": 1, "@eaDir": 1})
    for number, name in enumerate([normalize("NFD", "é"), "ü"]):
        (tree / f"Training/00000/00{number}.png").rename(tree / f"Training/00000/{name}.png")
    labels = [["Training/00000/é.png", 0], ["Training/00000/ü.png", 10], ["Eval/00000/000.png", 9]]
    (tree / "dataset.json").write_text(json.dumps({"labels": labels}))
    (tree / "._x.parquet").write_bytes(b"AppleDouble")
    send(client, tree)
    source = open_source(ingest_params(source="s3", path="x", options={"url": "s3://photos/all"}))
    assert source.layout == [
        "took classes from s3://photos/all/dataset.json, and none from folders",
        "took Training to train on, Eval as held out",
    ]
    assert source.notes == ["left out 2 hidden or system files and folders, such as s3://photos/all/._x.parquet"]
    assert source.classes == ["0", "9", "10"]
    assert {image.key: (image.label, image.split) for image in source.images} == {
        "Eval/00000/000.png": (1, "test"),
        "Training/00000/é.png": (0, "train"),
        "Training/00000/ü.png": (2, "train"),
    }


def test_a_prefix_of_parquet_is_read_by_ranges(tmp_path: Path, bucket: tuple[Any, Proxy]) -> None:
    client, _ = bucket
    tree = write_tree(tmp_path / "tree", {"cat": 3, "dog": 2})
    first = ingested(tmp_path / "one", path=str(tree))
    schema = encoded_schema(["cat", "dog"], {})
    for part, rows in (("train", first.slice(0, 3)), ("test", first.slice(3))):
        buffer = io.BytesIO()
        pq.write_table(rows.select(["image", "label"]).cast(schema), buffer)
        client.put_object(Bucket="photos", Key=f"all/{part}-00000.parquet", Body=buffer.getvalue())
    table = read(tmp_path / "two", columns={"image": "image"})
    assert class_names(table.schema) == ["cat", "dog"]
    assert sorted(table["sha256"].to_pylist()) == sorted(first["sha256"].to_pylist())
    assert table["split"].to_pylist() == ["test"] * 2 + ["train"] * 3
    with refused("params-invalid", "ingest.options.columns.imag = 'x' is not a known key"):
        read(tmp_path / "three", columns={"imag": "x"})


@pytest.mark.parametrize(
    ("url", "code", "sentence"),
    [
        ("s3://photos/none", "source-without-images", "s3://photos/none"),
        (
            "s3://other/all",
            "store-refused",
            "no such bucket: create it, or name another in ingest.options.url",
        ),
        ("s3://pho tos/all", "bucket-name-invalid", "ingest.options.url"),
        ("s3://photos/a//b", "bucket-prefix-invalid", "ingest.options.url of params.yaml has an empty part"),
        ("https://photos/all", "params-invalid", "ingest.options.url = 'https://photos/all'"),
        ("s3://me:hunter2@photos/all", "params-invalid", "ingest.options.url = (hidden, it holds an '@')"),
    ],
)
def test_a_url_that_leads_nowhere_is_one_sentence(
    tmp_path: Path, bucket: tuple[Any, Proxy], url: str, code: str, sentence: str
) -> None:
    with refused(code, sentence):
        read(tmp_path / "raw", url)


def test_names_that_lead_out_and_bombs_are_refused_in_a_bucket_too(tmp_path: Path, bucket: tuple[Any, Proxy]) -> None:
    client, _ = bucket
    client.put_object(Bucket="photos", Key="all/a/../../x.png", Body=b"x")
    with refused("name-leads-outside", "'a/../../x.png' is a name that leads outside"):
        read(tmp_path / "raw")
    client.delete_object(Bucket="photos", Key="all/a/../../x.png")
    client.put_object(Bucket="photos", Key="all/big.png", Body=bytes(10 * 2**20))
    with refused("file-too-large", "s3://photos/all/big.png is larger than an image of ingest.max_pixels"):
        read(tmp_path / "raw")


def test_an_object_that_changes_between_listing_and_reading_is_refused(
    tmp_path: Path, bucket: tuple[Any, Proxy]
) -> None:
    client, _ = bucket
    send(client, write_tree(tmp_path / "tree", {"": 3}))
    images = list(open_source(ingest_params(source="s3", path="x", options={"url": "s3://photos/all"})).images)
    client.put_object(Bucket="photos", Key="all/001.png", Body=b"other")
    client.delete_object(Bucket="photos", Key="all/002.png")
    assert callable(images[0].content)
    assert images[0].content() == (tmp_path / "tree/000.png").read_bytes()
    for image in images[1:]:
        assert callable(image.content)
        with refused("source-changed", f"s3://photos/all/{image.key} "):
            image.content()


def test_a_connection_that_breaks_is_worth_another_try_which_goes_on(
    tmp_path: Path, bucket: tuple[Any, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, proxy = bucket
    send(client, write_tree(tmp_path / "tree", {"": 60}))
    params = {"source": "s3", "path": "x", "options": {"url": "s3://photos/all"}, "shard_images": 10}
    proxy.cut_after = 20_000
    with pytest.raises(TemporaryError, match=r"it goes on at the last finished shard|check the network") as error:
        ingested(tmp_path / "raw", **params)
    assert SECRET not in str(error.value)
    before = len([path for path in proxy.paths("GET") if ".png" in path])
    assert before > 10
    proxy.cut_after = None
    assert ingested(tmp_path / "raw", **params).num_rows == 60
    assert len([path for path in proxy.paths("GET") if ".png" in path]) - before <= 50
