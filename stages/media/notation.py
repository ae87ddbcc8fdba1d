"""MusicXML as notes and bars: uncompressed, or `.mxl`, which is a zip with it (W3C MusicXML 4.0, score-partwise).

Python's own expat reads it: it fetches nothing and limits entities; a file with entities of its own is refused anyway.
Notes, bars and chord symbols are kept; repeats and their endings are expanded.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import lcm
from xml.etree import ElementTree

from mintage.chords import Chord
from mintage.midi import STEPS_A_BEAT
from stages.common.errors import one_line
from stages.media import harmony
from stages.media.medium import UnusableError

_ZIP, _BYTE_ORDERS = b"PK\x03\x04", (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_CONTAINER = "META-INF/container.xml"
_BYTES_A_STEP = 64
"""Most bytes of a file for each step that a piece may have: a full score has some hundred bytes a note."""
_SMALLEST = 2**22
_COMMON = Fraction(4)
_MOST_ROUNDS = 16
_DECIMAL = re.compile(r"[0-9]{1,9}([.][0-9]{0,4})?")
_FINEST = 2**40
"""Largest denominator of parts of a quarter note: without a limit, fractions would grow with every bar."""
_DAMAGED = (ValueError, TypeError, KeyError, ZeroDivisionError, OverflowError, AttributeError)

Span = tuple[Fraction, Fraction, int]
"""A note: its begin and end, in quarters of its bar or in steps of its piece, and its pitch as MIDI's number."""


@dataclass(frozen=True)
class Written:
    """A piece as it is played, in steps, which are sixteenths."""

    parts: list[list[Span]]
    bars: list[tuple[Fraction, Fraction]]
    """The begin and the length of each bar."""
    has_drums: bool
    chords: list[Chord | None]
    """The chord of each bar by its symbols; empty without symbols."""


@dataclass
class _Bar:
    """A part's content between two bar lines, in quarters."""

    notes: list[Span] = field(default_factory=list)
    symbols: list[harmony.Symbol] = field(default_factory=list)
    length: Fraction = Fraction(0)
    usual: Fraction = _COMMON
    """Its length by the meter."""
    begins_repeat: bool = False
    rounds: int = 1
    """How often the repeat that ends with this bar is played in total."""
    endings: frozenset[int] = frozenset()
    """The rounds in which it is played; all if empty."""


def is_notation(content: bytes) -> bool:
    """Whether the first bytes may be those of MusicXML, packed or not."""
    return content.startswith((_ZIP, *_BYTE_ORDERS)) or content.lstrip().startswith(b"<")


def written_in(content: bytes, most: int) -> Written:
    """A piece of at most `most` steps. Raises UnusableError if it is no MusicXML, damaged, or longer."""
    largest = _SMALLEST + _BYTES_A_STEP * most
    text = _unpacked(content, largest) if content.startswith(_ZIP) else content
    if len(text) > largest:
        raise UnusableError("it unpacks to more than a score of ingest.max_pixels has")
    parts, has_drums = _read(text)
    bars = _together(list(parts.values()))
    order = _played(bars, most)
    begins, now = [], Fraction(0)
    for number in order:
        begins.append((now, STEPS_A_BEAT * bars[number].length))
        now += begins[-1][1]
        if now > most:
            raise UnusableError("it is too long: its steps by pitches are over ingest.max_pixels")
    played = [[*_moved(part, order, begins)] for part in parts.values()]
    chords = _chords(bars) if any(bar.symbols for bar in bars) else []
    return Written([notes for notes in played if notes], begins, has_drums, [chords[at] for at in order if chords])


def _unpacked(content: bytes, largest: int) -> bytes:
    """The score in an .mxl. Raises UnusableError if there is none, or it is larger than `largest` bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed, packed.open(_score_named_in(packed)) as file:
            return file.read(largest + 1)
    except KeyError as error:
        raise UnusableError(f"it is a zip without {str(error)[:100]}, so it is no .mxl") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, zlib.error) as error:
        raise UnusableError(f"it is no whole .mxl ({one_line(error)})") from None


def _score_named_in(packed: zipfile.ZipFile) -> str:
    """The score's name, from the container; if a title's apostrophe broke that, as in Wikifonia's, the only file."""
    with packed.open(_CONTAINER) as file:
        container = file.read(_SMALLEST)
    _check_entities(container)
    try:
        root = ElementTree.fromstring(container).find("{*}rootfiles/{*}rootfile")
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        others = [name for name in packed.namelist() if name != _CONTAINER]
        if len(others) != 1:
            raise _no_xml(error) from None
        return others[0]
    if root is None:
        raise UnusableError("it is a zip, and its META-INF/container.xml names no score")
    return root.get("full-path", "")


