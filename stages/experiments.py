"""List what was tried, the experiments that DVC knows, in as many columns as a terminal has.

A row an experiment: the verdict, the figures that decide it, and the params in which experiments differ. All other
columns, hundreds of them, are in `dvc exp show`. Writes nothing.
"""

import csv
import shutil
import subprocess
from collections.abc import Sequence

from mintage.metrics import number, percent
from stages.common.changes import differ
from stages.common.dvc import dvc_command, reason_of
from stages.common.errors import UserError, run_stage
from stages.common.params import Params
from stages.common.sections import names
from stages.common.stage import parser_of
from stages.reporting.words import aligned, count
from stages.selection.quality import LEVELS
from stages.summary import WIDTH

FIGURES = {
    "verdict.level": "verdict",
    "frechet_distance": "Frechet",
    "conditional_accuracy": "accuracy",
    "classification_accuracy_score.generated": "score",
    "metrics/selection.json:images": "images",
}
"""Columns of DVC, and their titles here."""
FLOOR = "frechet_floor"
"""What real images reach: another where data, evaluator or number of samples are others."""
SHARES = ("conditional_accuracy", "classification_accuracy_score.generated")
LONGEST = 20
"""Most characters of a cell."""
Row = dict[str, str]


def main() -> None:
    parser = parser_of("stages.experiments", __doc__)
    parser.add_argument("-A", "--all-commits", action="store_true", help="those of earlier commits, too")
    parser.add_argument("-n", "--num", type=int, default=1, help="those of so many last commits")
    arguments = parser.parse_args()
    known = ["--all-commits"] if arguments.all_commits else ["--num", str(arguments.num)]
    print(table(experiments(known), shutil.get_terminal_size((WIDTH, 24)).columns))


def experiments(arguments: Sequence[str]) -> list[Row]:
    """A row for each experiment, with all of DVC's columns: the workspace, the commits, and each one's experiments."""
    command = dvc_command("exp", "show", "--csv", "--no-pager", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError("experiments-unavailable", f"dvc cannot show experiments: {reason_of(done)}")
    return list(csv.DictReader(done.stdout.splitlines()))


def table(rows: list[Row], width: int = WIDTH) -> str:
    """Lines of at most `width` characters; params without room are counted below.

    DVC writes "!" if a commit has no such file, as before the first dvc.lock is committed.
    """
    rows = [{name: "" if value == "!" else value for name, value in row.items()} for row in rows]
    of_other_data = len({row[FLOOR] for row in rows if row.get(FLOOR)}) > 1
    columns = [["experiment", *(row["Experiment"] or row["rev"] for row in rows)]]
    for name, title in FIGURES.items():
        columns += [[title, *(figure(row, name) for row in rows)]] if has(rows, name) else []
        if name == "frechet_distance" and of_other_data:
            columns.append(["of real", *(figure(row, FLOOR) for row in rows)])
    columns = [[cut(cell) for cell in column] for column in columns]
    left_out = 0
    for name in differing(rows):
        column = [name, *(cut(row[name] or "–") for row in rows)]
        if sum(max(map(len, one)) + 2 for one in [*columns, column]) <= width:
            columns.append(column)
        else:
            left_out += 1
    notes = ["  Frechet distances compare only where that of real images is the same"] if of_other_data else []
    notes += [f"  {differ(left_out)}: dvc exp show --only-changed"] if left_out else []
    return "\n".join([aligned(zip(*columns, strict=True), "  "), *notes])


def differing(rows: list[Row]) -> list[str]:
    """The params that differ between rows, as `section.key`."""
    sections = tuple(f"{section}." for section in names(Params))
    columns = [name for name in (rows[0] if rows else []) if name.startswith(sections)]
    return [name for name in columns if len({row[name] for row in rows}) > 1]


def has(rows: list[Row], name: str) -> bool:
    return any(row.get(name) for row in rows)


def figure(row: Row, name: str) -> str:
    """A figure as the report writes it; a dash if it was not measured."""
    value = row.get(name)
    if not value:
        return "–"
    if name == "verdict.level":
        return LEVELS.get(value, value).lower()
    if name in SHARES:
        return percent(float(value))
    return count(int(float(value))) if name.endswith("images") else number(float(value))


def cut(cell: str) -> str:
    return cell if len(cell) <= LONGEST else cell[: LONGEST - 1] + "…"


if __name__ == "__main__":
    run_stage(main)
