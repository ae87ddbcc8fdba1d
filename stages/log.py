"""Send the figures of this checkout's training and checkpoints to TensorBoard or MLflow.

    python -m stages.log --to logs                    # a folder for TensorBoard: `tensorboard --logdir logs`
    python -m stages.log --to http://127.0.0.1:5000   # an MLflow server
    python -m stages.log --to logs --follow           # while it trains, and then the next one, until Ctrl-C

Reads metrics/train.tsv, metrics/checkpoints.tsv, plots/training/ and params.yaml, and changes none of them.
"""

import csv
import json
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import httpx
import numpy as np
from PIL import Image

from stages.common.errors import TemporaryError, UserError, counted, run_stage
from stages.common.nested import flat
from stages.common.params import load_params
from stages.common.stage import parser_of

TABLES = {"train": Path("metrics/train.tsv"), "checkpoints": Path("metrics/checkpoints.tsv")}
PICTURES = Path("plots/training")
STEP = "images"
"""The column with the images seen when a row was measured."""
EVERY = 1.0
"""Seconds between two reads of the tables."""
EXPERIMENT = "mintage"
_AT_A_TIME, _LONGEST = 900, 500
"""Limits of an MLflow server: metrics, or tens of params, in a request; characters of a param's value."""

_SERVER = re.compile(r"[\w.-]+:\d+(/.*)?")
"""A server's name and port, which is no usual name of a folder."""

Row = tuple[int, dict[str, float]]
"""Images seen, and figures by name."""


class Run(Protocol):
    """A tracker's run: a training and its measured checkpoints."""

    def add_params(self, params: Mapping[str, str]) -> None: ...

    def add_figures(self, step: int, figures: Mapping[str, float]) -> None: ...

    def add_picture(self, step: int, picture: bytes) -> None: ...

    def end(self, failed: bool) -> None: ...


def main() -> None:
    parser = parser_of("stages.log", __doc__)
    parser.add_argument(
        "--to", required=True, metavar="PLACE", help="a folder (TensorBoard) or a server's URL (MLflow)"
    )
    parser.add_argument("--name", help="of the run (default: the family and the time)")
    parser.add_argument("--follow", action="store_true", help="go on as rows come, a run for each training")
    asked = parser.parse_args()
    if not asked.follow and not tables(follow=False)["train"]:
        raise UserError("output-missing", f"{TABLES['train']} has no rows: train first, or ask to --follow")
    try:
        for number in count(1):
            name = asked.name and asked.name + f"-{number}" * (number > 1)
            while not tables(asked.follow)["train"]:
                time.sleep(EVERY)
            run, failed = started(asked.to, name), True
            try:
                rows = log(run, asked.follow)
                failed = False
            except KeyboardInterrupt:
                failed = False
                raise
            finally:
                run.end(failed)
            print(f"logged {counted(rows, 'row')} to {asked.to}")
            if not asked.follow:
                return
    except httpx.HTTPStatusError as error:
        raise UserError("tracker-refuses", f"--to = {asked.to}: {_reason(error.response)}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TemporaryError(
            "tracker-unreachable", f"--to = {asked.to} cannot be reached ({error}): does an MLflow server run there?"
        ) from None


def log(run: Run, follow: bool) -> int:
    """Add all rows, and with `follow` new ones until another training begins; returns how many."""
    run.add_params(params_of(load_params().model_dump(mode="json")))
    done: dict[str, list[Row]] = {name: [] for name in TABLES}
    drawn: set[int] = set()
    while True:
        found = tables(follow)
        if found["train"] and found["train"][: len(done["train"])] != done["train"]:
            break
        for name, rows in found.items():
            for step, figures in rows[len(done[name]) :]:
                run.add_figures(step, {f"{name}/{column}": value for column, value in figures.items()})
                done[name].append((step, figures))
        for step, path in pictures():
            if step not in drawn:
                run.add_picture(step, path.read_bytes())
                drawn.add(step)
        if not follow:
            break
        time.sleep(EVERY)
    return sum(map(len, done.values()))


def tables(follow: bool) -> dict[str, list[Row]]:
    """The rows of each table; while a training is followed, without the checkpoints of the last training."""
    found = {name: list(rows_of(path)) for name, path in TABLES.items()}
    if follow and found["train"] and found["checkpoints"]:
        trained, measured = (TABLES[name].stat().st_mtime for name in ("train", "checkpoints"))
        if measured < trained:
            found["checkpoints"] = []
    return found


def rows_of(path: Path) -> Iterator[Row]:
    """The images seen and the measured figures of each row; empty if there is no table."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return
    for row in csv.DictReader(text.splitlines(), delimiter="\t"):
        read = {name: _number(cell) for name, cell in row.items()}
        step = read.pop(STEP, None)
        if step is None:
            raise UserError("output-damaged", f"{path} has a row without {STEP}: make it again (`dvc repro`)")
        yield int(step), {name: value for name, value in read.items() if value is not None}


def _number(cell: str | None) -> float | None:
    try:
        value = float(cell or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def pictures() -> Iterator[tuple[int, Path]]:
    """The pictures of the generator's samples from the same latents, by images seen."""
    for path in sorted(PICTURES.glob("images-*.png")):
        yield int(path.stem.removeprefix("images-")), path


