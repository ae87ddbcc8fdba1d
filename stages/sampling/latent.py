"""Pictures of the latent space, each with names for its rows; or the reason why a model has no such picture.

The latents are those of the first samples, so a picture begins with images that are also in samples/ (up to the last
bit, if they are generated in another row).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mintage.attribute_names import groups_of
from mintage.attributes import values_of
from mintage.latent_space import Blend, Truncated, along_code, arithmetic, by_category, path
from mintage.latents import draw
from mintage.metrics.pairs import psnr
from mintage.model_config import ModelConfig
from mintage.players import Generator
from mintage.randomness import stream
from mintage.sampling import asked_rows, generate, latents_of
from stages.common.errors import UserError
from stages.common.files import write_json
from stages.common.made_again import made_again
from stages.common.marks import Mark, with_mark
from stages.common.params import Sample
from stages.common.pictures import rows_of_blocks
from stages.common.split import Split
from stages.media.drawings import Drawings
from stages.media.medium import Medium

_TRUNCATION, _ARITHMETIC, _CODE = "Truncation", "Latent arithmetic", "Information code"
COLUMNS = 10
JUDGED = 256
"""Images, or pairs, of the holdout among which the best and the worst are shown."""
_WALKS = 4
_MOST_ROWS = 10
_MOST_NUMBERS = 4
_VARIATION = 0.25
"""Scale of the noise around a sum of latents, as in Radford et al. 2016."""


@dataclass(frozen=True)
class Picture:
    """A picture with a named row for each experiment; `caption` explains it in a sentence."""

    name: str
    title: str
    caption: str
    rows: list[str]
    images: Tensor
    """`[rows, columns, C, H, W]` in [-1,1], filled up with NaN if a row is shorter."""


@dataclass(frozen=True)
class Absent:
    title: str
    reason: str


def pictures(
    generator: Generator, params: Sample, labels: list[int] | None, medium: Medium, holdout: Split | None = None
) -> list[Picture | Absent]:
    """All pictures of this model; for some media only the walks."""
    if generator.config.translates:
        reason = "the images are made of others, not of noise alone"
        return [Absent(title, reason) for title in ("Latent walk", _TRUNCATION, _ARITHMETIC, _CODE)]
    walked = walks(generator, params, labels)
    if "latent pictures" in medium.lacks:
        reason = medium.lacks["latent pictures"]
        return [walked, *(Absent(title, reason) for title in (_TRUNCATION, _ARITHMETIC, _CODE))]
    return [
        *reconstructions(generator, params, holdout),
        *switches(generator, params),
        walked,
        truncation(generator, params, labels),
        sums(generator, params),
        *codes(generator, params, labels),
    ]


def write_pictures(folder: Path, found: list[Picture | Absent], drawings: Drawings, mark: Mark) -> dict[str, Any]:
    """Write a marked PNG for each picture into `folder`.

    Returns the content of `metrics/latent.json`: the pictures in order, and why others are absent.
    """
    pictures = [one for one in found if isinstance(one, Picture)]
    for picture in pictures:
        (folder / f"{picture.name}.png").write_bytes(with_mark(drawings.draw_rows(picture.images), mark))
    if not pictures:
        write_json(folder / "pictures.json", [])  # DVC warns about an empty folder
    return {
        "pictures": [
            {"file": f"{one.name}.png", "title": one.title, "caption": one.caption, "rows": one.rows}
            for one in pictures
        ],
        "absent": [{"title": one.title, "reason": one.reason} for one in found if isinstance(one, Absent)],
    }


def switches(generator: Generator, params: Sample) -> list[Picture]:
    """A picture of each attribute with all its values and nothing else changed; none without attributes."""
    names, examples = generator.config.attributes, generator.examples
    if names is None or examples is None:
        return []
    latents, groups = latents_of(generator.config, params.seed, range(COLUMNS)), list(groups_of(names).items())
    images = torch.full((min(len(groups), _MOST_ROWS), COLUMNS, *generator.config.image_shape), torch.nan)
    for row, (_, places) in zip(images, groups, strict=False):
        values = values_of(examples.cpu()[:, places])[:COLUMNS]
        count = COLUMNS // len(values)
        conditions = examples.cpu()[:count].repeat_interleave(len(values), 0)
        conditions[:, places] = values.repeat(count, 1)
        row[: len(conditions)] = generate(generator, latents[:count].repeat_interleave(len(values), 0), conditions)
    words = "; ".join(
        f"{name}: {', '.join(names[place].partition('=')[2] for place in places[:COLUMNS])}"
        for name, places in groups[:_MOST_ROWS]
        if len(places) > 1
    )
    caption = (
        "In each row one attribute goes through its values, from no to yes or from low to high, over and over, each "
        f"time of another latent. Nothing else should change.{f' Words stand in this order: {words}.' if words else ''}"
    )
    rows = [name for name, _ in groups[:_MOST_ROWS]]
    return [Picture("attributes", "One attribute at a time", caption, rows, images)]


def reconstructions(generator: Generator, params: Sample, holdout: Split | None) -> list[Picture]:
    """Images of the holdout and their reconstructions; none for a model without an encoder.

    Ten random ones, then, among `JUDGED` images, the best reconstructions by PSNR and the worst.
    """
    if generator.encoder is None or holdout is None:
        return []
    rows = asked_rows(len(holdout), min(len(holdout), JUDGED), params.seed)
    images, again = torch.from_numpy(holdout.take(rows.numpy())), made_again(generator, holdout, rows)
    order, columns = psnr(again, images).argsort(descending=True, stable=True), min(COLUMNS, len(rows))
    shown = torch.stack([torch.arange(columns), order[:columns], order[-columns:].flip(0)])
    both = torch.stack([images[shown], again[shown]], dim=1).flatten(0, 1)
    caption = (
        "Held-out images, and below each what the generator makes of what the encoder says of it: ten by chance, "
        f"then the best and the worst of {len(rows):,} by PSNR. What the worst have in common, it has no latents for."
    )
    return [Picture("reconstructions", "Encoded and made again", caption, rows_of_blocks(["held out", "again"]), both)]


def walks(generator: Generator, params: Sample, labels: list[int] | None) -> Picture:
    """Walks of `params.walk_steps` images between two latents, each with one class if there are classes.

    If one latent gives an image of each of two domains, the same walk is shown in both.
    """
    config = generator.config
    spherical = is_spherical(params, config)
    walked = [None] * _WALKS if labels is None else list(dict.fromkeys(labels))[:_MOST_ROWS]
    each = len(walked) if config.couples else 1
    walked *= 2 if config.couples else 1
    found = []
    for number, label in enumerate(walked):
        start, end = draw(config, 2, stream(params.seed, "walk", number // each))
        latents = path(config, start, end, params.walk_steps, spherical)
        asked = _all(label, params.walk_steps)
        if generator.examples is not None:
            asked = generator.examples.cpu()[number].expand(params.walk_steps, -1)
        found.append(generate(generator, latents, asked))
    way = "on an arc (a straight line leads through shorter latents than training had)" if spherical else "on a line"
    caption = f"From one latent to another in even steps, {way}. A good generator changes smoothly and stays real."
    names = [f"walk {number + 1}" if label is None else _name(config, label) for number, label in enumerate(walked)]
    return Picture("walk", "Walks between two latents", caption, names, torch.stack(found))


def is_spherical(params: Sample, config: ModelConfig) -> bool:
    """Whether walks are arcs. Raises UserError for an arc through uniform latents."""
    if params.walk == "spherical" and config.latent_distribution == "uniform":
        raise UserError(
            "walk-leaves-latents",
            "sample.walk = 'spherical', and the model's latents are uniform on [-1,1], which an arc leaves: "
            "set it to linear or null",
        )
    return params.walk != "linear" and config.latent_distribution == "normal"


def truncation(generator: Generator, params: Sample, labels: list[int] | None) -> Picture | Absent:
    """The first samples with their noise truncated at each of `params.truncation`, then without truncation."""
    config = generator.config
    if config.latent_distribution != "normal":
        return Absent(_TRUNCATION, "the latents are uniform on [-1,1], and have no tails to cut")
    if not params.truncation:
        return Absent(_TRUNCATION, "sample.truncation is empty")
    latents = latents_of(config, params.seed, range(COLUMNS))
    asked = None if labels is None else torch.tensor([labels[column % len(labels)] for column in range(COLUMNS)])
    asked = asked if generator.examples is None else generator.examples.cpu()[:COLUMNS]
    caption = (
        "The same latents, no number in them larger than the row says: the lower the limit, the more typical the "
        "images, and the more alike (Brock et al. 2019). The last row is the latents as they were drawn."
    )
    names = [*(f"at most {limit:g}" for limit in params.truncation), "no limit"]
    generators = [*(Truncated(generator, limit) for limit in params.truncation), generator]
    images = torch.stack([generate(one, latents, asked) for one in generators])
    return Picture("truncation", _TRUNCATION, caption, names, images)


def sums(generator: Generator, params: Sample) -> Picture | Absent:
    """A - B + C: of classes for a conditional generator, whose latents do not contain the class; else of samples."""
    config = generator.config
    if config.attributes is not None:
        return Absent(_ARITHMETIC, "the generator takes attributes, which are changed one at a time in place of it")
    if params.arithmetic is None and not config.conditional:
        return Absent(_ARITHMETIC, "the generator takes no class: name samples by their index in sample.arithmetic")
    if params.arithmetic is None and config.class_count < 3:
        return Absent(_ARITHMETIC, "it needs three classes, or labels in sample.arithmetic")
    operands = params.arithmetic or [[0], [1], [2]]
    known, what = (config.class_count, "label") if config.conditional else (params.count, "sample")
    if unknown := [number for operand in operands for number in operand if number >= known]:
        raise UserError(
            "sample-classes-unknown",
            f"sample.arithmetic names {what} {unknown[0]}, and there are {known}, from 0 to {known - 1}",
        )
    drawn = _sum_of_classes if config.conditional else _sum_of_samples
    return drawn(generator, params, operands)


def _sum_of_classes(generator: Generator, params: Sample, operands: list[list[int]]) -> Picture:
    """Sums of the classes' embeddings with the same latents; a column for each latent."""
    latents = latents_of(generator.config, params.seed, range(COLUMNS))
    caption = (
        "The same latent in each column, beside it the class, as the network is told it. The last row is told the "
        "first class less the second plus the third, which is no class that it was trained on."
    )
    rows = [[(label, 1 / len(operand)) for label in operand] for operand in operands]
    a, b, c = rows
    rows.append([*a, *((label, -weight) for label, weight in b), *c])
    images = []
    for row in rows:
        labels, weights = zip(*row, strict=True)
        images.append(generate(Blend(generator, weights), latents, torch.tensor(labels).expand(COLUMNS, -1)))
    names = [" and ".join(_name(generator.config, label) for label in operand) for operand in operands]
    return Picture("arithmetic", _ARITHMETIC, caption, _sum_names(names), torch.stack(images))