def _check_entities(text: bytes) -> None:
    if b"<!ENTITY" in text.replace(b"\0", b""):
        raise UnusableError("it declares entities of its own, as a bomb does and no score needs")


def _no_xml(error: Exception) -> UnusableError:
    return UnusableError(f"it is no whole XML ({one_line(error)})")


def _read(text: bytes) -> tuple[dict[str, list[_Bar]], bool]:
    """The bars of each part, parsed one at a time, and whether there are drums."""
    _check_entities(text)
    parts, has_drums, root = dict[str, list[_Bar]](), False, None
    divisions = set[int]()
    reader = _Part(divisions)
    try:
        for event, element in ElementTree.iterparse(io.BytesIO(text), ("start", "end")):
            if root is None:
                root = element
                _check_root(element.tag)
            if event == "start" and element.tag == "part":
                reader = _Part(divisions)
                parts[str(len(parts))] = reader.bars
            elif event == "end" and element.tag == "measure":
                reader.take(element)
                has_drums |= reader.has_drums
                element.clear()
    except _DAMAGED as error:
        raise UnusableError(f"it cannot be read as MusicXML ({one_line(error)})") from None
    except (ElementTree.ParseError, LookupError) as error:
        raise _no_xml(error) from None
    return parts, has_drums


def _check_root(tag: str) -> None:
    if tag == "score-timewise":
        raise UnusableError("it is MusicXML by time (score-timewise): save it by part (score-partwise)")
    if tag != "score-partwise":
        raise UnusableError(f"it is XML, but no MusicXML: it begins with {tag[:40]}")


class _Part:
    """A part, as far as it has been read."""

    def __init__(self, divisions: set[int]) -> None:
        self.bars: list[_Bar] = []
        self.has_drums = False
        self._all_divisions, self._divisions, self._usual, self._sounds_higher = divisions, 1, _COMMON, 0
        self._endings: frozenset[int] = frozenset()

    def take(self, measure: ElementTree.Element) -> None:
        """Read the next bar."""
        bar = _Bar()
        self.bars.append(bar)
        now = before = Fraction(0)
        for one in measure:
            if one.tag == "attributes":
                self._attributes(one)
            elif one.tag == "barline":
                self._line(one, bar)
            elif one.tag == "harmony" and one.get("type") != "alternate":
                bar.symbols.append((self._begins(one, now), harmony.chord_in(one, self._sounds_higher)))
            elif one.tag in ("backup", "forward"):
                now = max(now + self._lasts(one) * (1 if one.tag == "forward" else -1), Fraction(0))
            elif one.tag == "note" and one.find("grace") is None:
                begin = before if one.find("chord") is not None else now
                now, before = begin + self._lasts(one), begin
                if (pitch := self._pitch(one)) is not None and now > begin:
                    bar.notes.append((begin, now, pitch))
            bar.length = max(bar.length, now)
        bar.usual, bar.endings = self._usual, bar.endings or self._endings

    def _attributes(self, one: ElementTree.Element) -> None:
        if (divisions := one.findtext("divisions")) is not None:
            self._divisions = int(_decimal(divisions))
            self._all_divisions.add(self._divisions)
            if not 0 < lcm(*self._all_divisions) < _FINEST:
                raise ValueError(f"divisions of {divisions[:20]}, among others, make no steps")
        if (beats := one.findtext("time/beats")) is not None:
            count = sum(int(each) for each in beats.split("+"))
            self._usual = Fraction(4 * count, int(_decimal(one.findtext("time/beat-type") or "4")))
        if (transposed := one.find("transpose")) is not None:
            octaves = int(transposed.findtext("octave-change") or 0)
            self._sounds_higher = round(float(transposed.findtext("chromatic") or 0)) + 12 * octaves

    def _line(self, one: ElementTree.Element, bar: _Bar) -> None:
        if (ending := one.find("ending")) is not None:
            if ending.get("type") == "start":
                numbers = ending.get("number", "").replace(",", " ").split()
                self._endings = frozenset(int(each) for each in numbers)
            else:
                bar.endings, self._endings = self._endings, frozenset()
        if (repeat := one.find("repeat")) is not None:
            if repeat.get("direction") == "forward":
                bar.begins_repeat = True
            else:
                bar.rounds = min(max(int(repeat.get("times", 2)), 2), _MOST_ROUNDS)

    def _lasts(self, one: ElementTree.Element) -> Fraction:
        """The duration of an element, in quarters."""
        return _decimal(one.findtext("duration") or "0") / self._divisions

    def _begins(self, symbol: ElementTree.Element, now: Fraction) -> Fraction:
        offset = (symbol.findtext("offset") or "0").strip()
        away = _decimal(offset.removeprefix("-")) / self._divisions
        return max(now - away if offset.startswith("-") else now + away, Fraction(0))

    def _pitch(self, note: ElementTree.Element) -> int | None:
        """The pitch of a note; None for a rest, a cue note, and drums."""
        self.has_drums |= note.find("unpitched") is not None
        pitch = note.find("pitch")
        if pitch is None or note.find("cue") is not None:
            return None
        step = harmony.STEPS_OF_SCALE[(pitch.findtext("step") or "").strip()]
        octave = int(pitch.findtext("octave") or "")
        number = 12 * (octave + 1) + step + round(float(pitch.findtext("alter") or 0)) + self._sounds_higher
        if not 0 <= number <= 127:
            raise ValueError(f"pitch {number} is none of MIDI's")
        return number


