"""The results of a sweep: the trials' figures beside their floors, which trials are comparable, and the best."""

from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal

from flows.page import SELECTION
from flows.trials import Sweep, Trial
from flows.workspace import PARAMS
from stages.common.files import read_json
from stages.common.params import Params, load_params
from stages.common.yaml_files import parse_yaml
from stages.reporting.selection import Selection
from stages.reporting.words import aligned, count
from stages.selection.metrics import METRICS
from stages.summary import WIDTH, metric_rows

_RULE = ("metric", "samples", "seed", "features", "curve")
_JUDGES = ("models/evaluator", "data/normalized/holdout")
_NARROWEST = 20
"""Characters of a terminal's column with overrides, at least."""

Row = dict[str, str]


@dataclass(frozen=True)
class Ending:
    """How a trial ended."""

    state: Literal["finished", "failed"]
    seconds: float
    targets: list[str]
    """The stages that it should run; none means all."""
    sentence: str = ""
    """Why it failed, in a sentence."""
    selection: dict[str, Any] | None = None
    """Its `metrics/selection.json`, if it measured."""
    measured_by: dict[str, Any] = field(default_factory=dict)
    """How figures were measured; it is equal in trials whose figures are comparable."""

    @property
    def value(self) -> float | None:
        """The value of the selection metric."""
        return None if self.selection is None else self.selection[self.selection["metric"]]


def read_measures(workspace: Path) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The selected checkpoint's figures, and how they were measured: the rule, the evaluator, the holdout."""
    if not (workspace / SELECTION).exists():
        return None, {}
    select = load_params(workspace / PARAMS).select
    rule = {f"select.{name}": getattr(select, name) for name in _RULE}
    stages = parse_yaml((workspace / "dvc.lock").read_bytes())["stages"].values()
    by = next(stage for stage in stages if str(SELECTION) in [out["path"] for out in stage.get("outs", [])])
    judges = {dep["path"]: dep["md5"] for dep in by["deps"] if dep["path"] in _JUDGES}
    return Selection.model_validate(read_json(workspace / SELECTION)).model_dump(), rule | judges


def foreseen(params: list[Params]) -> str:
    """Why trials of these params may not compare, and what helps: a sentence; empty where nothing tells so."""
    lengths = sorted({one.evaluator.images_for(one.train.images) for one in params})
    if len(lengths) < 2:
        return ""
    return (
        f"trials will be measured by evaluators of {' and '.join(map(count, lengths))} images, so their figures may "
        f"not compare: stop, and add -S evaluator.images={lengths[-1]}"
    )


def best(endings: dict[int, Ending]) -> list[int]:
    """The best trial by the selection metric, the first of equal ones; one for each way of measuring."""
    found: list[int] = []
    for trial, ending in sorted(endings.items()):
        if ending.value is None:
            continue
        rival = next((other for other in found if endings[other].measured_by == ending.measured_by), None)
        if rival is None:
            found.append(trial)
        elif _better(ending, endings[rival]):
            found[found.index(rival)] = trial
    return sorted(found)


def verdict(sweep: Sweep, endings: dict[int, Ending]) -> str:
    """A sentence with the best trial, or why no trial can be called the best."""
    found = best(endings)
    if not found:
        return "no trial was measured, so none is the best"
    trials = [sweep.trials[winner - 1] for winner in found]
    named = ", ".join(f"{trial.experiment} ({_own(sweep, trial) or 'params.yaml as it is'})" for trial in trials)
    if len(found) == 1:
        return f"best by the rule '{_rule(endings[found[0]])}': {named}"
    ways = [endings[winner].measured_by for winner in found]
    differing = [name for name in ways[0] | ways[-1] if len({way.get(name) for way in ways}) > 1]
    return (
        f"trials were measured with different {' and '.join(differing)}, so their figures do not compare; "
        f"the best of those measured alike: {named}"
    )


def table(sweep: Sweep, endings: dict[int, Ending]) -> list[Row]:
    """A row for each trial: overrides, state, seconds, verdict, and each figure beside its floor."""
    winners = best(endings)
    rows = []
    for trial in sweep.trials:
        ending = endings[trial.number]
        row = {"trial": trial.experiment, "overrides": _own(sweep, trial), "state": ending.state}
        row |= {"seconds": f"{ending.seconds:.0f}", **_figures(ending)}
        rows.append(row | {"best": "*" if trial.number in winners else "", "why": ending.sentence})
    columns = {name: None for row in rows for name, cell in row.items() if cell}
    return [{name: row.get(name, "") for name in columns} for row in rows]


def as_text(rows: list[Row]) -> str:
    """The whole table with tabs, for a file."""
    return "".join("\t".join(cells) + "\n" for cells in [list(rows[0]), *(list(row.values()) for row in rows)])


def main_columns(rows: list[Row], endings: dict[int, Ending]) -> list[Row]:
    """Of the table what one asks first: what was varied, the selection metric, the verdict."""
    metrics = [METRICS[one.selection["metric"]].title for one in endings.values() if one.selection]
    asked = ["trial", "overrides", *dict.fromkeys(f"{metric} (real)" for metric in metrics)]
    return [
        {name: row[name] for name in asked if name in row}
        | {"verdict": row.get("verdict") or row["state"], "best": row.get("best", "")}
        for row in rows
    ]


def printed(rows: list[Row], width: int = WIDTH) -> str:
    """A table of at most `width` characters for a terminal; overrides that are too long go on below."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    place, too_wide = list(rows[0]).index("overrides"), sum(widths) + 2 * len(widths) - 2 - width
    widths[place] -= max(0, min(too_wide, widths[place] - _NARROWEST))
    wrapped = [[wrap(cell, size) for cell, size in zip(line, widths, strict=True)] for line in lines]
    broken = [cells for line in wrapped for cells in zip_longest(*line, fillvalue="")]
    return aligned(broken)


def reasons(rows: list[Row]) -> str:
    """A line for each trial that failed, with the reason."""
    return "\n".join(f"{row['trial']}: {row['why']}" for row in rows if row.get("why"))


def _better(one: Ending, other: Ending) -> bool:
    assert one.value is not None
    assert other.value is not None
    lower_is_better = METRICS[one.measured_by["select.metric"]].direction == "min"
    return one.value < other.value if lower_is_better else one.value > other.value


def _rule(ending: Ending) -> str:
    return "" if ending.selection is None else str(ending.selection["rule"])


def _own(sweep: Sweep, trial: Trial) -> str:
    """The trial's overrides that not all trials have; all its overrides if there is no such one."""
    own = [one for one in trial.overrides if not all(one in overrides for overrides in sweep.overrides)]
    return " ".join(own or trial.overrides)


def _figures(ending: Ending) -> Row:
    if ending.selection is None:
        return {}
    selection = Selection.model_validate(ending.selection)
    level = {} if selection.verdict is None else {"verdict": selection.verdict.level}
    _, *rows = metric_rows(selection)
    figures = {f"{name} (real)": f"{generated} ({real.split(' (')[0]})" for name, generated, real in rows if name}
    return {**level, **figures, "samples": count(selection.samples)}
