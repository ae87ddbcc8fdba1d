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


def too_small(source: Source, to: Normalize) -> tuple[str, bool]:
    """A sentence if some of the first pictures have too few pixels, else ""; and whether normalize will surely stop.

    It stops if they alone are more than `normalize.max_broken` of all. What cannot be read is left to ingest.
    """
    if not source.medium.of_pictures or to.fit == "pad" or to.upscale == "allow":
        return "", False  # nothing is enlarged, or is meant to be
    found, least = list(_pixels(islice(source.images, LOOKED_AT))), to.height * to.width
    few = sum(pixels < least for pixels in found)
    sentence = (
        f"{few} of the first {len(found)} {source.medium.words.many} have fewer pixels than normalize.height x width "
        f"({to.height} x {to.width}) and count as broken: lower height and width, set normalize.upscale to allow, or "
        "bring larger pictures"
    )
    return sentence if few else "", source.count is not None and few > to.max_broken * source.count


def _pixels(images: Iterator[RawImage]) -> Iterator[int]:
    from PIL import Image  # a machine that only starts stages lacks it

    with suppress(Exception):  # Pillow, and a source's own module, may raise anything of a bad file
        for image in images:
            with suppress(OSError), Image.open(BytesIO(content_of(image.content))) as picture:
                yield prod(picture.size)
