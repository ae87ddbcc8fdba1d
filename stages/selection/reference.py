"""The real images that checkpoints are measured against, with their features, extracted once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from mintage.attributes import by_chance
from mintage.metrics import density_coverage, precision_recall
from mintage.metrics.copied_shapes import Shapes
from mintage.metrics.copies import Originals, originals
from mintage.metrics.distances import squared_radii
from mintage.metrics.thumbnails import block_of
from mintage.players import Generator
from mintage.randomness import stream
from mintage.sampling import CHUNK, Rows, asked_labels, asked_rows, rows_with, samples
from mintage.sources import has_mask
from stages.common.params import Select
from stages.common.reading import Chosen, Sources, attributes_of, batches_of, labels_of
from stages.common.split import JoinedSplit, Split
from stages.media.medium import Medium
from stages.selection.cache import Cache, code_digest, digest_of, key_of
from stages.selection.extraction import Extraction, Judge, Target
from stages.selection.features import feature_network

_COLORS = 3
TRANSLATED = ("source", "domain")
"""Conditions that are images, which generators translate."""
COUPLED = "partner"
"""The condition of generators that make an image in each of two domains from one latent: two partners."""


@dataclass(frozen=True)
class Reference:
    """Real images as a judge sees them, and how the generated ones to compare with them are drawn."""

    judge: Judge
    train_split: Split
    holdout_split: Split
    train: Extraction
    holdout: Extraction
    condition: str | None
    """What generators are given: a "label", "attributes", a "source", an image of the other "domain", or nothing;
    `COUPLED` if they are given the domain to make."""
    samples: int
    """Images that are generated to measure a checkpoint, and training images that the floors are of."""
    seed: int
    key: str
    """A digest of all of this, including the code that extracts."""
    subject: str
    """A digest of the images alone."""
    known: Cache
    """The cached measurements of these images."""
    to: str | None = None
    """The target domain, if there are two; all other images here are of it."""
    others: Split | None = None
    """The held-out images of the other domain, if these are translated."""
    partner: Judge | None = None
    """The judge of images of the other domain, if one latent makes an image of each."""
    encodes: bool = False
    """Whether generators come with an encoder."""

    @property
    def medium(self) -> Medium:
        return self.judge.medium

    @property
    def offers(self) -> set[str | None]:
        """The needs of metrics (`Metric.needs`) that these images and generators meet."""
        given = {
            "source": self._offered_by_pairs,
            "domain": {"domains", *(["source pictures"] if self.medium.has_looks else [])},
        }
        beside = {*(["attributes"] if self.attributes else []), *(["encoder"] if self.encodes else [])}
        return {None, *self.medium.has, *beside, *given.get(self.condition or "", set())}

    @property
    def masked(self) -> bool:
        """Whether sources have a mask of what is missing."""
        partners = self.holdout_split.partners
        return partners is not None and has_mask(partners.shape, self.holdout_split.shape)

    @property
    def _offered_by_pairs(self) -> set[str]:
        colored = self.holdout_split.shape[0] == _COLORS
        of_planes = {"pairs of pictures", "source pictures"} if self.medium.has_looks else set()
        by_rank = {1: {"pairs of sounds"}, 2: of_planes}
        rank = len(self.holdout_split.shape) - 1
        return {
            "pairs",
            *by_rank.get(rank, set()),
            *(["masks"] if self.masked else []),
            *(["colors"] if colored else []),
        }

    @property
    def classes(self) -> int:
        return len(self.judge.evaluator.config.classes or ())

    @property
    def conditional(self) -> bool:
        """Whether generators are asked for a class."""
        return self.condition == "label"

    @property
    def kind(self) -> str:
        return self.judge.evaluator.config.kind

    @cached_property
    def holdout_labels(self) -> Tensor | None:
        return labels_of(self.holdout_split)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of the attributes that generators are asked for; empty if there are none."""
        return (
            self.holdout_split.signature.attributes or () if asks_attributes(self.condition, self.holdout_split) else ()
        )

    @cached_property
    def chances(self) -> Tensor | None:
        """The accuracy of always naming each attribute's most frequent value, `[G]`; None without attributes."""
        held_out = attributes_of(self.holdout_split)
        return by_chance(held_out, self.attributes) if held_out is not None and self.attributes else None

    @property
    def chance(self) -> float | None:
        """The accuracy of always naming the holdout's most frequent class; None without two classes.

        With attributes it is the mean of `chances`.
        """
        if self.chances is not None:
            return self.chances.mean().item()
        labels = self.holdout_labels
        return None if labels is None or self.classes < 2 else (torch.bincount(labels).max() / len(labels)).item()

    @cached_property
    def train_sample(self) -> Extraction:
        """The training images of the floor: drawn by the seed, as many as are generated.

        The split is by class, so train and holdout are more alike than two independent draws: the floor of the kernel
        distance lies below 0, most of all in small data. Compare a distance with its floor, not with 0.
        """
        return self.train.rows(self.chosen, map(torch.from_numpy, self.train_split.batches(self.chosen.numpy())))

    @cached_property
    def chosen(self) -> Tensor:
        """The numbers `[samples]` of these images in the train split, in order.

        They have the classes that generators are asked for, or translate; without classes they are drawn at random.
        """
        random, labels = stream(self.seed, "floor"), labels_of(self.train_split)
        asked = labels_of(self.holdout_split if self.others is None else self.others)
        if labels is None or asked is None or self.condition not in ("label", *TRANSLATED):
            return torch.randperm(len(self.train), generator=random)[: self.samples].sort().values
        count = min(self.samples, len(self.train))
        return rows_with(labels, asked_labels(asked, count, self.seed), random)

    @cached_property
    def pairs(self) -> Tensor:
        """The numbers `[samples]`, in order, of the held-out images whose sources or attributes generators are given.

        Between domains they are numbers of the `others` that are translated.
        """
        held = len(self.holdout) if self.others is None else len(self.others)
        return asked_rows(held, self.samples, self.seed).sort().values

    @cached_property
    def encoded(self) -> Tensor:
        """The numbers of the held-out images that an encoder encodes, each once, in order."""
        numbers: Tensor = torch.unique(self.pairs)
        return numbers

    def held_out(self) -> Iterator[Tensor]:
        """The images of `encoded`, `[n,C,*S]` a chunk."""
        return (torch.from_numpy(self.holdout_split.take(rows.numpy())) for rows in torch.split(self.encoded, CHUNK))

    @cached_property
    def requested_labels(self) -> Tensor | None:
        """The class `[samples]` that each generated image should have: as frequent as in the holdout, shuffled.

        For a translation it is the class of its source. None without classes, or if generators are given nothing.
        """
        labels = self.holdout_labels if self.others is None else labels_of(self.others)
        if labels is None or self.condition is None:
            return None
        return asked_labels(labels, self.samples, self.seed) if self.conditional else labels[self.pairs]

    def labels_of_partners(self, generator: Generator) -> Tensor | None:
        """The class `[samples]` that the other domain's evaluator sees in the partner of each image.

        None without partners, or without two classes.
        """
        if self.to is None or self.partner is None or not self.partner.evaluator.config.classifies:
            return None
        other = 1 - self.holdout_split.domains.index(self.to)
        made = self.partner.generated(generator, self.samples, self.seed, [other])
        return torch.cat([self.partner.classes(images) for images in made])

    @cached_property
    def requested_attributes(self) -> Tensor | None:
        """The attributes `[samples,K]` that each generated image should have: those of held-out images."""
        held_out = attributes_of(self.holdout_split) if self.attributes else None
        return None if held_out is None else held_out[self.pairs]

    @property
    def requested(self) -> Rows | None:
        """What generators are given for each image: the class, the attributes, the source, or the domain to make."""
        if self.to is not None and self.partner is not None:
            return torch.tensor([self.holdout_split.domains.index(self.to)])
        if self.condition == "source":
            return Sources(self.holdout_split, self.pairs)
        if self.others is not None:
            return Chosen(self.others, self.pairs)
        return self.requested_labels if self.requested_attributes is None else self.requested_attributes

    def targets(self) -> Iterator[Target] | None:
        """The truths of translations, or between domains their sources, by chunk; None without translations."""
        translated = self.condition in TRANSLATED
        return map(self._target, torch.split(self.pairs, CHUNK)) if translated else None

    def _target(self, rows: Tensor) -> Target:
        hole: Tensor | None = None
        if self.others is not None:
            return Target(torch.from_numpy(self.others.take(rows.numpy())))
        if self.masked and self.holdout_split.partners is not None:
            hole = torch.from_numpy(self.holdout_split.partners.take(rows.numpy()))[:, -1:] > 0
        return Target(torch.from_numpy(self.holdout_split.take(rows.numpy())), hole)

    def towards(self, generator: Generator) -> Generator:
        """The direction of a generator that is measured; the generator itself if it has no two."""
        return generator if self.others is None or self.to is None else generator.directions[self.to]

    def back_from(self, generator: Generator) -> Callable[[Tensor], Tensor] | None:
        """A function that translates images `[n,C,H,W]` of this domain into the other; None if there is no other."""
        if self.others is None:
            return None
        back = next(one for name, one in generator.directions.items() if name != self.to)
        return lambda images: torch.cat([made for made, _ in samples(back, len(images), self.seed, images)])

    @cached_property
    def radii_of_precision(self) -> Tensor:
        return squared_radii(self.holdout.features, precision_recall.NEIGHBORS)

    @cached_property
    def radii_of_density(self) -> Tensor:
        return squared_radii(self.holdout.features, density_coverage.NEIGHBORS)

    @cached_property
    def originals(self) -> Originals | Shapes | None:
        """The training images among which originals of copies are looked for; None if they have no thumbnails."""
        thumbnails = self.train.thumbnails
        return None if thumbnails is None else originals(thumbnails, block_of(self.train_split.shape[1:]))


