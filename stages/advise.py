"""Recommend a family, size and number of images for the data that ingest brought, and say the minutes it takes here.

Reads data/raw, params.yaml, examples/ and the tables of docs/families.md and docs/benchmarks.md; measures for some
seconds how fast a family learns on this machine; writes nothing. Figures are those that were measured on the examples'
data: yours will differ.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from math import prod
from operator import le
from pathlib import Path
from typing import Any

from mintage.budget import FULL
from mintage.catalog import ENLARGING
from mintage.families import FAMILIES, recipe_of
from mintage.recipes import condition_of
from stages.advising.looks import Looks, Sides, look
from stages.advising.speed import changes_of, images_per_second
from stages.common.dvc import has_changed
from stages.common.errors import UserError, run_stage
from stages.common.foresight import Known, foreseen
from stages.common.params import Ingest, Params, load_params
from stages.common.provenance import made_by
from stages.common.stage import parser_of
from stages.examples import Example, load_all
from stages.media.medium import Medium
from stages.reporting.words import aligned
from stages.selection.metrics import METRICS
from stages.sources import medium_from

RAW, EXAMPLES, FAMILIES_PAGE = Path("data/raw"), Path("examples"), Path("docs/families.md")
BENCHMARKS_PAGE = Path("docs/benchmarks.md")
LISTED = 3
_SIDES = (8, 16, 24, 28, 32, 48, 64)
"""What the shorter side may be; the other keeps the ratio in steps of"""
_STEP = 4
_MOST_ON_A_CPU = 32
_FEW = 3000
_ROUND = 1000
_WORTH = 4
"""Larger images are worth it as long as so small a part of the example's number of them fits into the minutes."""
_MOVED = ("translation", "cutout")
"""By which a discriminator does not learn few images by heart."""
_OF_OTHER_DATA = {"pairs": None, "domains": None, "scenes": None}
"""Of ingest, what an example has to say of its own data."""
_SHOW_NEARLY_ALL = ("gray", "jpeg")
"""Partners as which a translation had better begin."""

_LINK = re.compile(r"\[(.*?)\]\((.*?)\)")
_AS_SHIPPED = (8, 8)
"""The digits' size in params.yaml, which nobody has chosen for data of another one."""

Speed = Callable[[str, Params, Looks, Sides], float]
"""Of a family, and images of a size: real images a second."""


@dataclass(frozen=True)
class Advice:
    family: str
    sides: Sides
    images: int
    minutes: float
    """Of training alone, on this machine."""
    example: Example
    """The one that this is taken from,"""
    trained: int
    """and how many images it was shown."""
    why: str


def main() -> None:
    arguments = parser_of("stages.advise", __doc__)
    arguments.add_argument("--minutes", type=float, default=30, help="of training at most (default: 30)")
    minutes = arguments.parse_args().minutes
    if not minutes > 0:
        raise UserError("option-invalid", f"--minutes is {minutes:g}: give more than 0")
    params = load_params()
    looks = look(RAW, params)
    if not made_by("ingest", params.ingest):
        raise UserError(
            "data-of-before",
            f"params.yaml names other data than {RAW} holds ({looks.text}): `mintage run ingest` brings them",
        )
    if has_changed("ingest", params.ingest.path):
        raise UserError(
            "data-of-before",
            f"{params.ingest.path} has changed since {RAW} was made of it ({looks.text}): `mintage run ingest` brings "
            "what is there now",
        )
    print(looks.text)
    found = list(islice(advise(params, looks, minutes), LISTED))
    if not found:
        raise UserError("nothing-to-advise", "no family learns from such data: `mintage check` says why")
    print("\n" + "\n".join(lines_of(found)) + "\n")
    print("\n".join(notes(found[0], looks, params)))


