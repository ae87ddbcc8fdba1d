"""What the site remembers of each release, so that pages that list many of them need not read them again."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Figure(BaseModel):
    """A figure as it is shown, with what real images reach."""

    model_config = ConfigDict(frozen=True)

    metric: str
    title: str
    value: str
    floor: str
    number: float
    floor_number: float
    error: str | None
    samples: int
    higher: bool
    """Whether higher is better."""


class Entry(BaseModel):
    model_config = ConfigDict(frozen=True)

    release: str
    key: str
    """A digest of all that its page depends on: while it is the same, the page is not written again."""
    published: float
    """Seconds since 1970, by the store's clock."""
    channels: list[str]
    example: str | None
    """The example that published it."""
    data: str
    license: str
    family: str
    classes: int
    images: int
    level: Literal["good", "fair", "poor", "unknown"]
    verdict: str
    """A sentence; empty where none was given."""
    figures: list[Figure]
    """The metric of the selection comes first."""
    width: int
    height: int
    """Of its picture, in pixels."""
    explorable: bool
    """Whether a browser can run its generator and show the samples."""
    explored: bool
    """Whether its page does so."""
    params: dict[str, str]
    """Each param of each stage, by its dotted name, and each axis of the recipe."""

    @property
    def title(self) -> str:
        return f"{self.family} on {self.data}"

    @property
    def day(self) -> str:
        return datetime.fromtimestamp(self.published, UTC).strftime("%Y-%m-%d")

    @property
    def distance(self) -> float | None:
        """Its first figure as a multiple of what real images reach, 1 the best; None unless both are above 0."""
        first = self.figures[0] if self.figures else None
        if first is None or first.number <= 0 or first.floor_number <= 0:
            return None
        return first.floor_number / first.number if first.higher else first.number / first.floor_number
