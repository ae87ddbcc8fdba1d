"""The pipeline as DVC knows it: stages in the order in which they can run, with their facts from dvc.yaml."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mintage.nearest import nearest
from stages.common.dvc import runnable_stages, settle_git
from stages.common.dvc_file import Meta, read_meta
from stages.common.errors import UserError, one_line


@dataclass(frozen=True)
class Stage:
    name: str
    upstream: tuple[str, ...]
    """The stages whose outputs it reads."""
    meta: Meta
    metrics: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    """The dotted keys of params.yaml on which it depends."""


Graph = dict[str, Stage]


def load_graph(workspace: Path) -> Graph:
    """Every stage by name, each after all that it depends on. Raises UserError if dvc.yaml is not valid."""
    import networkx
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    if (own := workspace / "dvc.yaml").exists():
        runnable_stages(own)  # says more than DVC of what is wrong
    settle_git(workspace)  # for all DVC commands of this process and of its run
    try:
        with Repo(str(workspace)) as repo:
            graph = repo.index.graph  # an edge points from a stage to a stage that it depends on
            ordered = networkx.lexicographical_topological_sort(graph.reverse(), key=_place_in(repo.index.stages))
            stages = [_stage(found, graph, workspace) for found in ordered if found.cmd]
    except DvcException as error:
        raise UserError(
            "pipeline-unreadable", f"the pipeline in {workspace} cannot be read: {one_line(error, None)}"
        ) from None
    return {stage.name: stage for stage in stages}


def with_upstream(graph: Graph, targets: list[str]) -> Graph:
    """The targets and all that they depend on; the whole graph without targets."""
    wanted: set[str] = set()
    ahead = list(targets or graph)
    while ahead:
        name = ahead.pop()
        if name not in graph:
            raise UserError("stage-unknown", f"there is no stage {name!r} in dvc.yaml{nearest(name, list(graph))}")
        if name not in wanted:
            wanted.add(name)
            ahead += graph[name].upstream
    return {name: stage for name, stage in graph.items() if name in wanted}


def unchanged(workspace: Path, name: str) -> bool:
    """Whether `dvc repro` would skip this stage: its command, deps, params and outputs are those of dvc.lock."""
    from dvc.repo import Repo

    with Repo(str(workspace)) as repo, repo.lock:
        found = next(stage for stage in repo.index.stages if stage.cmd and _name(stage, workspace) == name)
        return not found.changed()


def _place_in(stages: list[Any]) -> Callable[[Any], int]:
    place = {stage: index for index, stage in enumerate(stages)}
    return lambda stage: place[stage]


def _name(found: Any, workspace: Path) -> str:
    """The stage's name for `dvc repro` in the workspace. DVC's own `addressing` depends on the current folder."""
    path = _path(found.path, workspace)
    return str(found.name) if path == "dvc.yaml" else f"{path}:{found.name}"


def _stage(found: Any, graph: Any, workspace: Path) -> Stage:
    name = _name(found, workspace)
    return Stage(
        name=name,
        upstream=tuple(_name(other, workspace) for other in graph.successors(found) if other.cmd),
        meta=read_meta(found.meta, name),
        metrics=tuple(_path(out.fs_path, workspace) for out in found.outs if out.metric),
        plots=tuple(_path(out.fs_path, workspace) for out in found.outs if out.plot),
        params=tuple(key for dep in found.deps if _is_params(dep) for key in dep.params),
    )


def _is_params(dep: Any) -> bool:
    """Whether a dependency is on keys of params.yaml, and not of another file."""
    return bool(getattr(dep, "params", None)) and Path(dep.fs_path).name == "params.yaml"


def _path(path: str, workspace: Path) -> str:
    return str(Path(path).relative_to(workspace.resolve()))


def has_remote(workspace: Path) -> bool:
    """Whether DVC's settings name a default remote; True where they are damaged, which DVC has words for."""
    from dvc.config import Config, ConfigError

    try:
        return bool(Config(str((workspace / ".dvc").resolve()))["core"].get("remote"))
    except ConfigError:
        return True
