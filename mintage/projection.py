"""Projection: the latents from which a generator makes the images most like given ones.

Many latents are tried, or an encoder's (Antipov et al. 2017), and the best one for each image is improved by descent
(Zhu et al. 2016; Karras et al. 2020, appendix D). A latent never becomes longer than noise, since the generator saw no
longer ones in training.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, avg_pool2d, avg_pool3d

from mintage.attribute_names import groups_of
from mintage.attributes import with_changes
from mintage.latents import with_category
from mintage.optimizers import progress, without_compiler
from mintage.players import Generator
from mintage.sampling import CHUNK, Rows, encode, generate, latents_at, samples

TRIED = 2048
"""Latents to try for each image, without an encoder."""
TRIED_FOR_EACH = TRIED // CHUNK
"""Latents to try, each in its own pass, if each image has its own condition, so that images cannot share them."""
RATE = 0.1
"""Adam's learning rate at the beginning; it falls to 0 along half a cosine."""
ROUNDS = 4
"""How often attributes, then latents, are improved in turn if attributes are not known."""
SCALES = 3
"""Scales at which images are compared: unchanged, and as means over 2 and over 4 places a side."""
_POOLS = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}
Likeness = Callable[[Tensor], Tensor]
"""Images `[N,C,*S]` to features `[N,F]` that are compared beside pixels, such as an evaluator's `features`."""


@dataclass(frozen=True)
class Projection:
    """The generator's inputs for each of N images, on the CPU."""

    generator: Generator
    latents: Tensor
    """`[N, latent_size + code_size]`."""
    condition: Tensor | None
    """Labels `[N]` or attributes `[N,K]`; None if the generator takes no condition."""
    distance: Tensor
    """`[N]`, from each image to the generated one: mean squared differences, summed over scales."""

    @property
    def images(self) -> Tensor:
        """The generated images: `[N,C,*S]` in [-1,1]."""
        return generate(self.generator, self.latents, self.condition)

    def first(self, count: int) -> "Projection":
        """The projection of the first `count` images alone."""
        condition = None if self.condition is None else self.condition[:count]
        return Projection(self.generator, self.latents[:count], condition, self.distance[:count])

    def with_attributes(self, changes: Mapping[str, bool | float | str]) -> Tensor:
        """The same images with these attributes changed, which are given as to `Model.sample`.

        Raises ValueError if the model has no such attribute or value, or takes none.
        """
        names = self.generator.config.attributes
        if names is None or self.condition is None:
            raise ValueError("this model takes no attributes")
        return generate(self.generator, self.latents, with_changes(self.condition, names, changes))


