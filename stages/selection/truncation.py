"""Fidelity against variety, as the noise of the selected generator is truncated (Brock et al. 2019, figure 17)."""

from dataclasses import replace
from typing import Any

from mintage.latent_space import Truncated
from mintage.players import Generator
from stages.common.params import Select
from stages.common.stage import progress_bar
from stages.selection.cache import Cache, code_digest, key_of
from stages.selection.extraction import Extraction, Judge
from stages.selection.figures import MEASUREMENTS, Measurements, conditional, frechet, manifolds, neighborhoods
from stages.selection.measure import floors, generated, measured
from stages.selection.metrics import METRICS
from stages.selection.reference import Reference
from stages.selection.rule import Row

MOST = 2000
"""Images for a threshold, at most."""
FIDELITY, VARIETY = "precision", "recall"
_NEEDED = ("frechet_distance", FIDELITY, VARIETY)
_SHOWN = (*_NEEDED, "coverage", "conditional_accuracy")
_MEASUREMENTS: Measurements = {
    function: MEASUREMENTS[function] for function in (frechet, manifolds, neighborhoods, conditional)
}
COLUMNS = ["threshold", "samples", *(column for name in _SHOWN for column in (name, METRICS[name].floor))]


def truncation_curve(generator: Generator, real: Reference, known: Cache, params: Select) -> list[Row]:
    """A row of `COLUMNS` for each threshold, the lowest first, all from the same latents; the last is not truncated.

    Floors are of as many real images. Raises ValueError with the reason if there is no such curve.
    """
    if reason := real.medium.lacks.get("truncation"):
        raise ValueError(reason)
    if generator.config.translates:
        raise ValueError("the images are made of others, not of noise that could be cut")
    if real.to is not None:
        raise ValueError("each domain would have a curve of its own")
    if generator.config.latent_distribution != "normal":
        raise ValueError("the latents are uniform on [-1,1], and have no tails to cut")
    if not params.truncation:
        raise ValueError("select.truncation is []")
    reference = _of_count(real, min(MOST, real.samples))
    of_real = floors(reference).figures

    def row(limit: float | None) -> Row:
        def generate() -> Extraction:
            return generated(generator if limit is None else Truncated(generator, limit), reference)

        key = f"truncation-{key_of(reference.key, limit, code_digest(Judge, generated, Truncated))}"
        found = measured(generate, reference, known, key, _MEASUREMENTS)
        if missing := [found.absent[name] for name in _NEEDED if name in found.absent]:
            raise ValueError(missing[0])
        cells = {name: found.figures.get(name) for name in _SHOWN} | {METRICS[n].floor: of_real.get(n) for n in _SHOWN}
        return {"threshold": limit, "samples": reference.samples} | cells

    limits, rows = [*sorted(set(params.truncation)), None], list[Row]()
    with progress_bar("truncation", len(limits) * reference.samples) as bar:
        for limit in limits:
            rows.append(row(limit))
            bar.update(reference.samples)
    return rows


def facts_of(rows: list[Row]) -> dict[str, Any]:
    """`truncation` of selection.json: which columns are fidelity and variety, and the curve in two sentences."""
    text, last = METRICS[FIDELITY].text, rows[-1]
    real = max(rows, key=lambda row: (row[FIDELITY], row["threshold"] is None))
    near = min(rows, key=lambda row: row["frechet_distance"])
    trade_off = (
        f"Precision is highest {_describe_limit(real)}: {text(real[FIDELITY])}, with a recall of {text(real[VARIETY])}"
    )
    if real is not last:
        trade_off += f"; without truncation they are {text(last[FIDELITY])} and {text(last[VARIETY])}"
    distance = METRICS["frechet_distance"].text(near["frechet_distance"])
    sentence = f"{trade_off}. The Frechet distance is lowest {_describe_limit(near)}: {distance}."
    return {"samples": last["samples"], "fidelity": FIDELITY, "variety": VARIETY, "sentence": sentence}


def _describe_limit(row: Row) -> str:
    limit = row["threshold"]
    return "without truncation" if limit is None else f"with the noise truncated at {limit:g}"


def _of_count(real: Reference, count: int) -> Reference:
    """The same real images, to compare with another number of generated ones."""
    return real if count == real.samples else replace(real, samples=count, key=key_of(real.key, count))
