"""Which code decides a stage's result: the modules that it imports, and the modules of the names in its params.

The stage `identity` writes this down for DVC; a killed stage resumes only with the same code. A row, a network or a
source that is not in use changes nothing.
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
    "mintage.catalog",  # only the names in use are followed
    "mintage.errors",
    "mintage.nearest",
    "mintage.spelling",
    "mintage.values",
    "stages",
    "stages.media",  # likewise
    "stages.training.changes",
    "stages.training.fit",
    *(
        f"stages.common.{name}"
        for name in (
            "changes", "cluster", "dvc", "energy", "errors", "experiment", "foresight", "git",
            "identity", "keeping", "mapping", "params", "place", "provenance", "readers", "receipt",
            "s3", "s3_errors", "sections", "stage", "surroundings", "train_params",
        )
    ),
}  # fmt: skip
"""Modules that only check, name, time, move or report; their imports are not followed either."""
_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
"""Nodes that may contain an import; expressions, which are most of a tree, contain none."""
PARSING = RLock()
"""A lock, since Python 3.11's parser is not thread-safe; inspect.getsource parses, too."""


def code_of(
    stage: str, recipe: Recipe | None = None, source: str | None = None, medium: str | None = None
) -> dict[str, str]:
    """SHA-256, by module and by template beside a module, of all code that decides the result of `stages/STAGE.py`.

    Args:
        stage: Its name in dvc.yaml.
        recipe: Its networks, losses, ... count if the stage looks names up in the catalog.
        source: The source of `stages.sources` that counts if the stage opens one.
        medium: The medium of `stages.media` that counts if the stage uses one; by default those that a source imports.
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
    """The media that a source imports: before anything is read, its medium is not known otherwise."""
    imported: dict[str, str] = {}
    if source is not None:
        _follow([sources.module_of(source)], imported)
    return [name for name in media.names() if media.place(name).partition(":")[0] in imported]


def _modules_of_metric(name: str) -> Iterator[str]:
    """The modules in which another package's metric is described and measured."""
    yield catalog.place("metric", name).partition(":")[0]
    if measure := catalog.load("metric", name).measure:
        yield measure.partition(":")[0]


def code_behind(module: str) -> dict[str, str]:
    """The same for a module; if it uses the catalog, all its modules count, since the names in use are unknown."""
    found: dict[str, str] = {}
    _follow([module], found)
    if _uses("mintage.catalog", found):
        kinds = [(kind, name) for kind in catalog.BUILT_IN for name in catalog.names(kind)]
        _follow([catalog.place(kind, name).partition(":")[0] for kind, name in kinds], found)
    return found


def files_behind(modules: Iterable[str]) -> set[Path]:
    """All files of code, and templates, that these modules may use, whatever the names in params."""
    found: dict[str, str] = {}
    for module in modules:
        found |= code_behind(module)
    mediums = [place for name in media.BUILT_IN for place in (media.place(name), media.load(name).drawings)]
    by_name = [place.partition(":")[0] for place in mediums]
    _follow([*by_name, *map(sources.module_of, sources.BUILT_IN)], found)
    code = {path for name in found if (path := _file(name))}
    return {path.resolve() for one in code for path in (one, *one.parent.glob("templates/*"))}


def _uses(module: str, found: Iterable[str]) -> bool:
    return any(module in imports_of(path) for path in filter(None, (_file(name) for name in found)))


def _follow(ahead: list[str], found: dict[str, str]) -> None:
    """Add modules, and all that they import, at any depth."""
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
    """The project's modules that a file imports, at its top or in a function, but not only for types."""
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
    """The file of a module of this checkout, or of a package with our entry points; None for any other module.

    Nothing is imported for this, not even the module's package.
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
