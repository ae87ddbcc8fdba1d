"""How long the gate takes for a summary table of many images, and its peak memory: `python -m benchmarks.gate`.

The table is made: ten classes, figures and hashes at random, as of photographs. The stage runs in a process of its own.
"""

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.memory import peak_of
from benchmarks.options import natural
from stages.common.errors import run_stage
from stages.common.files import write_json
from stages.common.stage import parser_of
from stages.images.statistics import stats_schema
from stages.media.images import Images

CLASSES = 10
SIDE = 32


def main() -> None:
    options = parser_of("benchmarks.gate", __doc__)
    options.add_argument("--rows", type=natural, default=1_000_000)
    rows = options.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_table(root / "data/normalized", rows)
        shutil.copy("params.yaml", root)
        start = time.perf_counter()
        peak = peak_of("stages.validate", cwd=root, env={"PYTHONPATH": str(Path.cwd())}) / 1e6
        seconds = time.perf_counter() - start
    print(f"{rows:,} rows: {seconds:.1f} s, {peak:.2f} GB at most")


def write_table(normalized: Path, rows: int) -> None:
    normalized.mkdir(parents=True)
    random = np.random.default_rng(0)
    held_out, label = random.random(rows) < 0.2, random.integers(0, CLASSES, rows)
    split = np.where(held_out, "holdout", "train")
    columns = {
        "key": [f"folder/{number % CLASSES}/image-{number:07d}.jpg" for number in range(rows)],
        "split": split,
        "label": label,
        "min": random.uniform(-1, -0.9, rows),
        "max": random.uniform(0.9, 1, rows),
        "mean": random.normal(0, 0.2, rows),
        "std": random.uniform(0.2, 0.6, rows),
        "finite": np.ones(rows, bool),
        **{name: np.full(rows, value) for name, value in (("channels", 3), ("height", SIDE), ("width", SIDE))},
        "source_channels": np.full(rows, 3),
        "source_height": random.integers(300, 600, rows),
        "source_width": random.integers(300, 600, rows),
        "source_mode": ["RGB"] * rows,
        "pixel_sha256": [random.bytes(32).hex() for _ in range(rows)],
        "difference_hash": random.integers(0, 2**64, rows, dtype=np.uint64),
    }
    schema = stats_schema(Images(), partners=False, attributes=False)
    pq.write_table(pa.table(columns, schema=schema), normalized / "stats.parquet")
    names = [f"class {number}" for number in range(CLASSES)]
    sides = {"train": ~held_out, "holdout": held_out}
    manifest = {
        "shape": [3, SIDE, SIDE],
        "classes": names,
        "counts": {side: int(mask.sum()) for side, mask in sides.items()} | {"read": rows, "broken": 0},
        "class_counts": {
            side: dict(zip(names, np.bincount(label[mask], minlength=CLASSES).tolist(), strict=True))
            for side, mask in sides.items()
        },
        "broken": [],
        "source": {"name": "made", "license": None, "origin": "made"},
        "fingerprint": "0" * 64,
        **dict.fromkeys(["attributes", "partner_shape", "domains"]),
    }
    write_json(normalized / "manifest.json", manifest)


if __name__ == "__main__":
    run_stage(main)