def params_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Params as `section.key`, each value as text."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in flat(values).items()}


def started(place: str, name: str | None) -> Run:
    """A new run in a TensorBoard folder, or on an MLflow server."""
    called = name or f"{load_params().train.family}-{datetime.now():%Y-%m-%d-%H%M%S}"
    if place.startswith(("http://", "https://")):
        return MlflowRun(place, called)
    if "://" in place or (_SERVER.fullmatch(place) and not Path(place).exists()):
        raise UserError(
            "tracker-unknown",
            f"--to = {place} is neither a folder nor an MLflow server: a server's address begins with http:// or https://",
        )
    return TensorBoardRun(Path(place, called))


class TensorBoardRun:
    """A run as event files, by the package tensorboard."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UserError(
                "tracker-needs-tensorboard",
                "TensorBoard's files need its package: run `pip install -c requirements/constraints.txt "
                "-r requirements/tensorboard.txt`",
            ) from None
        if folder.exists():
            raise UserError("run-exists", f"{folder} is there already: name another run by --name, or remove it")
        self._writer: Any = SummaryWriter(folder)

    def add_params(self, params: Mapping[str, str]) -> None:
        rows = "".join(f"| {name} | {value.replace('|', '¦')} |\n" for name, value in params.items())
        self._writer.add_text("params", f"| param | value |\n| --- | --- |\n{rows}")

    def add_figures(self, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def add_picture(self, step: int, picture: bytes) -> None:
        levels = np.asarray(Image.open(BytesIO(picture)).convert("RGB"))
        self._writer.add_image("samples", levels, step, dataformats="HWC")

    def end(self, failed: bool) -> None:
        self._writer.close()


class MlflowRun:
    """A run by MLflow's REST API 2.0; MLflow's own client conflicts with this project's packages.

    The environment's MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, are used.
    """

    def __init__(self, url: str, name: str) -> None:
        given = os.environ.get
        token, user = given("MLFLOW_TRACKING_TOKEN"), given("MLFLOW_TRACKING_USERNAME")
        auth = httpx.BasicAuth(user, given("MLFLOW_TRACKING_PASSWORD", "")) if user and not token else None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=url, auth=auth, headers=headers, timeout=60)
        made = self._ask("runs/create", experiment_id=self._experiment(), run_name=name, start_time=_now())
        self._id = made["run"]["info"]["run_id"]

    def add_params(self, params: Mapping[str, str]) -> None:
        known = [{"key": name, "value": value[:_LONGEST]} for name, value in params.items()]
        for first in range(0, len(known), _AT_A_TIME // 10):
            self._ask("runs/log-batch", run_id=self._id, params=known[first : first + _AT_A_TIME // 10])

    def add_figures(self, step: int, figures: Mapping[str, float]) -> None:
        now = _now()
        metrics = [{"key": name, "value": value, "step": step, "timestamp": now} for name, value in figures.items()]
        for first in range(0, len(metrics), _AT_A_TIME):
            self._ask("runs/log-batch", run_id=self._id, metrics=metrics[first : first + _AT_A_TIME])

    def add_picture(self, step: int, picture: bytes) -> None:
        """The REST API takes no files."""

    def end(self, failed: bool) -> None:
        self._ask("runs/update", run_id=self._id, status="FAILED" if failed else "FINISHED", end_time=_now())
        self._client.close()

    def _experiment(self) -> str:
        try:
            answer = self._client.get("/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": EXPERIMENT})
            return str(_checked(answer)["experiment"]["experiment_id"])
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
        return str(self._ask("experiments/create", name=EXPERIMENT)["experiment_id"])

    def _ask(self, what: str, **body: Any) -> Any:
        return _checked(self._client.post(f"/api/2.0/mlflow/{what}", json=body))


def _reason(answer: httpx.Response) -> str:
    """The status and MLflow's message; an answer that is a web page is most likely from another server."""
    try:
        said = str(answer.json()["message"])[:200]
    except (ValueError, KeyError, TypeError):
        said = f"{answer.reason_phrase or 'no reason given'}: is it an MLflow server?"
    return f"{answer.status_code}, {said}"


def _checked(answer: httpx.Response) -> Any:
    answer.raise_for_status()
    try:
        return answer.json()
    except json.JSONDecodeError:
        raise UserError("tracker-refuses", f"{answer.url} answers no JSON: is it an MLflow server?") from None


def _now() -> int:
    return int(1000 * time.time())


if __name__ == "__main__":
    run_stage(main)
