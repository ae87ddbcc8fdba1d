"""scikit-learn's handwritten digits: 1,797 gray images of 8x8, inside the package, so nothing is fetched."""

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from stages.common.levels import Levels
from stages.common.params import Ingest
from stages.common.pictures import encode_png
from stages.sources import NoOptions, RawImage, Source

Options = NoOptions
READS_PATH = False
_BRIGHTEST = 16  # each value counts the dark pixels in a block of 4x4


def read(_: Ingest, __: NoOptions) -> Source:
    """The test set of Alpaydin and Kaynak's "Optical Recognition of Handwritten Digits" (UCI, 1998), as gray PNG."""
    pixels, labels = load_digits()
    return Source(
        name="digits",
        licence="CC BY 4.0",
        origin="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        classes=[*"0123456789"],
        images=_images(pixels, labels),
        count=len(pixels),
    )


def load_digits() -> tuple[Levels, list[int]]:
    """Pictures `[N,8,8]` and which digit each is, from the package's file: to import the package takes two seconds."""
    package = find_spec("sklearn")
    assert package is not None, "requirements/data.txt brings it"
    table = np.loadtxt(Path(str(package.origin)).with_name("datasets") / "data/digits.csv.gz", delimiter=",")
    pixels = np.rint(table[:, :-1] * (255 / _BRIGHTEST)).astype(np.uint8)
    return pixels.reshape(-1, 8, 8), table[:, -1].astype(int).tolist()


def _images(pixels: Levels, labels: list[int]) -> Iterator[RawImage]:
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        key = f"digit-{number:04d}"
        yield RawImage(key, f"{key}.png", partial(encode_png, image[None]), label, None)
