"""Advise: which family, size and number of images suit the data that ingest brought, and the minutes it takes here.

Reads data/raw, params.yaml, examples/ and the tables of docs/families.md; measures for some seconds how fast a family
learns on this machine; writes nothing. Figures are those that were measured on the examples' data: yours will differ.
"""

import io
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from operator import le
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from mintage.attribute_names import groups_of
from mintage.families import FAMILIES, recipe_of
from mintage.recipes import condition_of
from stages.common.errors import UserError, counted, run_stage
from stages.common.foresight import Known, changes_for, foreseen
from stages.common.params import Ingest, Params, load_params
from stages.common.provenance import made_by
from stages.common.stage import parser_of
from stages.examples import Example, load_all
from stages.images.partners import partner_shape
from stages.images.raw import RawSet, raw_rows, read_raw_set
from stages.media.medium import Medium
from stages.sources import medium_from

RAW, EXAMPLES, FAMILIES_PAGE = Path("data/raw"), Path("examples"), Path("docs/families.md")
LISTED = 3
_LOOKED_AT = 64
"""Images of which size and color are looked up."""
_SIDES = (8, 16, 24, 28, 32, 48, 64)
"""What the shorter side may be; the other keeps the ratio in steps of"""
_STEP = 4
_SAME_RATIO = 0.02
_MOST_ON_A_CPU = 32
_FEW = 3000
_ROUND = 1000
_WORTH = 4
"""Larger images are worth it as long as so small a part of the example's number of them fits into the minutes."""
_SHOW_NEARLY_ALL = ("grey", "jpeg")
"""Partners as which a translation had better begin."""
_SECONDS = 2.0
"""How long a family's speed is measured, once it is warm."""


_LINK = re.compile(r"\[(.*?)\]\((.*?)\)")
_AS_SHIPPED = (8, 8)
"""The digits' size in params.yaml, which nobody has chosen for data of another one."""

Sides = tuple[int, ...]


@dataclass(frozen=True)
class Looks:
    """What the data are, as far as it decides anything."""

    known: Known
    images: int
    sides: Sides
    """Of images that all have one aspect, that of those in the middle; else a square of their shorter side."""
    text: str
    source: str
    """Where they came from, as ingest calls it."""

    @property
    def keeps_its_size(self) -> bool:
        """Whether the size is not to be chosen: it is the data's, or what params ask for of what is no picture."""
        return self.known.medium.shape is not None or "picture files" in self.known.medium.lacks


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
    print(looks.text)
    if not made_by("ingest", params.ingest):
        print("note: params.yaml names other data now: `mintage run ingest` brings them")
    found = list(islice(advise(params, looks, minutes), LISTED))
    if not found:
        raise UserError("nothing-to-advise", "no family learns from such data: `mintage check` says why")
    print("\n" + "\n".join(lines_of(found)) + "\n")
    print("\n".join(notes(found[0], looks, params)))


def look(raw: Path, params: Params) -> Looks:
    """Raises UserError where nothing is ingested."""
    if not any(raw.glob("*.parquet")):
        raise UserError(
            "output-missing", f"{raw} holds nothing yet: `mintage run ingest` brings what params.yaml names"
        )
    found, to = read_raw_set(raw), params.normalize
    images = sum(found.counts.values())
    medium = found.medium
    shape = medium.shape
    if shape is None and "picture files" in medium.lacks:
        shape = to.shape_of(medium.sides)
    if shape is None:
        sizes = list(_sizes(found))
        sides = _common_sides(sizes)
        shape = (3 if any(color for *_, color in sizes) else 1, to.height, to.width)
        text = f"{medium.words.many} of {_middle(sizes)} pixels, {'in color' if shape[0] > 1 else 'grey'}"
    else:
        sides, text = shape[1:], medium.words.many
    known = replace(found.known(to), shape=shape)
    return Looks(known, images, sides, f"{images:,} {text}{_conditions(found, known)}", found.source["name"])


