"""Where images come from: each source is a module with `Options` and `read(params, options) -> Source`.

The project's own are the modules of this folder that `BUILT_IN` names. A user's own is an entry point of the group
`mintage.sources` in any installed package, its name the source's and its value such a module.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.metadata import entry_points
from itertools import chain
from typing import Any, Protocol

from mintage.nearest import not_one_of
from stages.common.errors import UserError, is_full
from stages.common.foresight import Known
from stages.common.params import Ingest, Normalize
from stages.common.sections import Section, validated
from stages.media.frames import Frames
from stages.media.images import Images
from stages.media.medium import Medium
from stages.sources.names import check_printable, composed

BUILT_IN = (
    "digits", "idx", "folder", "archive", "parquet", "cifar", "arrays", "s3", "http", "glyphs", "ring", "grid",
    "gaussian", "volumes", "solids", "sounds", "tones",
    "text", "sentences", "rolls", "tunes", "figures", "moving",
)  # fmt: skip
GROUP = "mintage.sources"
NOT_STATED = "not stated"

Content = bytes | Callable[[], bytes]
"""Encoded bytes, or a function that reads them: called once, and only if they are needed (a resumed run skips)."""


@dataclass(frozen=True)
class RawImage:
    """An image as its source has it."""

    key: str
    """Its name inside the source, unique."""
    path: str
    """A file name."""
    content: Content
    """Encoded: PNG, JPEG, ..."""
    label: int | None
    """None for an image without a label; in a source with classes, `ingest.unlabeled` decides what happens to it."""
    split: str | None
    """"train" or "test" if the source has an official test set."""
    partner: Content | None = None
    """Its source image, in a source of pairs."""
    stamp: str = ""
    """Changes with the content, but is known without reading it: a file's time and size, an object's tag."""
    group: str | None = None
    """The person, scene, ... that it shows: all images of a group stay on one side of a random split."""
    attributes: list[float] | None = None
    """Values in [-1,1], in the order of `Source.attributes`."""
    domain: int | None = None
    """0 or 1, in a source of two domains without pairs."""
    maps: tuple[Content, ...] = ()
    """Pictures that are joined to its partner as more channels, such as a map of where things should be."""


@dataclass(frozen=True)
class Source:
    """A set of images and what is known about it."""

    name: str
    license: str
    origin: str
    classes: list[str] | None
    """Names by label; None where images have no labels."""
    images: Iterator[RawImage]
    """Each image is read when it is asked for, so that one is in memory at a time."""
    notes: list[str] = field(default_factory=list)
    """Notes for the user, complete once `images` is read to its end."""
    layout: list[str] = field(default_factory=list)
    """How names were understood if that is a choice: shown before images are read."""
    medium: Medium = field(default_factory=Images)
    """The kind of data, with what is known about it."""
    count: int | None = None
    """How many images there are, if that is known before they are read."""
    class_counts: dict[str, int] = field(default_factory=dict)
    """How many images each class has, if names tell; else empty."""
    paired: bool = False
    """Whether images have partners."""
    maps: int = 0
    """How many pictures join each partner."""
    has_split: bool = False
    """Whether names tell which images are held out."""
    grouped: bool = False
    """Whether images are in groups."""
    attributes: list[str] | None = None
    """Names of the images' attributes, which replace classes; None without attributes."""
    domains: list[str] | None = None
    """Names of the two domains without pairs; None if there is only one."""
    readers: int = 1
    """How many contents may be read at once, by threads: more than one if each has to be waited for."""

    def known(self, to: Normalize) -> Known:
        """What is known from names about the normalized data before an image is read; `to` is normalize's params."""
        return Known(
            shape=to.shape_of(self.medium.sides),
            medium=self.medium,
            classes=len(self.classes or ()),
            paired=self.paired or to.partner is not None,
            attributes=bool(self.attributes),
            attribute_names=tuple(self.attributes or ()),
            domains=bool(self.domains),
            smaller=to.partner == "lower_resolution",
            maps=self.maps if to.partner is None else 0,
            class_names=tuple(self.classes or ()),
        )


def drawn_source(name: str, seed: int, classes: list[str] | None, images: Iterator[RawImage], **more: Any) -> Source:
    """A source whose images this pipeline draws by a seed; `more` as in `Source`."""
    return Source(name, "CC0 1.0", f"drawn by this pipeline, seed {seed}", classes, images, **more)


def content_of(content: Content) -> bytes:
    return content if isinstance(content, bytes) else content()


class NoOptions(Section):
    """The options of a source that has none."""


class Reader(Protocol):
    """A source's module. These are optional:

    `MEDIUM`: its medium, if that is always the same and not images; `medium_by(options)`: if options decide it.
    `paired_by(options)`, `attributes_by(options)`: whether samples get partners, or attributes. `READS_PATH`: False if
    nothing at ingest.path is read. `names_tell(params)`: True if `read` only has to list names, so that what they show
    is known before anything runs.
    """

    @property
    def Options(self) -> type[Section]:  # noqa: N802 - the name of a class
        """Its options: each field has a description, and a default if there is one."""

    def read(self, params: Ingest, options: Section) -> Source:
        """The images, as `params` and `options` say."""


