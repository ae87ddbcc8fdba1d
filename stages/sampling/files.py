"""Samples as files of their own, for other programs: pictures as PNG, volumes as meshes."""

from pathlib import Path

from stages.common.errors import UserError, counted
from stages.common.files import read_json
from stages.common.marks import Mark, mark_of
from stages.common.shards import read_tables
from stages.media import medium_of
from stages.media.medium import Medium


def write_files(root: Path, folder: Path) -> str:
    """Write each sample of `root` into a folder, called by its index; what to say of it.

    Files of the same names are written anew. Raises UserError where the folder cannot be written to, or there are no
    samples.
    """
    medium, mark = medium_of(read_json(root / "models/selected/provenance.json")), mark_of(root / "models/selected")
    written = empty = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table in read_tables(root / "samples", ["image"]):
            for image in table["image"].to_pylist():
                made = _write(folder, image, medium, mark)
                written, empty = written + made, empty + (not made)
    except OSError as error:
        raise UserError("folder-unwritable", f"{folder} cannot be written to: {error.strerror}") from None
    words = medium.words
    left_out = f"; {empty} are empty, and left out" if empty else ""
    return f"{counted(written, words.one)} as files: {folder}{left_out}"


def _write(folder: Path, image: dict[str, bytes | str], medium: Medium, mark: Mark) -> bool:
    """Whether there is anything in it."""
    name, content = Path(str(image["path"])), image["bytes"]
    assert isinstance(content, bytes)
    told = "; ".join(f"{keyword}: {text}" for keyword, text in mark.texts().items())
    opened = medium.to_open(content, name.suffix[1:], told)
    if opened is not None:
        (folder / name.name).with_suffix(f".{opened[1]}").write_bytes(opened[0])
    return opened is not None
