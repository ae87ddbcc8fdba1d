"""The checkpoints' figures as lines of text."""

from collections.abc import Mapping

from mintage.metrics import Metric
from stages.common.params import Select
from stages.media.medium import Words
from stages.selection.metrics import METRICS
from stages.selection.rule import Row

WIDTH = 100
"""Characters in a line of a terminal."""


def table(
    rows: list[Row],
    chosen: int,
    params: Select,
    held_out: int,
    beside: Mapping[str, Row] | None = None,
    *,
    words: Words | None = None,
) -> str:
    """A line for each checkpoint, the chosen one marked; for each row `beside` them, by name, such as the sources
    themselves; and for real images.

    The metrics of the rule come first, then as many others as fit into a terminal. The last lines have the numbers of
    images, `held_out` ones among them. Texts are in the medium's `words`.
    """
    words, beside = words or Words(), beside or {}
    others = [*beside.values()]
    marks = ["", *("->" if index == chosen else "" for index in range(len(rows))), *("" for _ in others), ""]
    images = [words.many, *(f"{row['images']:,}" for row in rows), *beside, f"real {words.many}"]
    shown = [_column(name, METRICS[name], [*rows, *others], words) for name in _ordered(rows, params)]
    columns = [marks, images]
    for column in shown:
        if sum(max(map(len, one)) + 2 for one in [*columns, column]) <= WIDTH or len(columns) == 2:
            columns.append(column)
    widths = [max(map(len, column)) for column in columns]
    lines = ["  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in zip(*columns, strict=True)]
    counts = f"on {rows[0]['samples']:,} generated images a checkpoint and as many training images (real images)"
    more = [f"all {len(shown)} metrics: metrics/checkpoints.tsv"] if len(shown) + 2 > len(columns) else []
    return "\n".join([*lines, words.said(f"{counts}, each against {held_out:,} held-out ones"), *more])


def _ordered(rows: list[Row], params: Select) -> list[str]:
    first = [params.metric, *(guard.metric for guard in params.guards)]
    return [name for name in dict.fromkeys([*first, *METRICS]) if any(name in row for row in rows)]


def _column(name: str, metric: Metric, rows: list[Row], words: Words) -> list[str]:
    floor = next(metric.of_real(row) for row in rows if metric.floor in row)
    return [words.said(metric.title), *(_format_figure(row, name, metric) for row in rows), floor]


def _format_figure(row: Row, name: str, metric: Metric) -> str:
    return metric.with_error(row.get(name), row.get(metric.error or ""))
