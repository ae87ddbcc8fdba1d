"""Reads what the gallery shows of a release: a few small files, each checked against the manifest first."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from PIL import Image
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mintage.waves import decode_wav, encode_wav
from stages.common.errors import UserError, quoted
from stages.common.marks import Mark, mark_in, with_mark
from stages.common.pictures import encoded
from stages.common.sections import first_problem
from stages.gallery.explorer import Explorer, Known, explorer_of
from stages.media import medium_of
from stages.media.images import Images
from stages.media.medium import Medium, Words
from stages.releases.manifest import Listed, Release
from stages.reporting.facts import Curve, Facts, Heard, Latent, Made
from stages.reporting.inputs import Listening, Picture, Sound
from stages.reporting.page import without_secrets
from stages.reporting.selection import Checkpoint, Selection
from stages.reporting.sheets import Sheet, lighter, sheet_by

_MOST_BYTES = 16_000_000
"""Size of a file, at most: a larger one is no card, table or picture for people."""
_MOST_PIXELS = 50_000_000
_LONGEST = 300
"""Characters of a name or a value, at most; a card may have `_CARD`."""
_CARD = 40_000
_MOST_LINES = 40
_MOST_ROWS, _MOST_COLUMNS, _MOST_HEARD = 6, 4, 3_000_000
"""Rows and columns of sounds, and bytes of all of them, at most."""
_GENERATED = Mark()
_AGAIN = "reconstructions.png"


@dataclass(frozen=True)
class Contents:
    """What is shown of one release."""

    selection: Selection
    checkpoints: list[Checkpoint]
    curves: list[Curve]
    made: list[Made]
    picture: Picture
    again: "Again | None"
    heard: list[Listening]
    card: str
    data: str
    license: str
    config: dict[str, Any]
    """The generator's config, with names cut for display."""
    files: list[Listed]
    lines: list[str]
    """The first samples, where they are text."""
    medium: Medium
    explorer: Explorer | str
    """The explorer, or a sentence on why there is none, empty if a browser could show nothing."""

    @property
    def train(self) -> Made | None:
        return next((one for one in self.made if one.stage == "train"), None)

    @property
    def words(self) -> Words:
        """What the medium calls its samples."""
        return self.medium.words

    @property
    def classes(self) -> list[str]:
        return self.config.get("classes") or []


@dataclass(frozen=True)
class Again:
    """Held-out samples and their reconstructions, as a sheet."""

    title: str
    caption: str
    alt: str
    sheet: Sheet


def read_release(release: Release) -> Contents:
    """Read what is shown. Raises UserError if the release is damaged, or lacks a file that its page needs."""
    files = {file.path: file for file in release.manifest().files}
    of = _Files(release, files)
    header, card = _card(of.text("README.md") or "")
    dataset = _value_at(header, "model-index", 0, "results", 0, "dataset", "name")
    made = [_parsed(of, path, Made) for path in sorted(files) if re.fullmatch(r"provenance/[\w-]+\.json", path)]
    config, found = _config(of), _medium(of)
    medium, unknown = (Images(), found) if isinstance(found, str) else (found, None)
    partner = next((one.params.get("partner") for one in made if one.stage == "normalize"), None)
    selection = _parsed(of, "metrics/selection.json", Selection)
    sizes = {path: file.size for path, file in files.items()}
    return Contents(
        selection=selection,
        checkpoints=list(_table(of, "metrics/checkpoints.tsv", Checkpoint)),
        curves=list(_table(of, "metrics/train.tsv", Curve)),
        made=made,
        picture=lighter(_picture(of, "plots/samples.png")),
        again=_again(of, config, medium),
        heard=_heard(of),
        card=card,
        data=cut(str(dataset or "unnamed data")),
        license=cut(str(header.get("license_name") or header.get("license") or "not stated")),
        config=config,
        files=list(files.values()),
        lines=_lines(of),
        medium=medium,
        explorer=unknown or explorer_of(of.content, sizes, config, Known(medium, partner, selection.pairs_told_apart)),
    )


def cut(text: str) -> str:
    """A name or a value on one line, cut if it is long, without credentials and characters that cannot be shown."""
    line = " ".join(without_secrets(text).split()).encode(errors="replace").decode()  # JSON can say half a letter
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


@dataclass(frozen=True)
class _Files:
    release: Release
    listed: dict[str, Listed]

    def content(self, path: str) -> bytes | None:
        """A file's content; None if the manifest does not list it. Raises UserError if it is damaged or too large."""
        file = self.listed.get(path)
        if file is None:
            return None
        if file.size > _MOST_BYTES:
            raise refused(f"{path} has {file.size:,} bytes, more than is shown ({_MOST_BYTES:,})")
        content = self.release.read(path)
        if content is None:
            raise refused(f"{path} is missing")
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise refused(f"{path} is damaged: its SHA-256 is not the one in the manifest")
        return content

    def needed(self, path: str) -> bytes:
        content = self.content(path)
        if content is None:
            raise refused(f"it has no {path}")
        return content

    def text(self, path: str) -> str | None:
        content = self.content(path)
        return None if content is None else content.decode(errors="replace")


def refused(reason: str) -> UserError:
    return UserError("release-not-shown", f"{reason}: `mintage releases verify` says more")


FactsType = TypeVar("FactsType", bound=Facts)


def _parsed(of: _Files, path: str, kind: type[FactsType]) -> FactsType:
    try:
        return kind.model_validate_json(of.needed(path))
    except ValidationError as error:
        raise refused(f"{path}: {cut(first_problem(error))}") from None


