"""A user's images in memory, checked once."""

import math
import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mintage.arguments import checked
from mintage.attributes import columns
from mintage.damage import Damage
from mintage.nearest import nearest

if TYPE_CHECKING:
    from mintage.model_config import ModelConfig

_MOST_CLASSES = 2**20
_GRAY = 0.5
"""Images with no value below 0 and some value above this are most likely in [0,1], and not in [-1,1]."""


@dataclass(frozen=True)
class Signature:
    """What a game must know about real images before it sees them."""

    shape: tuple[int, ...]
    """(C, H, W), (C, T) of sound or (C, D, H, W) of volumes."""
    classes: tuple[str, ...] | None = None
    """Names by label; None where images have none."""
    attributes: tuple[str, ...] | None = None
    """Names of the attributes; None where images have none."""
    source_shape: tuple[int, ...] | None = None
    """(S, H, W) of the source that comes with each image; None without sources."""

    damage: Damage | None = None
    """How sources are made from the images; None if they are not."""
    domains: tuple[str, ...] | None = None
    """Names of the two domains without pairs; None for one kind of images."""
    vocabulary: tuple[str, ...] | None = None
    """The words, if samples are sequences of words (`mintage.tokens`)."""
    first: "ModelConfig | None" = None
    """The config of the generator to build on; None for a game that starts from scratch."""

    @property
    def paired(self) -> bool:
        """Whether each image comes with a source."""
        return self.source_shape is not None


class Dataset:
    """Images, with labels, attributes, sources or domains if they have some.

    Args:
        image: `[N,C,H,W]` or `[N,H,W]`, a tensor or an array: floats in [-1,1], 8-bit levels in [0,255], or bools.
            Volumes are `[N,C,D,H,W]`, or with `rank=3` `[N,D,H,W]`; sound is, with `rank=1`, `[N,C,T]` or `[N,T]`,
            also as 16-bit numbers (int16).
        label: `[N]`, whole numbers from 0, or names of classes; None without classes.
        source: Like `image`, with any channels and size: from what a translator makes each image; None without pairs.
            One channel more than the image has is a mask, above 0 where the image must be filled in. Or a `Damage`,
            which makes sources from the images, always the same; with `redrawn` in the recipe anew at every step.
        classes: A name for each label; by default "0", "1" and so on, or the names in `label`, sorted.
        attributes: By name the values `[N]` of a property: True and False, or -1 and 1, or numbers on [-1,1]; or words,
            each of which becomes an attribute, `hair=red`. None without attributes.
        domain: `[N]`, 0 or 1, or names: the domain of each image, of two without pairs; else None.
        domains: A name for each; by default "0" and "1", or the names in `domain`, sorted.
        rank: How many axes an image has after its channels: 1, 2 or 3. By default 3 for five dimensions, else 2; if it
            is given, the axis of a single channel may be left out.
        still: The sides along which a shift would change what an image is, counted from 0: (1,) for bars of music
            `[C,T,P]`, their pitches. Along other sides `mintage.measure` shifts images by a step or two in training.

    Raises:
        ValueError: Shapes, ranges or labels do not fit; the message says what would.

    Example:
        >>> import torch, mintage
        >>> data = mintage.Dataset(image=torch.zeros(6, 1, 8, 8), label=[0, 1, 0, 1, 0, 1], classes=["cat", "dog"])
        >>> len(data), data.shape, data.classes
        (6, (1, 8, 8), ('cat', 'dog'))
        >>> mintage.Dataset(torch.zeros(6, 512), rank=1).shape, mintage.Dataset(torch.zeros(6, 8, 8, 8), rank=3).shape
        ((1, 512), (1, 8, 8, 8))
    """

    @checked
    def __init__(
        self,
        image: Any,
        label: Any = None,
        classes: Sequence[str] | None = None,
        source: Any = None,
        attributes: Mapping[str, Any] | None = None,
        *,
        domain: Any = None,
        domains: Sequence[str] | None = None,
        rank: int | None = None,
        still: Sequence[int] = (),
    ) -> None:
        self.image = images_in_range(image, rank)
        """`[N,C,*S]`, float32 in [-1,1]; S are `rank` sides."""
        self.still = _sides(still, self.image)
        """Sides along which images must not be shifted."""
        if self.image.min() >= 0 and self.image.max() > _GRAY:
            warnings.warn(
                "no image is darker than 0, which is mid gray: if 0 is black, give 2 * image - 1", stacklevel=3
            )
        if self.image.ndim == 4 and self.image.shape[-1] <= 4 < min(self.image.shape[1:3]):
            warnings.warn(
                f"images are {list(self.image.shape)}, read as [N,C,H,W]: if channels are last, give "
                "image.permute(0, 3, 1, 2)",
                stacklevel=3,
            )
        self.classes, self.label = _labels(label, _names(classes), len(self))
        """Names by label, and labels `[N]`, int64; both None where images have none."""
        self.damage, self.source = _sources(source, self.image)
        """What makes the sources, if that is known; and `[N,S,*S]`, as many sides as the images, float32 in [-1,1]."""
        self.attribute_names: tuple[str, ...] | None = None
        self.attributes: Tensor | None = None
        """`[N,K]`, float32 in [-1,1]."""
        if attributes:
            self.attribute_names, self.attributes = columns(attributes, len(self))
        self.domains, self.domain = _domains(domain, _names(domains), len(self))
        """The names of both domains, and `[N]`, int64: 0 or 1."""
        if self.domain is not None and self.source is not None:
            raise ValueError("images of two domains have no sources: leave out `source`, or `domain`")
        self.vocabulary: tuple[str, ...] | None = None
        """The words, if samples are sequences of words (`mintage.tokens.sequences`)."""

    def __len__(self) -> int:
        return len(self.image)

    def __repr__(self) -> str:
        beside = [f"{len(self.classes)} class{'es' * (len(self.classes) > 1)}"] if self.classes else []
        beside += [f"{len(self.attribute_names)} attributes"] if self.attribute_names else []
        beside += ["a source each"] if self.source is not None else []
        beside += [f"the domains {' and '.join(self.domains)}"] if self.domains else []
        return f"Dataset({len(self)} images of {', '.join([str(list(self.shape)), *beside])})"

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W) of an image, (C, T) of sound or (C, D, H, W) of a volume."""
        return tuple(self.image.shape[1:])

    @property
    def signature(self) -> Signature:
        source = None if self.source is None else tuple(self.source.shape[1:])
        about = (self.shape, self.classes, self.attribute_names, source, self.damage, self.domains, self.vocabulary)
        return Signature(*about)

    def rows(self, chosen: Tensor) -> "Dataset":
        """The images of these numbers `[n]`, with the same classes."""
        part = copy(self)
        for field in ("image", "label", "source", "attributes", "domain"):
            values = getattr(self, field)
            setattr(part, field, None if values is None else values[chosen])
        return part

    def of_domain(self, name: str) -> "Dataset":
        """The images of one domain, with the same classes. Raises ValueError, with the nearest name, if there is none.

        Example:
            >>> import torch, mintage
            >>> data = mintage.Dataset(torch.zeros(4, 1, 8, 8), domain=[0, 0, 0, 1], domains=("photo", "drawing"))
            >>> len(data.of_domain("photo"))
            3
        """
        if self.domain is None or self.domains is None:
            raise ValueError("the images are of no domains: give `domain` and `domains`")
        part = self.rows((self.domain == number_of(name, self.domains)).nonzero().squeeze(1))
        part.domain = part.domains = None
        return part


def number_of(domain: str, domains: Sequence[str]) -> int:
    """The number of a domain, 0 or 1. Raises ValueError, with the nearest name, if there is no such domain."""
    if domain not in domains:
        raise ValueError(f"there is no domain {domain!r}{nearest(domain, domains)}")
    return list(domains).index(domain)


def _names(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names of classes or domains from any sequence of them, an array too. Raises ValueError."""
    if given is None:
        return None
    names = tuple(given)
    if any(name is None for name in names):
        raise ValueError("a name is None: give a string for each class or domain")
    return tuple(map(str, names))


