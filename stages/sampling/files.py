"""Write the samples as files of their own, for other programs.

Pictures become PNG, sounds WAV, bars of music MIDI, volumes meshes in OBJ, points PFM, lines text.

    python -m stages.sampling.files some_folder

Reads samples/ and models/selected; files of the same names in the folder are written anew.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from stages.common.errors import UserError, counted, run_stage
from stages.common.files import read_json
from stages.common.marks import Mark, mark_of
from stages.common.shards import class_names, read_tables
from stages.common.stage import parser_of
from stages.media import medium_of
from stages.media.medium import Medium

_LONGEST = 40
"""Characters of a class in a file's name."""


def main() -> None:
    parser = parser_of("stages.sampling.files", __doc__)
    parser.add_argument("folder", nargs="?", default="exported", type=Path, help="where to (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="the same")
    arguments = parser.parse_args()
    print(write_files(Path(), arguments.out or arguments.folder))


def write_files(root: Path, folder: Path) -> str:
    """Write each sample of `root` into a folder, called by its index and, of a class, by that; what to say of it.

    Files of the same names are written anew. Raises UserError if the folder cannot be written to, or there are no
    samples.
    """
    medium, selected = medium_of(read_json(root / "models/selected/provenance.json")), mark_of(root / "models/selected")
    written, empty = set[str](), 0
    earlier = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table in read_tables(root / "samples", ["image", "label"]):
            mark, classes = _mark_of_rows(table.schema.metadata or {}), class_names(table.schema)
            earlier = earlier or mark.model != selected.model
            for row in table.to_pylist():
                of_class = "" if classes is None or row["label"] is None else classes[row["label"]]
                name = _write(folder, row["image"], of_class, medium, mark)
                empty += not name
                written.update([name] if name else [])
        others = sum(path.name not in written for path in folder.iterdir())
    except OSError as error:
        raise UserError(
            "folder-unwritable", f"{folder} cannot be written to ({error.strerror}): name another folder"
        ) from None
    words = medium.words
    left_out = f"; {empty} are empty, and left out" if empty else ""
    older = "; they are of another model than models/selected: `dvc repro` makes those of this one" if earlier else ""
    beside = f"; beside {counted(others, 'file')} that {'was' if others == 1 else 'were'} there" if others else ""
    return f"{counted(len(written), words.one)} as files: {folder}{left_out}{older}{beside}"


def _mark_of_rows(metadata: Mapping[bytes, bytes]) -> Mark:
    """The mark in the samples' schema: rows may be of an earlier model than the one selected now."""
    model, family, release = (metadata.get(name) for name in (b"Model", b"Family", b"Release"))
    return Mark(*(None if text is None else text.decode() for text in (model, family, release)))


def _write(folder: Path, image: dict[str, bytes | str], of_class: str, medium: Medium, mark: Mark) -> str | None:
    """The file's name; None where there is nothing in it."""
    name, content = Path(str(image["path"])), image["bytes"]
    assert isinstance(content, bytes)
    comment = "; ".join(f"{keyword}: {text}" for keyword, text in mark.texts().items())
    opened = medium.to_open(content, name.suffix[1:], comment)
    if opened is None:
        return None
    called = "-".join(filter(None, [name.stem, re.sub(r"[^\w-]+", "_", of_class)[:_LONGEST]]))
    path = folder / f"{called}.{opened[1]}"
    path.write_bytes(opened[0])
    return path.name


if __name__ == "__main__":
    run_stage(main)
