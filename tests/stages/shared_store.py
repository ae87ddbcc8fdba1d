"""A store with the commands that people give, for tests of releases."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from stages.common.errors import run_stage
from stages.releases.__main__ import main
from stages.releases.content import gather
from stages.releases.publish import publish
from stages.stores import Store
from tests.stages.release_trees import make_tree


@dataclass
class Shared:
    """A store, and a finished pipeline's tree, which is the working directory."""

    store: Store
    tree: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str]:
        """A command's exit code, and all that it printed."""
        sys.argv = ["releases", *words, "--url", self.store.url]
        code = 0
        self.capsys.readouterr()
        try:
            run_stage(main)
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, "".join(self.capsys.readouterr())

    def release(self, seed: int) -> str:
        """Publish what training with another seed would have made."""
        make_tree(self.tree, seed=seed)
        receipt, _ = publish(self.store, gather())
        return str(receipt["release"])

    def damage(self, release: str, path: str) -> None:
        key = f"releases/{release}/{path}"
        content = bytearray(self.store.read(key) or b"")
        content[len(content) // 2] ^= 1
        self.store.write(key, bytes(content))