def project(
    generator: Generator,
    images: Tensor,
    asked: Sequence[int] | Rows | None,
    *,
    own: bool = False,
    steps: int = 200,
    seed: int = 0,
    likeness: Likeness | None = None,
) -> Projection:
    """Find latents of images `[N,C,*S]` in [-1,1]; an image's latents do not depend on the other images.

    Args:
        generator: In evaluation mode; it makes images from noise.
        images: On the CPU.
        asked: The conditions to try, as in `mintage.sampling.samples`; each image gets the best one.
        own: Whether image i has condition i, and no other is tried.
        steps: Steps of the descent.
        seed: Decides the latents that are tried.
        likeness: Features to compare beside pixels; their squared differences count as much as the pixels'.
    """
    found = []
    for chunk in torch.split(torch.arange(len(images)), CHUNK):
        rows = chunk[torch.arange(CHUNK).clamp(max=len(chunk) - 1)]  # always `CHUNK` rows: bits depend on the number
        distances = _Distances(images[rows], likeness)
        conditions = torch.as_tensor(asked)[rows] if own else None
        if generator.encoder is not None:
            tried = _encoded(generator, images[rows], asked if conditions is None else conditions, own)
        else:
            tried = _tried(generator, asked, seed) if conditions is None else _tried_of(generator, conditions, seed)
        best = _best(generator, list(tried), distances)
        if generator.config.attributes and isinstance(asked, Tensor) and not own:
            for _ in range(ROUNDS):
                best = _descend(_refined(best, asked, distances), distances, steps // ROUNDS)
        else:
            best = _descend(best, distances, steps)
        found.append(best.first(len(chunk)))
    of_chunks = [one.condition for one in found if one.condition is not None]
    latents, distance = (torch.cat([getattr(one, name) for one in found]) for name in ("latents", "distance"))
    return Projection(generator, latents, torch.cat(of_chunks) if of_chunks else None, distance)


@dataclass(frozen=True)
class _Try:
    """Latents and their generated images: any image may choose any of them, or (`own`) image i only row i."""

    latents: Tensor
    condition: Tensor | None
    images: Tensor
    own: bool = False


def _tried(generator: Generator, asked: Sequence[int] | Rows | None, seed: int) -> Iterator[_Try]:
    for number, (images, condition) in enumerate(samples(generator, TRIED, seed, asked)):
        latents = latents_at(generator.config, seed, number)
        if condition is not None and generator.config.code_categories:
            yield _Try(with_category(generator.config, latents, condition), None, images)
        else:
            yield _Try(latents, condition, images)


def _tried_of(generator: Generator, conditions: Tensor, seed: int) -> Iterator[_Try]:
    """A few latents for images that each have their own condition, or category of a code."""
    coded = generator.config.code_categories > 0
    told = None if coded else conditions
    for latent in latents_at(generator.config, seed, 0)[:TRIED_FOR_EACH]:
        latents = latent.expand(len(conditions), -1)
        latents = with_category(generator.config, latents, conditions) if coded else latents
        yield _Try(latents, told, generate(generator, latents, told, seed), own=True)


def _encoded(generator: Generator, images: Tensor, asked: Sequence[int] | Rows | None, own: bool) -> Iterator[_Try]:
    """The encoder's latents, with each class, or with the likeliest attributes, if the image's own are not known."""
    latents = encode(generator, images)
    for condition in _likely(generator, asked, own):
        of_each = None if condition is None else condition.expand(len(images), *condition.shape[1:])
        yield _Try(latents, of_each, generate(generator, latents, of_each), own=True)


def _likely(generator: Generator, asked: Sequence[int] | Rows | None, own: bool) -> Sequence[Tensor | None]:
    """The conditions to try: each image's own `[N,...]`; else, `[1,...]` for all, each class or the central row."""
    if asked is None:
        return [None]
    rows = torch.as_tensor(asked)
    if own:
        return [rows]
    if generator.config.attributes:
        return [rows[torch.cdist(rows, rows).sum(1).argmin()][None]]
    return list(torch.unique(rows)[:, None])


def _best(generator: Generator, tries: Sequence[_Try], distances: "_Distances") -> Projection:
    """The best try for each image."""
    by_try = [distances.each(one.images)[:, None] if one.own else distances.table(one.images) for one in tries]
    nearest = torch.stack([table.min(1).values for table in by_try], 1)
    distance, chosen = nearest.min(1)
    rows = [row if tries[k].own else int(by_try[k][row].argmin()) for row, k in enumerate(chosen.tolist())]
    pairs = list(zip(chosen.tolist(), rows, strict=True))
    latents = torch.stack([tries[k].latents[row] for k, row in pairs])
    conditions = [condition[row] for k, row in pairs if (condition := tries[k].condition) is not None]
    return Projection(generator, latents, torch.stack(conditions) if conditions else None, distance)


class _Distances:
    """How far images are from each of the targets `[N,C,*S]`."""

    def __init__(self, targets: Tensor, likeness: Likeness | None) -> None:
        self._likeness = likeness
        with torch.no_grad():
            self._targets = self._views(targets)

    def each(self, images: Tensor) -> Tensor:
        """`[N]`: the distance of image i from target i."""
        pairs = zip(self._targets, self._views(images), strict=True)
        return torch.stack([(target - one).square().mean(1) for target, one in pairs]).sum(0)

    @torch.no_grad()
    def table(self, images: Tensor) -> Tensor:
        """`[N,M]`: the distances of M images from each target."""
        pairs = zip(self._targets, self._views(images), strict=True)
        return torch.stack([torch.cdist(target, one).square() / one.shape[1] for target, one in pairs]).sum(0)

    def _views(self, images: Tensor) -> list[Tensor]:
        """What is compared, `[N, numbers]` each: the images at every scale, and their likeness."""
        scaled = [images]
        while len(scaled) < SCALES and min(scaled[-1].shape[2:]) > 1:
            scaled.append(_POOLS[images.ndim - 2](scaled[-1], 2))
        views = [view.flatten(1) for view in scaled]
        return views if self._likeness is None else [*views, self._likeness(images)]


def _refined(begun: Projection, asked: Tensor, distances: _Distances) -> Projection:
    """Set each attribute in turn to the value that fits best, among its values in the rows `asked` `[M,K]`."""
    generator, condition, best = begun.generator, begun.condition, begun.distance
    assert condition is not None
    for places in groups_of(generator.config.attributes or ()).values():
        for value in torch.unique(asked[:, places], dim=0):
            changed = condition.clone()
            changed[:, places] = value
            distance = distances.each(generate(generator, begun.latents, changed))
            condition = torch.where((distance < best)[:, None], changed, condition)
            best = torch.minimum(distance, best)
    return Projection(generator, begun.latents, condition, best)


def _descend(begun: Projection, distances: _Distances, steps: int) -> Projection:
    """The latents after `steps` steps; an information code does not change."""
    generator = begun.generator
    device, size = next(generator.parameters()).device, generator.config.latent_size
    noise, code = begun.latents[:, :size].clone().requires_grad_(True), begun.latents[:, size:]
    condition = None if begun.condition is None else begun.condition.to(device)
    longest = noise.detach().norm(dim=1, keepdim=True)
    if generator.encoder is not None:  # its mean code is shorter than noise
        longest = longest.clamp(min=latents_at(generator.config, 0, 0)[:, :size].norm(dim=1).mean())
    adam = without_compiler(torch.optim.Adam)([noise], RATE)

    def distance() -> Tensor:
        latents = torch.cat([noise, code], 1).to(device)
        return distances.each(generator(latents, condition).float().cpu())

    for step in range(steps):
        adam.param_groups[0]["lr"] = RATE * (1 - progress(step, steps))
        (noise.grad,) = torch.autograd.grad(distance().sum(), noise)
        adam.step()
        with torch.no_grad():
            noise.mul_((longest / noise.norm(dim=1, keepdim=True)).clamp(max=1))
    with torch.no_grad():
        return Projection(generator, torch.cat([noise, code], 1), begun.condition, distance())