def open_source(params: Ingest) -> Source:
    """The source that `params` names; only its own module is imported. Raises UserError as the source does."""
    from stages.sources.attributes import with_attributes
    from stages.sources.groups import grouped
    from stages.sources.labels import labeled
    from stages.sources.scenes import in_scenes
    from stages.sources.unlabeled import only_labeled

    options = checked_options(params)
    if params.attributes is not None:  # which replace classes
        params = params.model_copy(update={"labels": False})
    if params.scenes is not None and params.labels is None:  # a folder is a scene, and no class
        params = params.model_copy(update={"labels": False})
    with _sentences(params.path):
        source = reader(params.source).read(params, options)
    if params.pairs is not None and not source.paired:
        raise UserError(
            "pairs-not-supported",
            f"ingest.pairs is for source 'folder' or a zip 'archive', not {params.source!r}: set it to null",
        )
    if params.domains is not None and not source.domains:
        raise UserError(
            "domains-not-supported",
            f"ingest.domains is for folders: of source 'folder', 'archive' or 's3', not {params.source!r}: set it to "
            "null",
        )
    classes = None if source.classes is None else [composed(name) for name in source.classes]
    source = labeled(replace(source, classes=classes, images=_readable(source.images, params.path)), params)
    source = grouped(with_attributes(only_labeled(source, params.unlabeled), params), params)
    source = source if params.scenes is None else in_scenes(source, params.scenes, params.max_pixels)
    for name in chain(source.classes or (), source.attributes or (), source.domains or ()):
        check_printable(params.path, name)  # names from tables, too, as those of folders
    return replace(source, name=params.name or source.name)


def _readable(images: Iterable[RawImage], place: str) -> Iterator[RawImage]:
    """The images, with their keys in Unicode's form NFC."""
    with _sentences(place):
        for image in images:
            yield image if image.key.isascii() else replace(image, key=composed(image.key))


@contextmanager
def _sentences(place: str) -> Iterator[None]:
    """Turn the system's errors on files into a UserError, if the source has not; a full disk has its own error."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise
        where = error.filename or place
        raise UserError(
            "source-unreadable", f"{where} cannot be read ({error.strerror or error}): check that it is there and yours"
        ) from None


def checked_options(params: Ingest, key: str = "ingest.options") -> Section:
    """`params.options` as the source's model. Raises UserError on an unknown source or option, with the nearest."""
    return validated(reader(params.source).Options, params.options, "params.yaml", key)


def reader(name: str) -> Reader:
    """The module of a source, imported. Raises UserError if there is none of this name, or it is no source."""
    place = module_of(name)
    if name in BUILT_IN:
        found: Reader = import_module(place)
        return found
    return _loaded(name, place)


def medium_from(params: Ingest) -> Medium:
    """The medium of a source, as far as it is known before anything is read.

    Raises UserError as `checked_options` does.
    """
    if params.scenes is not None:
        return Frames(params.scenes.past)
    module = reader(params.source)
    by_options: Callable[[Section], Medium] | None = getattr(module, "medium_by", None)
    found: Medium = by_options(checked_options(params)) if by_options else getattr(module, "MEDIUM", Images())
    return found


def paired_from(params: Ingest) -> bool | None:
    """Whether samples will have partners; None if only the data show it. Raises UserError as `checked_options` does."""
    if params.pairs is not None or params.scenes is not None:
        return True
    by_options: Callable[[Section], bool] | None = getattr(reader(params.source), "paired_by", None)
    if by_options is None:
        return False if params.source in BUILT_IN else None
    return by_options(checked_options(params))


def has_attributes(params: Ingest) -> bool:
    """Whether samples will have attributes, as far as params show. Raises UserError as `checked_options` does."""
    by_options: Callable[[Section], bool] | None = getattr(reader(params.source), "attributes_by", None)
    return params.attributes is not None or (by_options is not None and by_options(checked_options(params)))


def named(params: Ingest) -> Source | None:
    """The source, not yet read, if names alone show at once what it has, else None; raises as `open_source`."""
    tell: Callable[[Ingest], bool] | None = getattr(reader(params.source), "names_tell", None)
    return open_source(params) if tell is not None and tell(params) else None


def reads_path(name: str) -> bool:
    """Whether a source reads what is at ingest.path; True for an unknown source, which has its own error."""
    try:
        return bool(getattr(reader(name), "READS_PATH", True))
    except (ModuleNotFoundError, UserError):
        return True


def module_of(name: str) -> str:
    """The name of a source's module. Raises UserError if there is no source of this name."""
    if name in BUILT_IN:
        return f"stages.sources.{name}"
    own = brought()
    if name not in own:
        known = [*BUILT_IN, *own]
        raise UserError(
            "source-unknown",
            f"params.yaml: ingest.source = {name!r}{not_one_of(name, known, ', '.join(known))}",
        )
    return own[name]


def names() -> list[str]:
    """Every source: the project's own, then those of installed packages."""
    return [*BUILT_IN, *sorted(brought().keys() - {*BUILT_IN})]


def brought() -> dict[str, str]:
    """The modules of sources in installed packages, by name."""
    return {entry.name: entry.value for entry in entry_points(group=GROUP)}


def _loaded(name: str, place: str) -> Reader:
    try:
        module: Reader = import_module(place)
    except Exception as error:  # it is anyone's code
        reason = f"{type(error).__name__}: {error}"
        raise UserError(
            "source-not-importable", f"the source {name!r} ({place}) cannot be imported ({reason}): mend it"
        ) from None
    missing = [one for one in ("Options", "read") if not hasattr(module, one)]
    if missing:
        raise UserError("source-incomplete", f"the source {name!r} ({place}) has no {' and no '.join(missing)}: add it")
    return module
