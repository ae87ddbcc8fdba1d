"""Readers fuzzed by what they run through: `pip install -c requirements/constraints.txt atheris`, then
`python -m tests.stages.fuzz archive -max_total_time=600`, or arrays, cifar, idx, parquet, volumes.

Any bytes must be images or one sentence: it stops, and keeps the input, where they are a traceback, ten seconds, two
gigabytes, or anything written outside. It begins with right files; what follows the reader is libFuzzer's (-help=1).
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

with atheris.instrument_imports(include=["stages.sources", "tarfile", "zipfile", "gzip", "numpy.lib.format"]):
    from stages.media.cells import npy
    from stages.sources import archive, arrays, cifar, idx, parquet, volumes  # noqa: F401 - their imports are what is watched
    from tests.stages.hostile_inputs import IMAGES, LABELS, PNG, write_tar, write_zip
    from tests.stages.source_files import noise, write_idx
    from tests.stages.test_source_fuzz import taken

LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=20000"]
CELLS, TRIANGLE = npy(np.ones((3, 3, 3), np.bool_)), b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
MEMBERS = {"cat/a.png": PNG, f"dog/{'x' * 120}.png": PNG}
ROWS = {"image": [{"bytes": PNG, "path": "a.png"}] * 3, "label": ["x", "y", "x"]}
CIFAR = {"data_batch_1.bin": bytes(2 * 3073), "test_batch.bin": bytes(3073), "batches.meta.txt": b"a\nb"}


def _npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, images=noise(3, 4, 5), labels=[1, 0, 1])


def _cifar(folder: Path) -> None:
    folder.mkdir()
    for name, content in CIFAR.items():
        (folder / name).write_bytes(content)


RIGHT: dict[str, list[Callable[[Path], object]]] = {
    "archive": [
        lambda path: write_tar(path, MEMBERS),
        lambda path: write_tar(path, MEMBERS, "w:gz"),
        lambda path: write_zip(path, MEMBERS),
    ],
    "arrays": [_npz],
    "cifar": [_cifar],
    "idx": [lambda folder: write_idx(folder, noise(3, 2, 2), np.array([0, 1, 0], np.uint8))],
    "volumes": [lambda path: write_zip(path, {"a/1.npy": CELLS, "b/2.obj": TRIANGLE})],
    "parquet": [
        lambda path: pq.write_table(pa.table(ROWS), path),
        lambda path: pq.write_table(pa.table(ROWS), path, compression="zstd"),
    ],
}
"""What a reader takes, written to a path; of a folder, the files named in `SEVERAL`."""
SEVERAL = {"cifar": list(CIFAR), "idx": [IMAGES, LABELS]}


def joined(path: Path, reader: str) -> bytes:
    """The bytes of a file, or of several files, each behind its length in two bytes."""
    if reader not in SEVERAL:
        return path.read_bytes()
    contents = [(path / name).read_bytes() for name in SEVERAL[reader]]
    return b"".join(len(content).to_bytes(2, "big") + content for content in contents)


def parted(content: bytes, path: Path, reader: str) -> None:
    """The files that are joined in any bytes."""
    if reader not in SEVERAL:
        path.write_bytes(content)
        return
    path.mkdir(exist_ok=True)
    for name in SEVERAL[reader]:
        size = int.from_bytes(content[:2], "big")
        (path / name).write_bytes(content[2 : 2 + size])
        content = content[2 + size :]


def main() -> None:
    reader = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        work, corpus = Path(folder, "work"), Path(folder, "corpus")
        work.mkdir()
        corpus.mkdir()

        def is_taken(content: bytes) -> bool:
            parted(content, work / "input", reader)
            return taken(work, reader)

        for number, write in enumerate(RIGHT[reader]):
            write(Path(folder, str(number)))
            content = joined(Path(folder, str(number)), reader)
            (corpus / str(number)).write_bytes(content)
            assert is_taken(content), "what is right is taken, or nothing behind the first check would be tried"
        atheris.Setup([sys.argv[0], *LIMITS, *sys.argv[2:], str(corpus)], is_taken)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
