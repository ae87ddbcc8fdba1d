"""Problems of the checkout, its git and DVC's cache that would make a run fail: sentences, before it begins."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

from stages.common.errors import one_line
from stages.common.git import read_git
from stages.common.provenance import again, uncommitted_stages

_MEND = (
    "for a larger disk give DVC's cache a place there (`python -m dvc config --local cache.dir FOLDER`, then "
    "`cache.type symlink` in the same way), or mount the disk on that folder"
)


def links_problems(made: Iterable[Path], root: Path) -> Iterator[str]:
    """Sentences on outputs behind links, each link once: DVC refuses them, but only after the stage has run."""
    links = {link for out in made for link in _links_on_the_way(root, out)}
    for link in sorted(links):
        name, target = link.relative_to(root), os.readlink(link)
        yield f"{str(name)!r} is a link (to {target}), where DVC keeps no outputs: put a folder in its place; {_MEND}"


def _links_on_the_way(root: Path, out: Path) -> Iterator[Path]:
    """Links to folders, or to nothing, among an output and its parent folders; a link to a file may be DVC's."""
    for path in (out, *out.parents):
        place = root / path
        if path != Path() and place.is_symlink() and not place.is_file():
            yield place


def cache_problems(root: Path) -> Iterator[str]:
    """Sentences on the cache that DVC's settings name."""
    if not (root / ".dvc").is_dir():
        return
    try:
        settings = _cache_settings(root)
    except ModuleNotFoundError:  # a machine that only runs stages
        return
    except Exception as error:  # DVC's error on a setting that it does not know
        yield f".dvc/config cannot be used by DVC: {one_line(error, None)}"
        return
    cache = root / (settings.get("dir") or ".dvc/cache")
    if cache.is_symlink() and not cache.exists():
        yield f"DVC's cache {str(cache)!r} is a link to {os.readlink(cache)}, which is not there: mount that disk"
        return
    if "{" in (full := os.path.realpath(cache)) or "}" in full:
        yield (
            f"DVC cannot work with a brace in the path of its cache ({full!r}): rename that folder, or give the cache "
            "another place (`python -m dvc config --local cache.dir FOLDER`)"
        )
        return
    place = next(folder for folder in (cache, *cache.absolute().parents) if os.path.lexists(folder))
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        shared = "where a group shares it, its owner sets `python -m dvc config cache.shared group` and gives the group"
        hint = f"{shared} its rights (`chmod -R g+rwX`); else " if place.is_dir() else ""
        yield (
            f"DVC's cache cannot be written ({str(place)!r}): {hint}`python -m dvc config --local cache.dir` names "
            "another"
        )
        return
    kinds = settings.get("type") or ["copy"]
    if "copy" not in kinds and not any(_can_link(kind, place, root) for kind in kinds):
        yield (
            f"DVC's cache {str(cache)!r} cannot be linked to from here by {' or '.join(kinds)} (another disk, or "
            "a file system without such links): `python -m dvc config --local cache.type symlink`, or `copy`"
        )


def _cache_settings(root: Path) -> dict[str, Any]:
    from dvc.config import Config

    return dict(Config(str((root / ".dvc").resolve()))["cache"])


def _can_link(kind: str, cache: Path, root: Path) -> bool:
    """Whether such a link can connect a cache file to the checkout; tried with two files that are removed at once."""
    name = f".mintage-{uuid.uuid4().hex}.partial"
    source, target = cache / name, root / ".dvc" / name
    try:
        source.write_bytes(b"tried")
        if kind == "hardlink":
            os.link(source, target)
        elif kind == "symlink":
            os.symlink(source.resolve(), target)
        else:
            from dvc_objects.fs.system import reflink

            make: Callable[[str, str], None] = reflink
            make(str(source), str(target))
    except OSError:
        return False
    finally:
        target.unlink(missing_ok=True)
        source.unlink(missing_ok=True)
    return True


def room_problems(count: int, shape: Sequence[int], root: Path) -> Iterator[str]:
    """A sentence on more samples than there is room for at a byte a number, even if they shrink to a fourth."""
    size, free = prod(shape), shutil.disk_usage(root).free
    if count * size > 4 * free:
        yield (
            f"sample.count = {count} takes some {count * size / 1e9:,.0f} GB, and {free / 1e9:,.0f} GB are free here: "
            f"set it to {free // size} at most, or free some space"
        )


def git_notes(uncommitted: str, root: Path) -> Iterator[str]:
    """Notes on the git state of a run, if it decides about a release; `uncommitted` is that of params."""
    state = read_git(root)
    kept_back = "so what is made now will not be published"
    if state.changed and uncommitted != "mark":
        yield f"no commit holds {state.changed[0]} as it is, {kept_back}: commit it, or set upload.uncommitted to mark"
    elif state.clean and uncommitted != "mark" and (made := uncommitted_stages(root)):
        yield (
            f"{', '.join(made)} ran with changes to the code that were not committed then, {kept_back} until they run "
            f"again: a run does that where the code is another now; if this note comes back after it, `{again(made)}`"
        )
    elif state.clean is None and uncommitted == "refuse":
        yield f"no commit of this code is known ({state.reason}), {kept_back}: set upload.uncommitted to auto or mark"
    elif state.clean is None and uncommitted == "auto":
        yield f"no commit of this code is known ({state.reason}): what is made now is published so marked"
    if state.commit and "no_scm = true" in _text(root / ".dvc/config.local"):
        yield "DVC is told to do without git here: `python -m dvc config --local --unset core.no_scm` lets it use git"


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