def _sides(still: Sequence[int], images: Tensor) -> tuple[int, ...]:
    """The sides `still`. Raises ValueError if images do not have them."""
    sides = range(images.ndim - 2)
    if not {*still} <= {*sides}:
        raise ValueError(f"still = {list(still)}: these images have sides {', '.join(map(str, sides))}")
    return tuple(still)


def _sources(source: Any, images: Tensor) -> tuple[Damage | None, Tensor | None]:
    """What makes the sources, if something does, and the sources `[N,S,*S]`. Raises ValueError."""
    if source is None:
        return None, None
    if isinstance(source, Damage):
        if images.ndim != 4:
            raise ValueError("damage is of pictures [N,C,H,W]: give sources of your own")
        return source, source.sources(images, 0, 0)
    sources = images_in_range(source, images.ndim - 2)
    if len(sources) != len(images):
        raise ValueError(f"there are {len(sources)} sources and {len(images)} images: give pairs")
    return None, sources


def _domains(domain: Any, domains: Sequence[str] | None, images: int) -> tuple[tuple[str, ...] | None, Tensor | None]:
    """Names of both domains, and the number `[N]` of each image's; None and None without any. Raises ValueError."""
    if domain is None:
        if domains is not None:
            raise ValueError("domains are named, and no image is of one: give `domain` too")
        return None, None
    given, words = _listed(domain)
    names = tuple(domains or (sorted(set(given)) if words else ("0", "1")))
    if len(set(names)) != 2 or len(names) != 2:
        raise ValueError(f"the domains are named {', '.join(names)}: name two")
    numbers = _whole([number_of(one, names) for one in given] if words else domain, images, "domains")
    if numbers.max() > 1:
        raise ValueError(f"domains go up to {numbers.max()}: give 0 or 1 for each image")
    counts = torch.bincount(numbers, minlength=2)
    if not counts.all():
        raise ValueError(f"no image is of the domain {names[int(counts.argmin())]!r}: give images of both")
    return names, numbers


