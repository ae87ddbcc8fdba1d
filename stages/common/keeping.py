"""Saves the states of `mintage.learning.Learning`, so that it resumes as training does."""

import time

from mintage.learning import Learning
from stages.common.changes import explain_restart
from stages.common.energy import Meter
from stages.common.resume import Resume

EVERY = 60.0
"""Seconds between states."""


class Keeper:
    """Keeps the last state in `resume`, with its cost beside it, which `meter` continues."""

    def __init__(self, resume: Resume, meter: Meter) -> None:
        self.resume, self.meter = resume, meter
        self._saved = time.monotonic()
        self.images_seen = 0

    def load(self, learning: Learning) -> None:
        if found := self.resume.latest(learning.schedule.images):
            tensors, facts = found
            learning.load(tensors, facts["images_seen"])
            self.meter.before = self.resume.cost(learning.images_seen)
            print(f"going on from {learning.images_seen:,} images")
        elif former := self.resume.former():
            print(explain_restart("the evaluator", "evaluator", former))
        self.images_seen, self._saved = learning.images_seen, time.monotonic()

    def after(self, learning: Learning) -> None:
        self.images_seen = learning.images_seen
        if time.monotonic() - self._saved > EVERY and learning.step < learning.steps:
            self.resume.note(self.images_seen, self.meter.cost(on_gpu=learning.real.device.type == "cuda"))
            self.resume.roll((learning.state(), {"images_seen": self.images_seen}))
            self._saved = time.monotonic()