def _sum_of_samples(generator: Generator, params: Sample, operands: list[list[int]]) -> Picture:
    """In each row the image of the mean latent, then its samples, or variations of the sum."""
    config = generator.config
    columns = max(4, 1 + max(len(operand) for operand in operands))
    latents = [latents_of(config, params.seed, operand) for operand in operands]
    total = arithmetic(*latents)
    near = torch.rand(columns - 1, len(total), generator=stream(params.seed, "arithmetic")) * 2 - 1
    near[:, config.latent_size :] = 0
    rows = [torch.cat([group.mean(0, keepdim=True), group]) for group in latents]
    rows.append(torch.cat([total.unsqueeze(0), total + _VARIATION * near]))
    images = torch.full((len(rows), columns, *config.image_shape), torch.nan)
    for row, made in zip(images, rows, strict=True):
        row[: len(made)] = generate(generator, made, None)
    caption = (
        "In the first column the image of the mean of some samples' latents, beside it those samples. The last row "
        "is the first mean less the second plus the third, beside it the same with a little noise "
        "(Radford et al. 2016)."
    )
    names = [f"samples {', '.join(str(index) for index in operand)}" for operand in operands]
    return Picture("arithmetic", _ARITHMETIC, caption, _sum_names(names), images)


def _sum_names(operands: list[str]) -> list[str]:
    return [*(f"{letter}: {name}" for letter, name in zip("ABC", operands, strict=True)), "A − B + C"]


