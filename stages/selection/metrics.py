"""What a checkpoint is measured by: metrics by name, each with the column of its floor."""

from typing import Any

from torch import Tensor

from gan.metrics.modes import mode_figures
from stages.common.points import in_units, mixture_of
from stages.common.truth import Truth

FLOORS = {
    "frechet_distance": "frechet_floor",
    "kernel_distance": "kernel_floor",
    "conditional_accuracy": "accuracy_floor",
    "modes_captured": "modes_floor",
    "high_quality": "quality_floor",
    "reverse_kl": "reverse_kl_floor",
}


def metrics_in(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The metrics that a row of figures has, with the names of their floors, in the order in which people read them."""
    return [(metric, floor) for metric, floor in FLOORS.items() if metric in row]


def modes_of(images: Tensor, truth: Truth) -> dict[str, Any]:
    """The figures of points `[N,1,1,D]` in [-1,1] against the truth."""
    found = mode_figures(in_units(images, truth), mixture_of(truth))
    return {"modes_captured": found.captured, "high_quality": found.high_quality, "reverse_kl": found.reverse_kl}
