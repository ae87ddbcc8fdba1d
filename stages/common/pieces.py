"""What the finished pieces of a stage's work took, kept beside them: a run that goes on adds to it."""

from dataclasses import asdict
from pathlib import Path

from stages.common.energy import Cost, Meter
from stages.common.files import read_json, write_json


class Pieces:
    """The cost of what is finished in `folder`; `meter` counts on from there."""

    def __init__(self, folder: Path, meter: Meter | None) -> None:
        self._path, self._meter = folder / "cost.json", meter or Meter()
        self._meter.before = Cost(**read_json(self._path)) if self._path.exists() else Cost()

    def note(self) -> None:
        """Called when another piece is finished."""
        write_json(self._path, asdict(self._meter.cost(on_gpu=False)))