def _table(of: _Files, path: str, kind: type[FactsType]) -> Iterator[FactsType]:
    """The rows of a table; none if the release has no such file."""
    try:
        rows = list(csv.DictReader(io.StringIO(of.text(path) or ""), delimiter="\t"))
    except csv.Error as error:
        raise refused(f"{path} is no table ({cut(str(error))})") from None
    for number, row in enumerate(rows, 2):
        try:
            yield kind.model_validate(row)
        except (ValidationError, TypeError) as error:
            said = cut(first_problem(error)) if isinstance(error, ValidationError) else "more cells than headings"
            raise refused(f"{path}, line {number}: {said}") from None


def _object(of: _Files, path: str) -> dict[str, Any]:
    try:
        found = json.loads(of.content(path) or b"{}")
    except (ValueError, RecursionError):
        raise refused(f"{path} is not valid JSON") from None
    if not isinstance(found, dict):
        raise refused(f"{path} is {quoted(found)}, and not an object")
    return found


_NAMES, _SHAPES = ("classes", "attributes", "domains"), ("image_shape", "source_shape")


def _config(of: _Files) -> dict[str, Any]:
    """The generator's config, checked: names are texts, cut for display, and shapes are whole numbers."""
    config = _object(of, "config.json")
    for keys, kind, kinds in ((_NAMES, str, "texts"), (_SHAPES, int, "whole numbers")):
        for key in keys:
            found = config.get(key) or []
            if not isinstance(found, list) or not all(isinstance(one, kind) for one in found):
                raise refused(f"config.json: {key} is {quoted(found)}, and no list of {kinds}")
    return config | {key: [cut(one) for one in config[key]] for key in _NAMES if config.get(key)}


def _lines(of: _Files) -> list[str]:
    """The first samples, each on one line, if they are text; else empty."""
    found = _object(of, "metrics/latent.json").get("lines")
    return [cut(line) for line in found[:_MOST_LINES] if isinstance(line, str)] if isinstance(found, list) else []


def _medium(of: _Files) -> Medium | str:
    """The release's medium; a sentence if nothing says it, or no package here brings it."""
    try:
        return medium_of(_object(of, "provenance.json"))
    except UserError as error:
        return f"{error}."
    except (KeyError, TypeError):
        return "Nothing says which kind of data it makes."


def _picture(of: _Files, path: str, unmarked: Mark | None = _GENERATED) -> Picture:
    """A picture, decoded and encoded anew, so that the site gets its pixels and its mark, and nothing else.

    A picture without a mark gets `unmarked`.
    """
    content = of.needed(path)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise refused(f"{path} has {image.width} x {image.height} pixels, more than is shown")
            whole = image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise refused(f"{path} is not a sound PNG ({cut(str(error))})") from None
    mark, png = mark_in(content) or unmarked, encoded(whole)
    return Picture(png if mark is None else with_mark(png, mark), *whole.size)


def _again(of: _Files, config: dict[str, Any], medium: Medium) -> Again | None:
    """The reconstructions; None without an encoder, in older releases, and for shapes that the medium does not have."""
    path = f"plots/latent/{_AGAIN}"
    if path not in of.listed:
        return None
    known = next((one for one in _parsed(of, "metrics/latent.json", Latent).pictures if one.file == _AGAIN), None)
    try:
        shape = medium.check_shape(tuple(config.get("image_shape") or ()))
    except ValueError:
        return None
    if known is None or min(shape) < 1:
        return None
    names = [cut(name) for name in known.rows[:_MOST_LINES]]
    title, sheet = cut(known.title), sheet_by(medium, shape, _picture(of, path), names)
    return Again(title, cut(known.caption), f"{title}: {', '.join(names)}", sheet)


def _heard(of: _Files) -> list[Listening]:
    """The sounds to listen to, as many as a page has room for; none in older releases."""
    path = "plots/heard/heard.json"
    if path not in of.listed:
        return []
    known = _parsed(of, path, Heard)
    columns = [cut(name) for name in known.columns[:_MOST_COLUMNS]]
    rows, size = [], 0
    for row in known.rows[:_MOST_ROWS]:
        named = list(zip(columns, (f"plots/heard/{name}" for name in row.files), strict=False))
        size += sum(of.listed[f"{name}.wav"].size for _, name in named if f"{name}.wav" in of.listed)
        if size > _MOST_HEARD:
            break
        sounds = [
            Sound(column, _sound(of, f"{name}.wav"), lighter(_picture(of, f"{name}.png", None)))
            for column, name in named
        ]
        rows.append(Listening(cut(row.title), sounds))
    return rows


def _sound(of: _Files, path: str) -> bytes:
    """A sound, decoded and encoded anew as pictures are."""
    content = of.needed(path)
    try:
        samples, rate = decode_wav(content)
    except ValueError as error:
        raise refused(f"{path} is not a sound WAV file ({cut(str(error))})") from None
    wav, mark = encode_wav(samples, rate), mark_in(content)
    return wav if mark is None else with_mark(wav, mark)


def _card(text: str) -> tuple[dict[str, Any], str]:
    """The model card's header, and its text for people."""
    found = re.match(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    if found is None:
        return {}, text[:_CARD]
    try:
        header = YAML(typ="safe", pure=True).load(found[1])
    except (YAMLError, ValueError, RecursionError):
        header = None
    return header if isinstance(header, dict) else {}, without_secrets(found[2].strip())[:_CARD]


def _value_at(value: Any, *path: str | int) -> Any:
    """The value at a path into nested dicts and lists; None if there is none."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