def _decimal(text: str) -> Fraction:
    """A decimal number. Raises ValueError if it has an exponent, is below 0, or is longer than a score needs."""
    if not _DECIMAL.fullmatch(text.strip()):
        raise ValueError(f"{text[:20]!r} is no number of a score")
    return Fraction(text.strip())


def _together(parts: Sequence[Sequence[_Bar]]) -> list[_Bar]:
    """The bars of all parts joined: each is as long as the longest, and has a repeat if one part has it."""
    found = []
    for number in range(max(map(len, parts), default=0)):
        bars = [part[number] for part in parts if number < len(part)]
        length = max(bar.length for bar in bars) or bars[0].usual
        said = replace(bars[0], notes=[], length=length, begins_repeat=any(bar.begins_repeat for bar in bars))
        said.rounds = max(bar.rounds for bar in bars)
        said.symbols = [symbol for bar in bars for symbol in bar.symbols]
        said.endings = next((bar.endings for bar in bars if bar.endings), frozenset())
        found.append(said)
    return found


def _played(bars: Sequence[_Bar], most: int) -> list[int]:
    """The numbers of bars in the order of playing. Raises UnusableError if there are too many."""
    order = list[int]()
    begin, number, this_round, in_endings = 0, 0, 1, False
    while number < len(bars):
        bar = bars[number]
        if number != begin and (bar.begins_repeat or (in_endings and not bar.endings)):
            begin, this_round = number, 1
        in_endings = bool(bar.endings)
        if bar.endings and this_round not in bar.endings:
            number += 1
            continue
        order.append(number)
        if len(order) > most:
            raise UnusableError("with its repeats it is too long: its steps by pitches are over ingest.max_pixels")
        if bar.rounds > 1 and this_round < max(bar.rounds, *_endings_from(bars, number)):
            number, this_round, in_endings = begin, this_round + 1, False
            continue
        number += 1
        if bar.rounds > 1 and not bar.endings:
            begin, this_round = number, 1
    return order


def _endings_from(bars: Sequence[_Bar], number: int) -> Iterator[int]:
    """1, and the last round of each ending from this bar on, until a bar without endings."""
    yield 1
    for bar in bars[number:]:
        if not bar.endings:
            return
        yield min(max(bar.endings), _MOST_ROUNDS)


def _moved(part: Sequence[_Bar], order: Iterable[int], begins: Iterable[tuple[Fraction, Fraction]]) -> Iterator[Span]:
    """The notes of a part at the times when they are played, in steps."""
    for number, (begin, _) in zip(order, begins, strict=True):
        for first, last, pitch in part[number].notes if number < len(part) else ():
            yield begin + STEPS_A_BEAT * first, begin + STEPS_A_BEAT * last, pitch


def _chords(bars: Sequence[_Bar]) -> list[Chord | None]:
    """The written chord of each bar; a bar begins with the last chord written before it."""
    found, before = list[Chord | None](), None
    for bar in bars:
        longest, before = harmony.longest_in(bar.symbols, before, bar.length)
        found.append(longest)
    return found
