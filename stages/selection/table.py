"""The checkpoints' figures as lines of text."""

from stages.selection.metrics import metrics_in
from stages.selection.rule import Row


def table(rows: list[Row], chosen: int) -> str:
    """A line a checkpoint, the chosen one marked, and a last line with what real images reach."""
    figures = metrics_in(rows[0])
    lines = [["", "images", *(about.title for about in figures.values())]]
    for index, row in enumerate(rows):
        mark = "->" if index == chosen else ""
        lines.append([mark, f"{row['images']:,}", *(_shown(row, metric) for metric in figures)])
    lines.append(["", "real images", *(f"{rows[0][about.floor]:.4g}" for about in figures.values())])
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    body = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([*body, f"on {rows[0]['samples']:,} generated images a checkpoint"])


def _shown(row: Row, metric: str) -> str:
    error = f" ± {row['kernel_error']:.1g}" if metric == "kernel_distance" else ""
    return f"{row[metric]:.4g}{error}"
