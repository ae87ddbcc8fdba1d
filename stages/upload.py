"""Publish a release: everything that a reader needs to trust, load and remake the selected generator.

Reads models/selected, samples, metrics, plots, reports, provenance, params.yaml, dvc.lock and the constraints.
Writes `releases/<release>/` and `channels/latest.json` in the store that `upload.url` names, and published.json.

A release is named by its content. Its manifest.json lists each file with size and SHA-256, by path; its `id` is
the SHA-256 of that list as JSON with sorted keys and no spaces; its folder is the first 20 digits of the id.
"""

import hashlib
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.common.errors import UserError, run_stage
from stages.common.files import read_json, write_json
from stages.common.params import Upload, load_params, load_section
from stages.common.progress import progress_bar
from stages.common.receipt import RECEIPT
from stages.stores import MANIFEST, File, Store, open_store
from stages.stores.folder import FolderStore

SELECTED = Path("models/selected")  # its files stand at the release's root
FOLDERS = [Path("samples"), Path("metrics"), Path("plots"), Path("provenance")]
VALIDATION = Path("reports/validation.json")
REPORTS = [Path("reports/index.html"), VALIDATION, Path("reports/validation.html"), Path("reports/drift.json")]
PARAMS, LOCK, CONSTRAINTS = Path("params.yaml"), Path("dvc.lock"), Path("requirements/constraints.txt")
LATEST = "channels/latest.json"


def gather(root: Path = Path()) -> list[File]:
    """The files of the release that the pipeline in `root` has made, by path. A missing one is a `UserError`."""
    files = [File.of(path.relative_to(root / SELECTED).as_posix(), path) for path in _files(root, SELECTED)]
    for folder in FOLDERS:
        files += [File.of(path.relative_to(root).as_posix(), path) for path in _files(root, folder)]
    files += [File.of(path.as_posix(), _checked(root, root / path)) for path in REPORTS]
    files.append(File.of(PARAMS.name, _params(_checked(root, root / PARAMS))))
    if (root / LOCK).exists():
        files.append(File.of("lock.json", _lock(_checked(root, root / LOCK))))
    if (root / CONSTRAINTS).exists():
        files.append(File.of(CONSTRAINTS.name, _checked(root, root / CONSTRAINTS)))
    return _distinct(sorted(files, key=lambda file: file.path))


def identify(files: list[File]) -> tuple[str, File]:
    """The content id (64 hexadecimal digits) of a release of these files, and its manifest."""
    listed = [{"path": file.path, "sha256": file.sha256, "size": file.size} for file in files]
    content_id = hashlib.sha256(json.dumps(listed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return content_id, File.of(MANIFEST, _json({"id": content_id, "files": listed}))


def publish(store: Store, files: list[File]) -> tuple[dict[str, Any], list[File]]:
    """Send what the store lacks, then point `latest` to the release. Returns the receipt, and the files sent."""
    content_id, manifest = identify(files)
    release = content_id[:20]
    folder = f"releases/{release}"
    missing = store.missing(folder, [*files, manifest])
    if missing:
        with progress_bar("upload", sum(file.size for file in missing), unit="B") as bar:
            store.add(folder, missing, bar.update)
    pointer = _json({"release": release, "id": content_id})
    if store.read(LATEST) != pointer:
        store.write(LATEST, pointer)
    receipt = {"release": release, "url": f"{store.url}/{folder}", "latest": f"{store.url}/{LATEST}"}
    sent = [file for file in missing if file.path != MANIFEST]
    return {**receipt, "files": len(files), "bytes": sum(file.size for file in files)}, sent


def main() -> None:
    store = open_store(load_section(Upload).url)
    if isinstance(store, FolderStore):
        _refuse_inputs(store.root)
    receipt, sent = publish(store, gather())
    write_json(RECEIPT, receipt | _described())
    print(f"release {receipt['release']}: {receipt['files']} files, {receipt['bytes'] / 1e6:.1f} MB")
    print(f"sent {len(sent)} of them, {sum(file.size for file in sent) / 1e6:.1f} MB" if sent else "nothing to send")
    print(receipt["url"])


def _described() -> dict[str, Any]:
    """What the gate says of the data, so that it can compare the next data with them, wherever the release lies."""
    data = read_json(VALIDATION).get("data")
    return {} if data is None else {"data": data}


def _refuse_inputs(store: Path) -> None:
    """A store among the stage's inputs would change them by each release."""
    for folder in [SELECTED, *FOLDERS, REPORTS[0].parent]:
        if store.resolve().is_relative_to(folder.resolve()):
            raise UserError(
                f"params.yaml: upload.url is inside {folder}, which the release is made of: name another folder"
            )


def _distinct(files: list[File]) -> list[File]:
    names = [file.path for file in files] + [MANIFEST]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"two files of the release would be named {twice[0]}: rename the one in {SELECTED}")
    return files


def _files(root: Path, folder: Path) -> list[Path]:
    """All files below a folder, less hidden ones; at least one."""
    if not (root / folder).is_dir():
        raise UserError(f"{folder} is missing: run the stage that makes it (`dvc repro`)")
    found = [_checked(root, path) for path in _below(root / folder)]
    if not found:
        raise UserError(f"{folder} is empty: run the stage that makes it (`dvc repro --force`)")
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
    """A regular file that is really there; of links, only DVC's into its cache are followed."""
    try:
        real = path.resolve(strict=True)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the stage that makes it (`dvc repro`)") from None
    except (OSError, RuntimeError):  # a loop of links
        raise UserError(f"{path} is a link that leads nowhere: remove it and run `dvc repro`") from None
    top = root.resolve()
    if real != top / path.relative_to(root) and not real.is_relative_to(top / ".dvc/cache"):
        raise UserError(
            f"{path} is behind a link, which is not followed: put the file itself there "
            "(for a DVC cache elsewhere: `dvc config cache.type copy`, then `dvc checkout --relink`)"
        )
    if not real.is_file():
        raise UserError(f"{path} is not a regular file: remove it and run `dvc repro`")
    return path


def _params(path: Path) -> bytes:
    """params.yaml's values, less the sections that decide where a release goes and who runs it, not what it is."""
    yaml, text = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # its own stub knows only None
    yaml.dump(load_params(path).model_dump(by_alias=True, exclude={"upload", "flow"}), text)
    return text.getvalue().encode()


def _lock(path: Path) -> bytes:
    """dvc.lock's stages, less upload, which is not locked yet when it runs first: params, hashes of deps and outs."""
    try:
        stages = YAML(typ="safe", pure=True).load(path)["stages"]
    except (YAMLError, UnicodeDecodeError, TypeError, KeyError):
        raise UserError(
            f"{path} is not a lock file of DVC: restore it (`git checkout {path}`) or run `dvc repro`"
        ) from None
    return _json({"stages": {name: entry for name, entry in sorted(stages.items()) if name != "upload"}})


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


if __name__ == "__main__":
    run_stage(main)