def _sizes(found: RawSet) -> Iterator[tuple[int, int, bool]]:
    """Width, height and whether it has colors, of some images of each shard; broken ones are left out."""
    each = max(1, _LOOKED_AT // len(found.counts))
    for path in list(found.counts)[:_LOOKED_AT]:
        for row in islice(next(raw_rows(path, ["image"], each)).to_pylist(), each):
            try:
                with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
                    yield *image.size, image.mode not in ("1", "L", "LA", "F", "I", "I;16")
            except OSError:
                continue


def _common_sides(sizes: list[tuple[int, int, bool]]) -> Sides:
    """Height and width of the images in the middle where all have one aspect; else a square."""
    height, width = (int(median(size[axis] for size in sizes)) for axis in (1, 0))
    if all(abs(one[1] * width - one[0] * height) <= _SAME_RATIO * one[0] * height for one in sizes):
        return height, width
    return (int(median(min(size[:2]) for size in sizes)),) * 2


def _middle(sizes: list[tuple[int, int, bool]]) -> str:
    """Width and height: of all, or about what those in the middle have."""
    same = len({size[:2] for size in sizes}) == 1
    width, height = (int(median(size[axis] for size in sizes)) for axis in (0, 1))
    return f"{width}x{height}" if same else f"about {width}x{height}"


def _conditions(found: RawSet, known: Known) -> str:
    """What the images come with."""
    parts = [counted(known.classes, "class")] if known.classes else []
    parts += [f"the attributes {', '.join(known.attribute_names)}"] if known.attributes else []
    parts += ["a partner each"] if known.paired else []
    parts += [f"of the domains {' and '.join(found.domains)}"] if found.domains else []
    return "; " + ", ".join(parts) if parts else ", without labels"


def advise(params: Params, looks: Looks, minutes: float, speed: Speed | None = None) -> Iterator[Advice]:
    """The families that learn from such data, those first that use all it offers and were measured best.

    `speed` is `images_per_second`, unless another one is given.
    """
    speed = speed or images_per_second
    examples = load_all(EXAMPLES)
    pages = FAMILIES_PAGE.read_text()
    figures = {row["family"]: float(row["selected"].split(" ")[0]) for row in _protocol(pages)}
    choices = [
        (row["take"], _LINK.sub(_page, f"for {row['you have']}: {row['why']}")) for row in table_of(pages, "Choose")
    ]
    reasons = {name: why for names, why in choices for name in re.findall("`(.*?)`", names)}
    fitting = _of_such_data(_fitting(params, looks.known), looks.known.medium, examples, params)
    for family in sorted(fitting, key=lambda name: _rank(name, params, looks, examples, figures)):
        like = _like(family, examples, params, min(looks.sides))
        trained = _of(like, params).train.images
        for sides in _sizes_to_try(looks, params):
            rate = speed(family, params, looks, sides)
            if trained / rate <= 60 * minutes * _WORTH:
                break
        images = min(trained, max(_ROUND, int(60 * minutes * rate) // _ROUND * _ROUND))
        reason = reasons.get(family) or _measured(family, figures)
        yield Advice(family, sides, images, images / rate / 60, like, trained, reason)


def _page(link: "re.Match[str]") -> str:
    """Where a link of docs/families.md leads, seen from a checkout."""
    place = link[2]
    return f"{FAMILIES_PAGE}{place}" if place.startswith("#") else f"{FAMILIES_PAGE.parent}/{place}"


def _measured(family: str, figures: dict[str, float]) -> str:
    measured = f", Frechet {figures[family]:g} in the table of docs/families.md" if family in figures else ""
    return f"{FAMILIES[family].paper}{measured}"


def _fitting(params: Params, known: Known) -> list[str]:
    """Nothing that a later stage would refuse; of two conditions the one that says more."""
    fits = [name for name in FAMILIES if not foreseen(_with_family(params, name, known.shape), known)]
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
    return params.ingest.model_copy(update={"source": "digits", "options": {}, "attributes": None} | own)


def changes_of(family: str, shape: Sides) -> dict[str, list[str]]:
    """What `train.recipe` is to have for samples of that shape."""
    return changes_for(recipe_of(family, {}), shape)


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
    made_for = any(
        one.params.get("normalize", {}).get("partner") == partner for one in examples if _family_of(one) == family
    )
    told = condition_of(FAMILIES[family]) == "label" and bool(looks.known.classes)
    own = looks.known.medium.unconditional_family
    return own not in (None, family), not made_for, not told, figures.get(family, float("inf"))


def _like(family: str, examples: list[Example], params: Params, side: int) -> Example:
    """The example of the family, or else of any, that is nearest in size."""

    def distance(one: Example) -> tuple[bool, float]:
        return _family_of(one) != family, abs(_of(one, params).normalize.height - side)

    return min(examples, key=distance)


def _family_of(example: Example) -> Any:
    return example.params.get("train", {}).get("family")


def _of(example: Example, params: Params) -> Params:
    return Params.model_validate(example.applied(params.model_dump(by_alias=True)))


def _reached(one: Advice) -> str:
    """What the example says, and where it was shown more."""
    shown = "" if one.images == one.trained else f", of {one.trained:,} images"
    if "frechet_distance" not in one.example.expected:
        return f"{one.example.name}{shown} (not measured)"
    least, most = one.example.expected["frechet_distance"]
    return f"{one.example.name}{shown}: Frechet {least:g} to {most:g}"


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


def images_per_second(family: str, params: Params, looks: Looks, sides: Sides) -> float:
    """How fast the family learns images of noise of that size on this machine now."""
    import torch

    from mintage.devices import choose_device, thread_count
    from mintage.training import make_trainer

    data = _noise(looks, params, sides)
    device = choose_device(params.train.device)
    trainer = make_trainer(
        data, family, dict(changes_of(family, data.shape)), 0, device=device, precision=params.train.precision
    )
    with thread_count(params.train.threads):
        trainer.turn()
        begun, before = time.monotonic(), trainer.images_seen
        while time.monotonic() - begun < _SECONDS:
            trainer.turn()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return (trainer.images_seen - before) / (time.monotonic() - begun)


def _noise(looks: Looks, params: Params, sides: Sides) -> Any:
    """Images of chance with the same conditions."""
    import torch

    from mintage.dataset import Dataset

    known = looks.known
    shape = (known.shape[0], *sides)
    named = dict(zip(known.medium.sides, sides, strict=True)) if known.medium.shape is None else {}
    to = params.normalize.model_copy(update={"channels": shape[0], **named})
    count, random = 512, torch.Generator().manual_seed(0)
    number = torch.arange(count)
    given: dict[str, Any] = {"image": torch.rand(count, *shape, generator=random) * 2 - 1}
    if known.classes:
        given |= {"label": number % known.classes, "classes": [str(label) for label in range(known.classes)]}
    if known.attributes:
        given["attributes"] = {
            name: [known.attribute_names[places[n % len(places)]].partition("=")[2] for n in range(count)]
            if len(places) > 1
            else number % 2 == 0
            for name, places in groups_of(known.attribute_names).items()
        }
    if known.paired:
        given["source"] = torch.rand(count, *partner_shape(to, known.medium.sides), generator=random) * 2 - 1
    if known.domains:
        given["domain"] = number % 2
    data = Dataset(**given, rank=len(shape) - 1)
    data.vocabulary = known.medium.alphabet
    return data


def table_of(text: str, heading: str) -> list[dict[str, str]]:
    """The rows of the first table below a heading of a page in Markdown, by the names of their columns."""
    below = text.split(f"\n## {heading}\n", 1)[1]
    lines = takewhile(lambda line: line.startswith("|"), below[below.index("\n|") + 1 :].splitlines())
    names, _, *rows = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _protocol(text: str) -> list[dict[str, str]]:
    rows = table_of(text, "All families under one protocol")
    (column,) = [name for name in rows[0] if name.endswith("CPU s: selected")]
    return [{"family": row["family"], "selected": row[column]} for row in rows]


def lines_of(found: list[Advice]) -> list[str]:
    """A table, and below it why."""
    head = ("family", "size", "images", "minutes here", "taken from the example")
    rows = [(one.family, _size(one.sides), f"{one.images:,}", f"{one.minutes:.1f}", _reached(one)) for one in found]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in [head, *rows]]
    return [*table, "", *(f"{one.family}: {one.why}" for one in found)]


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
    how = " ".join(f"-S {change}" for change in changes)
    yield f"to take the first: dvc exp run {how}" if changes else "params.yaml has the first already"
    measured = _of(best.example, params).ingest.source == looks.source
    if looks.images < _FEW and "looks" not in looks.known.medium.lacks and not measured:
        yield "few images: add -S '+train.recipe.augment=[translation,cutout]', and look at near_copies in the report"
    yield "minutes are of training alone, measured just now; figures of examples are of their own data"


if __name__ == "__main__":
    run_stage(main)
