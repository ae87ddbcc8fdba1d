"""Stores with small releases, the site that is made of one, and what a browser would find in its pages."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from stages.common.files import read_json, write_json
from stages.common.levels import to_uint8
from stages.common.marks import Mark, with_mark
from stages.common.pictures import encode_png, grid, grid_scale, rows_of_blocks
from stages.examples import Example
from stages.gallery import site
from stages.gallery.site import Built, Explorers, build
from stages.releases.publish import publish
from stages.stores import File
from stages.stores.folder import FolderStore
from tests.stages.report_inputs import write_inputs
from tests.stages.report_pages import Elements

CARD = """---
license: "cc0-1.0"
model-index:
- name: "x"
  results:
  - dataset:
      name: "DATA"
---
# A generator
"""
_SHOWN = ("metrics/selection.json", "provenance/train.json", "plots/samples.png")
ROWS = rows_of_blocks(["held out", "again"])
TITLE, SHEET = "Encoded and made again", "plots/latent/reconstructions.png"
MARK = Mark("0123456789abcdef0123", "vae")
node = pytest.mark.skipif(shutil.which("node") is None, reason="no node on this machine: the scripts are not run")


def in_node(script: str, expression: str, **given: Any) -> Any:
    """What an expression is with a script of the gallery as `m` and `given` as `g`."""
    (path,) = Path(site.__file__).parent.glob(f"*/{script}")
    code = f"const m = require({json.dumps(str(path))}); const g = {json.dumps(given)};"
    code += f" console.log(JSON.stringify({expression}))"
    done = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@dataclass
class Gallery:
    """A store, and the folder of its site."""

    root: Path
    examples: list[Example] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = FolderStore(f"file:{self.root}/store")
        self.site = self.root / "site"
        self.tree = write_inputs(self.root / "tree")

    def publish(self, channel: str = "latest", *, data: str = "digits", curves: bool = False, **other: Any) -> str:
        """A release of `data`; `other` has its family, classes, verdict, card and more files, by path.

        Curves take their time to draw.
        """
        made = read_json(self.tree / "provenance/train.json")
        made["family"] = other.get("family", "cgan")
        made["params"] |= other.get("params", {})
        write_json(self.tree / "provenance/train.json", made)
        selection = read_json(self.tree / "metrics/selection.json")
        selection["verdict"] |= other.get("verdict", {})
        write_json(self.tree / "metrics/selection.json", selection)
        config = self.tree / "models/selected/config.json"
        write_json(config, {"classes": other.get("classes", ["a", "b"]), "generator_conditioning": "concat"})
        names = [*_SHOWN, *(["metrics/checkpoints.tsv", "metrics/train.tsv"] if curves else [])]
        files = [File.from_source(name, self.tree / name) for name in names]
        files.append(File.from_source("config.json", config))
        card = str(other.get("card", CARD)).replace("DATA", data)
        files.append(File.from_source("README.md", card.encode()))
        more: dict[str, bytes] = other.get("files", {})
        files = [file for file in files if file.path not in more]
        files += [File.from_source(path, content) for path, content in more.items()]
        receipt, _ = publish(self.store, sorted(files, key=lambda file: file.path), channel)
        return str(receipt["release"])

    def build(self, title: str = "Gallery", explorers: Explorers | None = None) -> Built:
        return build(self.store, self.site, self.examples, title, explorers or Explorers())

    def page(self, name: str = "index.html") -> Elements:
        return Elements((self.site / name).read_text())

    def page_of(self, release: str) -> Elements:
        return self.page(f"releases/{release}/index.html")

    def pages(self) -> Iterator[tuple[Path, Elements]]:
        for path in sorted(self.site.rglob("*.html")):
            yield path, Elements(path.read_text())

    def written(self) -> dict[str, int]:
        """When each file was written, by name."""
        files = [path for path in self.site.rglob("*") if path.is_file()]
        return {path.relative_to(self.site).as_posix(): path.stat().st_ino for path in files}


def addresses(elements: Elements) -> Iterator[str]:
    for _, attributes in elements.found:
        yield from (value for name in ("href", "src") if (value := attributes.get(name)))


def broken_links(gallery: Gallery) -> list[str]:
    """Addresses that lead nowhere, or to anything but a file of the site."""
    broken = []
    for path, elements in gallery.pages():
        for address in addresses(elements):
            if address == "data:,":
                continue
            parts = urlsplit(address)
            target = path if not parts.path else path.parent / unquote(parts.path)
            inside = target.resolve().is_relative_to(gallery.site.resolve())
            if parts.scheme or parts.netloc or not inside or not target.is_file():
                broken.append(f"{path.name}: {address}")
            elif parts.fragment and target.name != "compare.html":
                ids = {attributes.get("id") for _, attributes in Elements(target.read_text()).found}
                broken += [] if parts.fragment in ids else [f"{path.name}: {address}"]
    return broken


def requests(gallery: Gallery) -> list[str]:
    """Whatever in a page or a style sheet a browser would fetch from a host."""
    found = []
    for path, elements in gallery.pages():
        found += [address for address in addresses(elements) if re.match(r"(?!data:,)[\w+.-]+:|//", address)]
        values = [value or "" for _, given in elements.found for value in given.values()]
        found += [text for text in values if re.search(r"url\((?!#)", text)]
        found += re.findall(r"fetch\(|XMLHttpRequest|import\(|WebSocket|sendBeacon", path.read_text())
    for path in gallery.site.rglob("*.css"):
        found += re.findall(r"@import.*|url\(.*", path.read_text())
    return found


def sheet_again(rows: int = 6, side: int = 8) -> bytes:
    """What sample draws for an encoder, of noise."""
    images = np.random.default_rng(0).uniform(-1, 1, (10 * rows, 1, side, side)).astype(np.float32)
    return with_mark(encode_png(grid(to_uint8(images), 10, scale=grid_scale(side, side))), MARK)


def with_encoder(caption: str = "Held-out images, and below each what comes back.", **config: Any) -> dict[str, bytes]:
    """Files of a release with an encoder, by path; `config` is what else its config.json says."""
    picture = {"file": "reconstructions.png", "title": TITLE, "caption": caption, "rows": ROWS}
    about = {"image_shape": [1, 8, 8], "encodes": True, **config}
    return {
        SHEET: sheet_again(side=about["image_shape"][-1] or 8),
        "metrics/latent.json": json.dumps({"pictures": [picture], "absent": []}).encode(),
        "config.json": json.dumps(about).encode(),
    }
