"""Sounds mixed with noise by code: each sound's partner is itself with noise, for families that remove noise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from hashlib import sha256

import numpy as np

from mintage.waves import Samples, encode_wav, mixed, resample
from stages.common.errors import UserError, counted, quoted
from stages.media.endings import SOUNDS
from stages.media.medium import UnusableError
from stages.media.recordings import Recording, samples_of
from stages.sources import RawImage, content_of
from stages.sources.limits import is_image
from stages.sources.names import of_system, parts_of, split_of
from stages.sources.tree import Entry, Tree

_MOST = 2**28
"""Most samples of all noise, which is in memory."""


class Without:
    """A tree with one of its folders left out; see `tree.Tree`."""

    def __init__(self, tree: Tree, folder: str) -> None:
        self.tree, self.folder, self.place = tree, folder, tree.place

    def entries(self) -> Iterator[Entry]:
        for entry in self.tree.entries():
            if _inside(entry.name, self.folder) is None:
                yield entry

    def find(self, name: str) -> Callable[[], bytes] | None:
        return self.tree.find(name) if _inside(name, self.folder) is None else None

    def advice(self) -> str:
        return self.tree.advice()


@dataclass(frozen=True)
class Noises:
    """The noise to mix with sounds, separate for each side of the split, or the same."""

    recordings: dict[str, list[Recording]]
    """Recordings of one channel, by "train" and "test"."""
    decibels: list[float]
    seed: int
    most: int
    """Most samples of a sound."""
    stamp: str
    """Changes with any of the noise; see `RawImage.stamp`."""

    @classmethod
    def read(cls, tree: Tree, folder: str, decibels: list[float], seed: int, most: int) -> "Noises":
        """The noise of a folder. Raises UserError if a side of the split has none, or a sound is broken or silent."""
        found: dict[str, list[Recording]] = {}
        stamps, size = sha256(), 0
        for entry in tree.entries():
            parts = _inside(entry.name, folder)
            if entry.kind != "file" or not parts or any(map(of_system, parts)) or not is_image(entry.name, SOUNDS):
                continue
            content = entry.content()
            try:
                recording = samples_of(content, most)
            except UnusableError as reason:
                raise UserError(
                    "noise-unusable", f"{quoted(entry.name)} cannot be laid over sounds: {reason}"
                ) from None
            if not recording.samples.any():
                raise UserError("noise-unusable", f"{quoted(entry.name)} is silent: remove it, or put noise there")
            stamps.update(content)
            size += recording.length
            if size > _MOST:
                raise UserError(
                    "noise-too-long", f"the noise of {quoted(folder)} is over {_MOST:,} samples long: put less there"
                )
            side = split_of(parts[0]) or "" if len(parts) > 1 else ""
            found.setdefault(side, []).append(recording._replace(samples=recording.samples.mean(0, keepdims=True)))
        sides = {side: [*found.get(side, []), *found.get("", [])] for side in ("train", "test")}
        if not all(sides.values()):
            where = f"for {next(side for side, there in sides.items() if not there)} " if found else ""
            raise UserError(
                "noise-missing",
                f"the folder {quoted(folder)} in ingest.path (ingest.options.noise) holds no sounds {where}to lay over "
                "others: put some there, in train and test or in neither",
            )
        return cls(sides, decibels, seed, most, stamps.hexdigest()[:16])

    def describe(self) -> str:
        levels = ", ".join(f"{one:g}" for one in self.decibels)
        train, test = (counted(len(self.recordings[side]), "recording") for side in ("train", "test"))
        same = [*map(id, self.recordings["train"])] == [*map(id, self.recordings["test"])]
        which = f"{train}, the same for both sides of the split" if same else f"{train} to train on, {test} to measure"
        return f"each sound has itself under noise as its partner, {levels} decibels below it: {which}"

    def pair(self, images: Iterator[RawImage]) -> Iterator[RawImage]:
        """Each sound with its partner; they are mixed when the first of both is asked for."""
        for image in images:
            both = cache(partial(self._both, image))
            content, partner = (partial(_part, both, number) for number in range(2))
            yield replace(image, content=content, partner=partner, stamp=f"{image.stamp} {self.stamp}")

    def _both(self, image: RawImage) -> tuple[bytes, bytes]:
        """The sound and its partner, which depend on the seed and the key; twice the file if it cannot be read."""
        content = content_of(image.content)
        try:
            sound = samples_of(content, self.most)
        except UnusableError:
            return content, content
        drawn = sha256(f"{self.seed} {image.key}".encode()).digest()
        random = np.random.default_rng(int.from_bytes(drawn[:8], "big"))
        choices = self.recordings["test" if image.split == "test" else "train"]
        noise = self._resample_to(sound.rate, choices[random.integers(len(choices))])
        first, decibels = random.integers(noise.shape[1]), self.decibels[random.integers(len(self.decibels))]
        piece = np.take(noise, np.arange(first, first + sound.length), axis=1, mode="wrap")
        clean, noisy = (encode_wav(each, sound.rate) for each in mixed(sound.samples, piece, decibels))
        return clean, noisy

    def _resample_to(self, rate: int, noise: Recording) -> Samples:
        key = (id(noise), rate)
        if key not in self._resampled:
            self._resampled[key] = resample(noise.samples, noise.rate, rate)
        return self._resampled[key]

    @cached_property
    def _resampled(self) -> dict[tuple[int, int], Samples]:
        return {}


def _part(both: Callable[[], tuple[bytes, bytes]], number: int) -> bytes:
    return both()[number]


def _inside(name: str, folder: str) -> tuple[str, ...] | None:
    """The parts of a name below a folder, empty for the folder itself; None if it is elsewhere."""
    parts, own = parts_of(name), parts_of(folder)
    return parts[len(own) :] if parts[: len(own)] == own else None
