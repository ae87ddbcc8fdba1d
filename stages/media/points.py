"""Points of a known distribution: equally likely Gaussians, whose modes can be counted in generated points.

A point of D numbers is a gray picture one pixel high and D wide: a coordinate x is the value x / scale in [-1,1].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mintage.metrics import Metric
from mintage.spelling import american_keys
from stages.media.medium import Medium, Passage, Plots, Shape, Trait, Words

if TYPE_CHECKING:
    from torch import Tensor

    from mintage.mixture import Mixture
    from stages.common.levels import FloatImages

_METRICS = {
    "modes_captured": Metric(
        "modes captured",
        "modes_floor",
        "max",
        "How many of the data's modes have a generated point within three standard deviations.",
        "Lin et al. 2018",
        "count",
        needs="modes",
        guard_only="noise spread wide around the points scores as well as real ones",
    ),
    "high_quality": Metric(
        "high quality",
        "quality_floor",
        "max",
        "The share of generated points within three standard deviations of a mode.",
        "Lin et al. 2018",
        "share",
        needs="modes",
        guard_only="one point made over and over scores better than real ones",
    ),
    "reverse_kl": Metric(
        "reverse KL",
        "reverse_kl_floor",
        "min",
        "How unevenly the generated points are spread over the modes; 0 is even.",
        "Lin et al. 2018",
        needs="modes",
        guard_only="one point a mode, made over and over, scores better than real ones",
    ),
}
_BESIDE = Passage(
    "Real beside generated",
    "As many points that were held out of training, and generated ones, on the same axes: the two should look alike.",
    "Held-out points beside generated ones",
)
_ON_A_LINE = Plots(
    Passage(
        "Generated points",
        "Dotted is the density of the data, solid that of generated points, dashed the best that a discriminator could "
        "say against them: one half everywhere where the two agree.",
        "Generated points",
    ),
    _BESIDE,
    "Dotted is the density of the data, solid the one of generated points; dashed blue is D*(x), the best that a "
    "discriminator could say against them, solid blue what D says, where it gives a probability. At the end both "
    "densities agree, and every D(x) is a half.",
)
_IN_THE_PLANE = Plots(
    Passage(
        "Generated points",
        "Circles show where the modes are, dots what is generated. Look for empty circles, modes that were lost, and "
        "for dots between them.",
        "Generated points",
    ),
    _BESIDE,
    "Circles show where the modes are, dots what is generated.",
)


@dataclass(frozen=True)
class Points(Medium):
    """Points from Gaussians around `centers` `[K,D]` with standard deviation `std`, in their own units."""

    name = "points"
    words = Words("point", "a point", "points", "coordinate", flat="equal in all coordinates")
    drawings = "stages.media.points_plots:PointPlots"
    exact = True
    lacks: ClassVar[Mapping[Trait, str]] = {
        "looks": "the data are points, drawn at random: no pictures",
        "copies": "each point is drawn on its own, so equal ones are chance",
        "spectrum": "points have no spectrum",
        "truncation": "the data are points, whose modes are counted instead",
        "latent pictures": "the data are points, of which only the walks are drawn",
    }
    offers: ClassVar[Mapping[str, str]] = {"modes": "points whose truth is known"}
    metrics = _METRICS
    task = "other"
    unconditional_family = "modern_points"

    centers: list[list[float]]
    std: float
    scale: float

    @property
    def judged_by(self) -> Mapping[str, float]:
        return {"modes_captured": 0.0, "high_quality": 0.0}

    @property
    def dimensions(self) -> int:
        return len(self.centers[0])

    @property
    def shape(self) -> Shape:
        return (1, 1, self.dimensions)

    @property
    def plots(self) -> Plots:
        return _ON_A_LINE if self.dimensions == 1 else _IN_THE_PLANE

    def view(self, shape: Shape) -> str | None:
        """The script, for points on a line and in the plane."""
        return super().view(shape) if self.dimensions <= 2 else None

    def encode(self, sample: "FloatImages") -> tuple[bytes, str]:
        """A point without loss, as a Portable Float Map of values in [0,1]."""
        from stages.common.pictures import encode_pfm

        return encode_pfm((sample[0] + 1) / 2), "pfm"

    def to_json(self) -> dict[str, Any]:
        """Its name and facts; releases have "centres", by which older versions read them."""
        return {"centres" if key == "centers" else key: value for key, value in super().to_json().items()}

    def measure(self, samples: "Tensor", held_out: "Tensor") -> dict[str, float]:
        """Metrics of the points against the true distribution alone."""
        from mintage.metrics.modes import mode_figures

        found = mode_figures(self.coordinates(samples), self.mixture())
        return {
            "modes_captured": found.captured,
            "high_quality": found.high_quality,
            "reverse_kl": found.reverse_kl,
        }

    def mixture(self) -> "Mixture":
        """The points' distribution, in float64 and their own units."""
        import torch

        from mintage.mixture import Mixture

        return Mixture(torch.tensor(self.centers, dtype=torch.float64), self.std)

    def coordinates(self, samples: "Tensor") -> "Tensor":
        """Points `[N,1,1,D]` in [-1,1] in their own units: `[N,D]`."""
        return samples.flatten(1).double() * self.scale

    @classmethod
    def read_former(cls, facts: Mapping[str, Any]) -> "Points | None":
        """The medium from manifests, shards and releases in which it was the "truth"."""
        truth = facts.get("truth")
        return None if truth is None else cls(**american_keys(truth))