def advise(params: Params, looks: Looks, minutes: float, speed: Speed | None = None) -> Iterator[Advice]:
    """The families that learn from such data, those first that use all it offers and were measured best.

    `speed` is `images_per_second`, unless another one is given.
    """
    speed = speed or images_per_second
    examples = load_all(EXAMPLES)
    if not (examples and FAMILIES_PAGE.exists()):
        raise UserError(
            "measured-missing",
            f"{EXAMPLES} or {FAMILIES_PAGE} is missing, by whose figures families are chosen: work in a whole checkout",
        )
    pages = FAMILIES_PAGE.read_text()
    figures = _measured_in(pages)
    choices = [
        (row["take"], _LINK.sub(_page, f"for {row['you have']}: {row['why']}")) for row in table_of(pages, "Choose")
    ]
    # of a family's rows the first counts
    reasons = {name: why for names, why in reversed(choices) for name in re.findall("`(.*?)`", names)}
    fitting = _of_such_data(_fitting(params, looks.known), looks.known.medium, examples, params)
    for family in sorted(fitting, key=lambda name: _rank(name, params, looks, examples, figures)):
        like = _like(family, examples, params, min(looks.sides))
        trained = _of(like, params).train.images
        try:
            for sides in _sizes_to_try(looks, params):
                rate = speed(family, params, looks, sides)
                if trained / rate <= 60 * minutes * _WORTH:
                    break
        except ValueError:  # refused for such images
            continue
        images = min(trained, max(_ROUND, int(60 * minutes * rate) // _ROUND * _ROUND))
        reason = reasons.get(family) or _measured(family, figures)
        yield Advice(family, sides, images, images / rate / 60, like, trained, reason)


def _page(link: "re.Match[str]") -> str:
    """The words of a link of docs/families.md, and where it leads, seen from a checkout."""
    words, place = link.groups()
    page = FAMILIES_PAGE if place.startswith("#") else f"{FAMILIES_PAGE.parent}/"
    return f"{words} ({page}{place})"


def _measured(family: str, figures: dict[str, float]) -> str:
    """Why a family is advised of which the table of choices says nothing."""
    if family not in figures:
        return FAMILIES[family].paper
    measured = f"by its Frechet distance on digits, {figures[family]:g} in the table of {FAMILIES_PAGE}"
    return f"{measured} ({FAMILIES[family].paper})"


def _fitting(params: Params, known: Known) -> list[str]:
    """Nothing that a later stage would refuse; of two conditions the one that says more."""
    fits = [name for name in FAMILIES if not foreseen(_with_family(params, name, known.shape), known)]
    fits = [name for name in fits if known.smaller or FAMILIES[name].network not in ENLARGING]
    if "labeled" not in params.train.recipe:  # each image has its label
        fits = [name for name in fits if FAMILIES[name].discriminator.conditioning != "semi_supervised"]
    wanted = {"attributes": known.attributes, "source": known.paired, "domain": known.domains}
    asked = [name for name in fits if wanted.get(condition_of(FAMILIES[name]) or "")]
    return asked or fits


def _of_such_data(families: list[str], medium: Medium, examples: list[Example], params: Params) -> list[str]:
    """Those that an example trains on a medium of that name: with others nobody knows what they would reach."""
    tried = {
        _of(one, params).train.family for one in examples if medium_from(_brought(one, params)).name == medium.name
    }
    return [family for family in families if family in tried]


def _brought(example: Example, params: Params) -> Ingest:
    """What the example ingests, whatever params here do: the digits, where it does not say."""
    own = example.params.get("ingest", {})
    plain: dict[str, Any] = {"source": "digits", "options": {}, "attributes": None} | _OF_OTHER_DATA
    return Ingest.model_validate(params.ingest.model_dump() | plain | own)


def begins_better_as_source(family: str, params: Params) -> bool:
    """Whether its sources show all but a little of the image, and it draws all of it anew (docs/translation.md)."""
    recipe = recipe_of(family, {})
    return params.normalize.partner in _SHOW_NEARLY_ALL and recipe.network == "unet" and not recipe.residual


def _with_family(params: Params, family: str, shape: Sides) -> Params:
    train = params.train.model_copy(update={"family": family, "recipe": changes_of(family, shape), "variant": "short"})
    select = params.select.model_copy(update={"metric": "frechet_distance", "guards": []})
    sample = params.sample.model_copy(update={"classes": [], "attributes": [], "arithmetic": []})
    return params.model_copy(update={"train": train, "select": select, "sample": sample})


def _rank(family: str, params: Params, looks: Looks, examples: list[Example], figures: dict[str, float]) -> Any:
    """Lowest first: made for such data and partners, told the classes if there are some, best under one protocol."""
    partner = params.normalize.partner
    of_pairs = _of_pairs(looks.known) if looks.known.paired and partner is None else family
    made_for = any(
        one.params.get("normalize", {}).get("partner") == partner for one in examples if _family_of(one) == family
    )
    by_label = condition_of(FAMILIES[family]) == "label" and bool(looks.known.classes)
    own = looks.known.medium.unconditional_family
    return own not in (None, family), family != of_pairs, not made_for, not by_label, figures.get(family, float("inf"))


def _of_pairs(known: Known) -> str:
    """The family for pairs that somebody brought, by the table of docs/families.md."""
    return known.medium.paired_family or ("pg2" if known.maps else "pix2pix")


def _like(family: str, examples: list[Example], params: Params, side: int) -> Example:
    """The example of the family, or else of any, that is nearest in size."""

    def distance(one: Example) -> tuple[bool, float]:
        return _family_of(one) != family, abs(_of(one, params).normalize.height - side)

    return min(examples, key=distance)


def _family_of(example: Example) -> Any:
    return example.params.get("train", {}).get("family")


def _of(example: Example, params: Params) -> Params:
    values = params.model_dump(by_alias=True)
    return Params.model_validate(example.applied(values | {"ingest": values["ingest"] | _OF_OTHER_DATA}))


def _reached(one: Advice) -> str:
    """What the example says, by the Frechet distance where it has one, and where it was shown more."""
    shown = "" if one.images == one.trained else f", of {one.trained:,} images"
    if not one.example.expected:
        return f"{one.example.name}{shown} (not measured)"
    name = min(one.example.expected, key="frechet_distance".__ne__)
    metric, (least, most) = METRICS[name], one.example.expected[name]
    title = "Frechet" if name == "frechet_distance" else metric.title
    text = metric.text if metric.format == "share" else "{:g}".format
    return f"{one.example.name}{shown}: {title} {text(least)} to {text(most)}"


def _sizes_to_try(looks: Looks, params: Params) -> list[Sides]:
    """The one that params ask for; where they ask for none of their own the largest first. No image is enlarged."""
    if looks.keeps_its_size:
        return [looks.sides]
    chosen = (params.normalize.height, params.normalize.width)
    if chosen != _AS_SHIPPED and all(map(le, chosen, looks.sides)):
        return [chosen]
    shorter = min(looks.sides)
    most = shorter if _cuda(params.train.device) else min(shorter, _MOST_ON_A_CPU)
    fitting = [side for side in reversed(_SIDES) if side <= most] or [_SIDES[0]]
    return [tuple(_scaled(side, own / shorter) for own in looks.sides) for side in fitting]


def _scaled(side: int, ratio: float) -> int:
    return side if ratio == 1 else round(side * ratio / _STEP) * _STEP


def _cuda(device: str) -> bool:
    from mintage.devices import choose_device

    return choose_device(device).type == "cuda"


def table_of(text: str, heading: str) -> list[dict[str, str]]:
    """The rows of the first table below a heading of a page in Markdown, by the names of their columns."""
    below = text.split(f"\n## {heading}\n", 1)[1]
    lines = takewhile(lambda line: line.startswith("|"), below[below.index("\n|") + 1 :].splitlines())
    names, _, *rows = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _measured_in(text: str) -> dict[str, float]:
    """The Frechet distance of each family under one protocol."""
    rows = table_of(text, "All families under one protocol")
    (column,) = [name for name in rows[0] if name.endswith("CPU s: selected")]
    return {row["family"]: float(row[column].split(" ")[0]) for row in rows}


def lines_of(found: list[Advice]) -> list[str]:
    """A table, and below it why."""
    head = ("family", "size", "images", "minutes here", "the example, and its figure on its own data")
    rows = [(one.family, _size(one.sides), f"{one.images:,}", f"{one.minutes:.1f}", _reached(one)) for one in found]
    return [*aligned([head, *rows]).splitlines(), "", *(f"{one.family}: {one.why}" for one in found)]


def _size(sides: Sides) -> str:
    """As people say it of pictures: 40x30 is 40 wide, so width comes first; of all else in the order of params."""
    return "x".join(map(str, reversed(sides) if len(sides) == 2 else sides))


def notes(best: Advice, looks: Looks, params: Params) -> Iterator[str]:
    """How to take the first, and what else to think of."""
    wanted = {"train.family": best.family, "train.images": best.images}
    now = {"train.family": params.train.family, "train.images": params.train.images}
    if not looks.keeps_its_size:
        wanted |= {"normalize.channels": looks.known.shape[0]}
        wanted |= {f"normalize.{name}": side for name, side in zip(("height", "width"), best.sides, strict=True)}
        now |= {f"normalize.{key}": getattr(params.normalize, key) for key in ("channels", "height", "width")}
    changes = [f"{key}={value}" for key, value in wanted.items() if now[key] != value]
    recipe = changes_of(best.family, (looks.known.shape[0], *best.sides))
    if any(params.train.recipe.get(axis) != value for axis, value in recipe.items()):
        changes += [f"'+train.recipe.{axis}=[{','.join(value)}]'" for axis, value in recipe.items()]
    if begins_better_as_source(best.family, params) and "residual" not in params.train.recipe:
        changes.append("+train.recipe.residual=true")
    how = "dvc exp run" + "".join(f" -S {change}" for change in changes)
    yield f"to take the first: {how}" if changes else "params.yaml has the first already"
    measured = _of(best.example, params).ingest.source == looks.source
    if looks.images < _FEW and looks.known.medium.has_looks and not measured:
        yield f"few images: look at near_copies in the report{_against_copies(best.family, looks, params, how)}"
    if changes and params.upload.publish != "always":
        yield "such an experiment is not published (upload.publish): `mintage releases publish` does it afterwards"
    yield f"the minutes are for training only, measured just now: {_of_all_stages(best, looks, params)}"
    yield "figures of examples of other data cannot be compared, neither with each other nor with yours"


def _of_all_stages(best: Advice, looks: Looks, params: Params) -> str:
    others = minutes_of_others(best, looks, params)
    if others is None:
        return "other stages come on top, above all evaluator and select"
    whole = f"{best.minutes + others:.1f}"
    return f"with all other stages the first takes about {whole}, if these are as fast here as in {BENCHMARKS_PAGE}"


def minutes_of_others(best: Advice, looks: Looks, params: Params) -> float | None:
    """About how long all stages but training take, as in the run of digits that docs/benchmarks.md tells of.

    What judges grows with the size of images and with how long the evaluator learns. None for what is no picture, on a
    GPU, and without that page.
    """
    if not looks.known.medium.has_looks or _cuda(params.train.device) or not BENCHMARKS_PAGE.exists():
        return None
    took = {row["stage"]: row["here"] for row in table_of(BENCHMARKS_PAGE.read_text(), "Where the seconds of a run go")}
    judging = float(took["evaluator"]) + float(took["select"])
    learned = params.evaluator.images_for(best.images)
    grown = learned / FULL * prod(best.sides) / prod(_AS_SHIPPED)
    return (float(took["all but train"]) - judging + judging * grown) / 60


def _against_copies(family: str, looks: Looks, params: Params, how: str) -> str:
    """How to move what a discriminator sees; nothing for a family that has no use of it."""
    chosen = _with_family(params, family, looks.known.shape)
    train = chosen.train.model_copy(update={"recipe": {"augment": list(_MOVED)}})
    if foreseen(chosen.model_copy(update={"train": train}), looks.known):
        return ""
    return f"; against copies: {how} -S '+train.recipe.augment=[{','.join(_MOVED)}]'"


if __name__ == "__main__":
    run_stage(main)
