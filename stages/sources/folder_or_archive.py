"""Where files other than pictures are read from: a folder, or an archive of one."""

from pathlib import Path

from stages.common.errors import UserError
from stages.sources.archive import archive_tree
from stages.sources.folder import Folder
from stages.sources.tree import Tree


def tree_at(path: Path, max_pixels: int, max_ratio: float, extensions: tuple[str, ...], held: str) -> Tree:
    """The files with these extensions in a folder or an archive; `held` says of what, if nothing is there."""
    if path.is_file():
        return archive_tree(path, max_pixels, max_ratio, extensions)
    if path.is_dir():
        return Folder(path, max_pixels)
    raise UserError("source-missing", f"{path} is not there: set ingest.path to a folder or an archive of {held}")
