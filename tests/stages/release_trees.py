"""A finished pipeline's tree, with real small files, and a reader that checks what was published."""

import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]


def make_tree(root: Path, megabytes: float = 0.05, pictures: int = 3, seed: int = 0) -> Path:
    """What the stages before upload leave behind; `megabytes` is the size of the generator."""
    noise = random.Random(seed)
    contents = {
        "models/selected/generator.safetensors": noise.randbytes(int(megabytes * 1e6)),
        "models/selected/config.json": b'{"shape": [1, 8, 8]}',
        "models/selected/README.md": b"---\nlicense: apache-2.0\n---\n# A generator\n",
        "models/selected/provenance.json": b"{}",
        "models/onnx/generator.onnx": noise.randbytes(9_000),
        "samples/part-00000.parquet": noise.randbytes(20_000),
        "metrics/selection.json": b'{"images": 1000}',
        "metrics/train.tsv": b"images\tvalue\n1000\t-1.3\n",
        "plots/samples.png": noise.randbytes(5_000),
        "reports/index.html": b"<h1>Mintage</h1>",
        "reports/report.json": b'{"stage": "report", "git": {"commit": "0123", "clean": true}}',
        "reports/validation.html": b"<h1>Gate</h1>",
        "reports/validation.json": b'{"success": true, "data": {"images": 3}}',
        "reports/drift.json": b'{"expectations": []}',
        "provenance/train.json": b'{"stage": "train", "seconds": 12.5}',
    }
    contents |= {f"plots/training/images-{i:09d}.png": noise.randbytes(4_000) for i in range(pictures)}
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    shutil.copy(REPO / "params.yaml", root)
    return root


def set_url(root: Path, url: str) -> None:
    lines = (root / "params.yaml").read_text().splitlines()
    changed = [f"  url: {json.dumps(url)}" if line.startswith("  url: ") else line for line in lines]
    (root / "params.yaml").write_text("\n".join(changed) + "\n")


def check_release(folder: Path) -> dict[str, Any]:
    """Recompute the content id and every hash of a release in a folder, with nothing of the stage's own code."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    listed = json.dumps(manifest["files"], sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(listed.encode()).hexdigest() == manifest["id"]
    assert manifest["id"].startswith(folder.name)
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
        "manifest.json",
        *(entry["path"] for entry in manifest["files"]),
    }
    for entry in manifest["files"]:
        content = (folder / entry["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["size"], entry["sha256"]), entry["path"]
    return manifest
