"""Readers fuzzed by what they run through: `pip install -c requirements/constraints.txt atheris`, then
`python -m tests.stages.fuzz archive -max_total_time=600 [a folder of inputs]`, or idx, cifar, arrays, parquet.

Any bytes must be images or one sentence: it stops, and keeps the input, where they are a traceback, ten seconds, two
gigabytes, or anything written outside. What follows the reader's name is libFuzzer's (-help=1).
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["stages.sources", "tarfile", "zipfile", "gzip", "numpy.lib.format"]):
    from tests.stages.hostile_inputs import IMAGES, LABELS
    from tests.stages.test_source_fuzz import taken

LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=20000"]
ONE_FILE = ("archive", "arrays", "parquet")
SEVERAL = {"idx": [IMAGES, LABELS], "cifar": ["data_batch_1.bin", "test_batch.bin", "batches.meta.txt"]}


def write(folder: Path, reader: str, content: bytes) -> None:
    """The bytes as the reader's file; where it has several, cut at what the first two bytes, and the next, say."""
    if reader in ONE_FILE:
        (folder / "input").write_bytes(content)
        return
    (folder / "input").mkdir(exist_ok=True)
    for name in SEVERAL[reader]:
        size = int.from_bytes(content[:2], "big")
        (folder / "input" / name).write_bytes(content[2 : 2 + size])
        content = content[2 + size :]


def main() -> None:
    reader = sys.argv[1]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:

        def one_input(content: bytes) -> None:
            write(Path(folder), reader, content)
            taken(Path(folder), reader)

        atheris.Setup([sys.argv[0], *LIMITS, *sys.argv[2:]], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