def codes(generator: Generator, params: Sample, labels: list[int] | None) -> list[Picture | Absent]:
    """Pictures of the categories, then of each number of the code; nothing else of the latents changes."""
    config = generator.config
    if not config.code_size:
        return [Absent(_CODE, "the family learns none (infogan does)")]
    label = None if labels is None else labels[0]
    latents = latents_of(config, params.seed, range(COLUMNS))
    shown: list[Picture | Absent] = [_categories(generator, latents, label)] if config.code_categories else []
    numbers = range(min(config.code_continuous, _MOST_NUMBERS))
    shown.extend(_number(generator, params, latents, number, label) for number in numbers)
    if config.code_continuous > _MOST_NUMBERS:
        more = config.code_continuous - _MOST_NUMBERS
        shown.append(Absent(f"The code's other {more} numbers", f"the first {_MOST_NUMBERS} are enough for a page"))
    return shown


def _categories(generator: Generator, latents: Tensor, label: int | None) -> Picture:
    rows = by_category(generator.config, latents)[:_MOST_ROWS]
    caption = (
        "A row is a category that training found without labels, a column the same latent in each. Look for rows "
        "that are each of one kind."
    )
    names = [f"category {number}" for number in range(len(rows))]
    return Picture("categories", f"{_CODE}: its categories", caption, names, _made(generator, rows, label))


def _number(generator: Generator, params: Sample, latents: Tensor, number: int, label: int | None) -> Picture:
    """A row for each category, all with one latent; without categories a row for each latent."""
    config = generator.config
    starts = by_category(config, latents[:1])[:_MOST_ROWS, 0] if config.code_categories else latents[:_WALKS]
    rows = along_code(config, starts, number, params.code_reach, params.walk_steps)
    caption = (
        f"From left to right one number of the code goes from −{params.code_reach:g} to {params.code_reach:g} "
        "(training drew it from −1 to 1), and nothing else changes. Look for one property that changes alike in "
        "all rows."
    )
    named = "category" if config.code_categories else "latent"
    names = [f"{named} {place}" for place in range(len(rows))]
    title = f"{_CODE}: number {number + 1} of {config.code_continuous}"
    return Picture(f"code-{number + 1}", title, caption, names, _made(generator, rows, label))


def _made(generator: Generator, latents: Tensor, label: int | None) -> Tensor:
    """Images `[R,S,C,H,W]` of latents `[R,S,L]`."""
    rows, columns, _ = latents.shape
    images = generate(generator, latents.flatten(0, 1), _all(label, rows * columns))
    return images.reshape(rows, columns, *images.shape[1:])


def _all(label: int | None, count: int) -> Tensor | None:
    return None if label is None else torch.full((count,), label)


def _name(config: ModelConfig, label: int) -> str:
    return (config.classes or ())[label]