def asks_attributes(condition: str | None, holdout: Split) -> bool:
    """Whether generators are asked for attributes, alone or beside a source."""
    return condition == "attributes" or (condition == "source" and isinstance(holdout, JoinedSplit))


def reference(
    judge: Judge,
    train: Split,
    holdout: Split,
    params: Select,
    *,
    condition: str | None,
    cache: Path,
    to: str | None = None,
    others: Split | None = None,
    partner: Judge | None = None,
    encodes: bool = False,
) -> Reference:
    """The real images with their features, extracted now or found in the cache.

    Most figures depend on the number of images. So no more images are generated than the train split has: a figure and
    its floor are always of as many. Nor are more sources translated than are held out.
    Between domains, `train` and `holdout` are of the target domain `to`; `others` are held-out images of the other
    domain, or `partner` is its judge.
    """
    translated = holdout.partners if condition == "source" else others
    count = min(params.samples, len(train), *([] if translated is None else [len(translated)]))
    data = digest_of(train, holdout, *([] if translated is None else [translated]))
    by = [judge.about(), condition, *([] if partner is None else [partner.about(), to])]
    by += ["attributes"] if condition == "source" and asks_attributes(condition, holdout) else []
    key = key_of(*by, code_digest(Judge, Extraction, feature_network, Split))
    known = Cache(cache, data)

    def load_or_extract(name: str, split: Split) -> Extraction:
        labels = labels_of(split) if condition is not None else None

        def extract() -> Extraction:
            targets = map(Target, batches_of(split)) if condition in TRANSLATED and split is holdout else None
            attributes = attributes_of(split) if asks_attributes(condition, holdout) else None
            back = (lambda images: images) if condition == "domain" else None
            return judge.extract(batches_of(split), labels, targets, attributes, back=back)

        return Extraction(**known.tensors(f"{name}-{key}", lambda: extract().tensors()))

    return Reference(
        judge,
        train,
        holdout,
        load_or_extract("train", train),
        load_or_extract("holdout", holdout),
        condition,
        count,
        params.seed,
        key_of(key, data, count, params.seed),
        data,
        known,
        to,
        others,
        partner,
        encodes,
    )
