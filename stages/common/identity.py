"""Which code decides a stage's result: the modules that it imports, and those that the names in its params stand for.

The one answer for DVC, for which the stage `identity` writes it down, and for what a killed stage goes on from. A row,
a network or a source beside those in use changes nothing.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import RLock

from mintage import catalog
from mintage.recipes import Recipe
from mintage.values import names_in
from stages import media, sources

DECIDES_NOTHING = {
    "mintage",  # the names of its public face
    "mintage.catalog",  # of which the names in use are followed
    "mintage.errors",
    "mintage.nearest",
    "mintage.values",
    "stages",
    "stages.media",  # likewise
    "stages.training.changes",
    "stages.training.fit",
    *(
        f"stages.common.{name}"
        for name in (
            "changes", "cluster", "dvc", "energy", "errors", "experiment", "foresight", "git",
            "identity", "keeping", "mapping", "params", "place", "provenance", "receipt", "s3",
            "s3_errors", "sections", "stage", "surroundings", "train_params",
        )
    ),
}  # fmt: skip
"""Modules that check, name, time, move or tell; what they import is not followed either."""
_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
"""Nodes that may hold an import; within expressions, which are most of a tree, there is none."""
PARSING = RLock()
"""Python 3.11's parser is not safe in several threads at once; inspect.getsource parses, too."""


def code_of(
    stage: str, recipe: Recipe | None = None, source: str | None = None, medium: str | None = None
) -> dict[str, str]:
    """SHA-256 by module, and by template beside it, of all code that decides what `stages/STAGE.py` makes.

    Args:
        stage: Its name in dvc.yaml.
        recipe: Whose networks, losses, ... are part of it, where the stage looks names up in the catalog.
        source: Which one of `stages.sources` is part of it, where the stage opens one.
        medium: Which one of `stages.media`, where the stage asks one; by default those that the source imports.
    """
    found: dict[str, str] = {}
    _follow([f"stages.{stage}"], found)
    if recipe is not None and _uses("mintage.catalog", found):
        _follow([catalog.place(kind, name).partition(":")[0] for kind, name in names_in(recipe)], found)
    if "stages.selection.metrics" in found:
        _follow([module for name in catalog.brought("metric") for module in _modules_of_metric(name)], found)
    if source is not None and "stages.sources" in found:
        _follow([sources.module_of(source)], found)
    if _uses("stages.media", found):
        used = _media_of(source) if medium is None else [medium]
        _follow([media.place(name).partition(":")[0] for name in used], found)
        if "stages.media.drawings" in found:
            _follow([media.load(name).drawings.partition(":")[0] for name in used], found)
    return dict(sorted(found.items()))


def _media_of(source: str | None) -> list[str]:
    """The media that a source hands on: nobody else says which, before anything is read."""
    imported: dict[str, str] = {}
    if source is not None:
        _follow([sources.module_of(source)], imported)
    return [name for name in media.names() if media.place(name).partition(":")[0] in imported]


def _modules_of_metric(name: str) -> Iterator[str]:
    """Where one that another package brings is described, and where it is measured."""
    yield catalog.place("metric", name).partition(":")[0]
    if measure := catalog.load("metric", name).measure:
        yield measure.partition(":")[0]


def code_behind(module: str) -> dict[str, str]:
    """The same of one module, and where it asks the catalog, of all that has: nobody says which names are in use."""
    found: dict[str, str] = {}
    _follow([module], found)
    if _uses("mintage.catalog", found):
        kinds = [(kind, name) for kind in catalog.BUILT_IN for name in catalog.names(kind)]
        _follow([catalog.place(kind, name).partition(":")[0] for kind, name in kinds], found)
    return found


def _uses(module: str, found: Iterable[str]) -> bool:
    return any(module in imports_of(path) for path in filter(None, (_file(name) for name in found)))


def _follow(ahead: list[str], found: dict[str, str]) -> None:
    """Add modules, and all that they import, however deep."""
    while ahead:
        name = ahead.pop()
        if name in found or name in DECIDES_NOTHING or (path := _file(name)) is None:
            continue
        found[name] = _digest(path)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        found |= {f"{package}/{file.name}": _digest(file) for file in path.parent.glob("templates/*")}
        ahead += imports_of(path)


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    """The project's modules that a file imports, at its top or within a function, types alone not counted."""
    with PARSING:
        body = ast.parse(path.read_bytes()).body
    return tuple(sorted(set(_imports(body))))


def _imports(body: Iterable[ast.AST]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _file(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and _ours(node.module):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in inner if _file(name)]
            yield from modules
            if len(modules) < len(inner):
                yield node.module
        else:
            yield from _imports(child for child in ast.iter_child_nodes(node) if isinstance(child, _STATEMENTS))


def _ours(name: str) -> bool:
    return _file(name.partition(".")[0]) is not None


@cache
def _file(name: str) -> Path | None:
    """The file of a module of this checkout, or of a package that brings things by an entry point; None of any other.

    Nothing is imported for it, not even a package around it.
    """
    top, *inner = name.split(".")
    if top not in _tops() or (spec := find_spec(top)) is None:
        return None
    if not spec.submodule_search_locations:
        return Path(str(spec.origin)) if not inner else None
    path = Path(spec.submodule_search_locations[0], *inner)
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


@cache
def _tops() -> set[str]:
    """The packages whose code counts."""
    places = [place for kind in catalog.BUILT_IN for place in catalog.brought(kind).values()]
    outside = [*places, *sources.brought().values(), *media.brought().values()]
    return {"mintage", "stages", *(place.partition(":")[0].partition(".")[0] for place in outside)}


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
