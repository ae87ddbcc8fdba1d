"""Whether a source's pictures have as many pixels as normalize is asked to make of them, by a look at the first."""

from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from itertools import islice
from math import prod

from stages.common.params import Normalize
from stages.sources import RawImage, Source, content_of

LOOKED_AT = 20
"""Pictures that are looked at, in the order of the source."""


def notes_of_size(source: Source, to: Normalize) -> Iterator[str]:
    """A sentence where some of the first pictures have too few pixels; what cannot be read is left to ingest."""
    if not source.medium.of_pictures or to.fit == "pad" or to.upscale == "allow":
        return  # nothing is enlarged, or is meant to be
    found, least = list(_pixels(islice(source.images, LOOKED_AT))), to.height * to.width
    if few := sum(pixels < least for pixels in found):
        yield (
            f"of the first {len(found)} {source.medium.words.many} {few} have fewer pixels than the {to.height} x "
            f"{to.width} of normalize.height and width, and count as broken (normalize.upscale): lower these, or bring "
            "larger pictures"
        )


def _pixels(images: Iterator[RawImage]) -> Iterator[int]:
    from PIL import Image  # a machine that only starts stages lacks it

    with suppress(Exception):  # Pillow, and a source's own module, may raise anything of a bad file
        for image in images:
            with suppress(OSError), Image.open(BytesIO(content_of(image.content))) as picture:
                yield prod(picture.size)