_SIDES = {1: "T", 2: "H,W", 3: "D,H,W"}


def images_in_range(given: Any, rank: int | None = None) -> Tensor:
    """Images `[N,C,*S]`, float32 in [-1,1], from a user's tensor or array; see `Dataset`. Raises ValueError."""
    images = tensor_of(given).detach()
    rank = (3 if images.ndim == 5 else 2) if rank is None else rank
    if rank not in _SIDES:
        raise ValueError(f"rank = {rank}: give 1 for sound, 2 for pictures or 3 for volumes")
    if images.ndim == rank + 1:
        images = images.unsqueeze(1)
    if images.ndim != rank + 2 or 0 in images.shape:
        sides = _SIDES[rank]
        raise ValueError(f"images are {list(images.shape)}: give [N,C,{sides}], or [N,{sides}] of one channel")
    if images.dtype == torch.bool:
        return images.float() * 2 - 1
    if images.dtype == torch.uint8:
        return images.float() / 127.5 - 1
    if images.dtype == torch.int16 and rank == 1:
        return images.float() / 2**15
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}: give 8-bit levels (uint8), or floats in [-1,1]")
    lowest, highest = images.min().item(), images.max().item()
    if not math.isfinite(lowest + highest):
        raise ValueError("images hold numbers that are not finite (NaN or infinite): mend or leave out those images")
    if not (lowest >= -1 and highest <= 1):
        raise ValueError(f"images lie in [{lowest:g}, {highest:g}]: scale them to [-1,1]")
    return images.float()


def images_of_shape(given: Any, shape: tuple[int, ...], whose: str = "model") -> Tensor:
    """`images_in_range`, each of this shape (C, *S). Raises ValueError, also for another one."""
    images = images_in_range(given, len(shape) - 1)
    if images.shape[1:] != shape:
        raise ValueError(f"images are {tuple(images.shape[1:])}, and the {whose}'s are {shape}")
    return images


def tensor_of(given: Any) -> Tensor:
    """A user's tensor or array, or a list of either, as a tensor; raises ValueError for anything else."""
    if isinstance(given, Dataset):
        raise ValueError("a Dataset is given: give its `image`, or its `source`")
    several = isinstance(given, list | tuple) and len(given) > 0 and hasattr(given[0], "shape")
    try:
        return torch.stack([torch.as_tensor(one) for one in given]) if several else torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"a {type(given).__name__} is no tensor and no array of numbers ({error})") from None


def _labels(label: Any, classes: Sequence[str] | None, images: int) -> tuple[tuple[str, ...] | None, Tensor | None]:
    """Names of classes, and the number `[N]` of each image's class; None and None without any. Raises ValueError."""
    if label is None:
        if classes is not None:
            raise ValueError("classes are named, and no image has a label: give `label` too")
        return None, None
    given, words = _listed(label)
    names = tuple(classes or (sorted(set(given)) if words else ()))
    if unknown := sorted(set(given) - set(names)) if words else []:
        raise ValueError(f"there is no class {unknown[0]!r} among those named: {', '.join(names)}")
    labels = _whole([names.index(one) for one in given] if words else label, images)
    count = int(labels.max()) + 1
    if count > _MOST_CLASSES:
        raise ValueError(f"labels go up to {count - 1}, as numbers of other kinds do: count the classes from 0")
    names = names or tuple(map(str, range(count)))
    if len(names) < count:
        raise ValueError(f"labels go up to {count - 1}, and {len(names)} classes are named")
    if len(set(names)) < len(names):
        raise ValueError(f"two classes have one name ({', '.join(names)}): name each differently")
    return names, labels


def _listed(given: Any) -> tuple[list[Any], bool]:
    """The values, and whether all of them are names. Raises ValueError for a single one."""
    values = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(values, str | int | float):
        raise ValueError(f"{values!r} is given: give one for each image")
    values = list(values)
    return values, all(isinstance(one, str) for one in values)


def _whole(given: Any, images: int, what: str = "labels") -> Tensor:
    try:
        labels = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{what} must be whole numbers from 0, or all of them names ({error})") from None
    if labels.ndim == 2 and len(labels) == images:
        raise ValueError(f"{what} are {list(labels.shape)}: give a number for each image; of one-hot rows, argmax(1)")
    if labels.shape != (images,):
        raise ValueError(f"{what} are {list(labels.shape)}: give one for each of {images} images")
    if labels.is_floating_point() or labels.long().min() < 0:
        raise ValueError(f"{what} must be whole numbers from 0")
    return labels.long()
