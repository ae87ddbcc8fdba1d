"""What a release of this pipeline is made of, and its name.

A release is named by its content. Its manifest.json lists each file with size and SHA-256, by path; its `id` is
the SHA-256 of that list as JSON with sorted keys and no spaces; its folder is the first 20 digits of the id.
Its `source` says that the media in it are generated.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.common.dvc import locked_stages
from stages.common.errors import UserError
from stages.common.files import md5_of, missing_output, read_json
from stages.common.marks import SOURCE
from stages.common.params import Card, load_params
from stages.common.provenance import again, in_order
from stages.common.yaml_files import as_yaml
from stages.releases.card import CARD, completed, completed_page, require_said
from stages.stores import MANIFEST, File

ROOT = [Path("models/selected"), Path("models/onnx")]  # their files are at the release's root
FOLDERS = [Path("samples"), Path("metrics"), Path("plots"), Path("provenance")]
VALIDATION = Path("reports/validation.json")
REPORTS = [Path("reports/index.html"), VALIDATION, Path("reports/validation.html"), Path("reports/drift.json")]
OF_REPORT = Path("reports/report.json")
"""The report's provenance; in a release it is beside the other stages'."""
PARAMS, LOCK, CONSTRAINTS = Path("params.yaml"), Path("dvc.lock"), Path("requirements/constraints.txt")
DIGITS = 20


def gather(root: Path = Path()) -> list[File]:
    """The files of a release of the pipeline in `root`, sorted by path. A missing file is a `UserError`."""
    upload = load_params(_checked(root, root / PARAMS)).upload
    require_said(upload)
    files = [_of_root(path, root / top, upload.card) for top in ROOT for path in _files(root, top)]
    for folder in FOLDERS:
        files += [File.from_source(path.relative_to(root).as_posix(), path) for path in _files(root, folder)]
    files += [_of_reports(path, _checked(root, root / path), upload.card) for path in REPORTS]
    files.append(File.from_source(f"provenance/{OF_REPORT.name}", _checked(root, root / OF_REPORT)))
    files.append(File.from_source(PARAMS.name, _params(_checked(root, root / PARAMS))))
    if (root / LOCK).exists():
        files.append(File.from_source("lock.json", _lock(_checked(root, root / LOCK))))
    if (root / CONSTRAINTS).exists():
        files.append(File.from_source(CONSTRAINTS.name, _checked(root, root / CONSTRAINTS)))
    return _distinct(sorted(files, key=lambda file: file.path))


def _of_root(path: Path, top: Path, card: Card) -> File:
    """A file of the model; its card gets the publisher's facts."""
    name = path.relative_to(top).as_posix()
    if name != CARD or card == Card():
        return File.from_source(name, path)
    return File.from_source(name, completed(path.read_text(encoding="utf-8", errors="replace"), card).encode())


def _of_reports(path: Path, place: Path, card: Card) -> File:
    """A report; its page gets the license that the publisher states."""
    if path.suffix != ".html" or card.data_license is None:
        return File.from_source(path.as_posix(), place)
    page = place.read_bytes().decode(errors="surrogateescape")
    return File.from_source(path.as_posix(), completed_page(page, card).encode(errors="surrogateescape"))


def require_committed(files: list[File], known: bool) -> None:
    """Raise UserError if stages ran with uncommitted changes to the code, so that nobody could make it again.

    With `known`, raise it also if it is unknown whether there were any. The sentence names them all, in their order.
    """
    changed, unknown, reason = dict[str, Path](), dict[str, Path](), ""
    for file in files:
        if file.path.startswith("provenance/") and isinstance(file.source, Path):
            git = read_json(file.source).get("git") or {}
            clean = git.get("clean")
            if clean is False:
                changed[file.source.stem] = file.source
            elif clean is None and known:
                unknown[file.source.stem] = file.source
                reason = git.get("reason") or "it was made outside a git checkout"
    if not (found := changed | unknown):
        return
    root = next(iter(found.values())).parents[1]
    ran = f"{', '.join(in_order(changed, root))} ran with changes to the code that were not committed"
    made = f"no commit is known of the code that made {', '.join(in_order(unknown, root))} ({reason})"
    problem = "; ".join([ran] * bool(changed) + [made] * bool(unknown))
    where = " in a git repository of its own" if unknown else ""
    raise UserError(
        "provenance-not-clean",
        f"{problem}: commit the code{where}, run `{again(in_order(found, root))}` and then this again, or publish it "
        "so marked (upload.uncommitted: mark in params.yaml, or `publish --force`)",
    )


def identify(files: list[File]) -> tuple[str, File]:
    """The content id (64 hexadecimal digits) of a release of these files, and its manifest."""
    listed = [{"path": file.path, "sha256": file.sha256, "size": file.size} for file in files]
    manifest = {"id": content_id(listed), "files": listed, "source": SOURCE}
    return content_id(listed), File.from_source(MANIFEST, as_json(manifest))


def content_id(listed: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(listed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _distinct(files: list[File]) -> list[File]:
    names = [file.path for file in files] + [MANIFEST]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(
            "release-names-clash", f"two files of the release would be named {twice[0]}: rename the one in {ROOT[0]}"
        )
    return files


def _files(root: Path, folder: Path) -> list[Path]:
    """All files below a folder, without hidden ones; at least one."""
    if not (root / folder).is_dir():
        raise missing_output(folder)
    found = [_checked(root, path) for path in _below(root / folder)]
    if not found:
        raise UserError("output-missing", f"{folder} is empty: run the stage that makes it (`dvc repro --force`)")
    return found


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        else:
            yield path


def _checked(root: Path, path: Path) -> Path:
    """A regular file that exists; only DVC's links into its cache, wherever that is, are followed."""
    try:
        real = path.resolve(strict=True)
    except FileNotFoundError:
        raise missing_output(path) from None
    except (OSError, RuntimeError):  # a loop of links
        raise UserError("link-broken", f"{path} is a link that leads nowhere: remove it and run `dvc repro`") from None
    if real != root.resolve() / path.relative_to(root) and not _is_cached(real):
        raise UserError(
            "file-behind-link", f"{path} is behind a link, which is not followed: put the file itself there"
        )
    if not real.is_file():
        raise UserError("file-not-regular", f"{path} is not a regular file: remove it and run `dvc repro`")
    return path


def _is_cached(path: Path) -> bool:
    """Whether this is a file of a DVC cache: its name is its own MD5, so DVC put it there."""
    return (
        re.fullmatch(r"files/md5/[0-9a-f]{2}/[0-9a-f]{30}", "/".join(path.parts[-4:])) is not None
        and path.is_file()
        and md5_of(path) == path.parts[-2] + path.parts[-1]
    )


def _params(path: Path) -> bytes:
    """params.yaml's values, without the sections that decide where a release goes and who runs it, not what it is."""
    return as_yaml(load_params(path).model_dump(by_alias=True, exclude={"upload", "flow"})).encode()


def _lock(path: Path) -> bytes:
    """dvc.lock's stages: params, hashes of deps and outs; without upload, which is not locked at its first run."""
    return as_json({"stages": {name: entry for name, entry in sorted(locked_stages(path).items()) if name != "upload"}})


def as_json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
