"""Colors to sRGB, without transparency."""

import io
from functools import lru_cache
from itertools import product

import numpy as np
from PIL import Image, ImageCms

_SAME = 1
"""Levels by which two profiles may differ and still count as equal: the rounding of a profile's tables."""
_LEVELS = range(0, 256, 51)


def in_srgb(image: Image.Image) -> Image.Image:
    """An image with the colors of its ICC profile, in sRGB; unchanged without a profile, or with that of sRGB.

    A damaged profile, or one for another kind of colors, is ignored, as in browsers.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    whole = image.convert("RGBA") if image.has_transparency_data else image
    alpha = whole.getchannel("A") if image.has_transparency_data else None
    if image.mode in ("L", "RGB", "CMYK"):
        colors = image
    else:
        colors = image.convert("L") if image.mode == "LA" else whole.convert("RGB")
    transform = _to_srgb(profile, colors.mode)
    if transform is None:
        return image
    converted = transform.apply(colors)
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


@lru_cache(maxsize=64)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The conversion to sRGB; None if the profile cannot be used, or would change nothing."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if mode == "CMYK":
        return transform
    levels = np.array(list(product(_LEVELS, repeat=3)), np.uint8)[None]
    colors = Image.fromarray(levels if mode == "RGB" else levels[..., 0])
    before, after = (np.asarray(one.convert("RGB"), np.int16) for one in (colors, transform.apply(colors)))
    return transform if np.abs(after - before).max() > _SAME else None


def on_background(image: Image.Image, background: str) -> Image.Image:
    """An image with its transparent parts over `background` ("#rrggbb"); unchanged without any."""
    if not image.has_transparency_data:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, background), image.convert("RGBA"))
