"""Real photographs, cut from the two that scikit-learn brings, and what people do to photographs."""

import io

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from stages.common.levels import FloatImages, to_uint8


def photographs(side: int = 32) -> FloatImages:
    """120 pieces `[N,3,side,side]` in [-1,1], of other places each, the most contrast first, then plain sky."""
    pieces = []
    for photograph in load_sample_images().images:
        for top in range(0, 384, 64):
            for left in range(0, 640, 64):
                piece = Image.fromarray(photograph[top : top + 64, left : left + 64])
                pieces.append(np.moveaxis(np.asarray(piece.resize((side, side), Image.Resampling.LANCZOS)), -1, 0))
    images = from_bytes(np.stack(pieces))
    return images[np.argsort(-images.reshape(len(images), -1).std(1), kind="stable")]


def encoded_again(images: FloatImages, quality: int) -> FloatImages:
    """As a JPEG of the quality gives them back."""
    decoded = []
    for pixels in to_uint8(images):
        file = io.BytesIO()
        Image.fromarray(np.moveaxis(pixels, 0, -1)).save(file, "JPEG", quality=quality)
        decoded.append(np.moveaxis(np.asarray(Image.open(file)), -1, 0))
    return from_bytes(np.stack(decoded))


def brighter(images: FloatImages, times: float) -> FloatImages:
    """Each level so many times as high, at most white."""
    return from_bytes(np.clip(to_uint8(images) * times, 0, 255).round())


def from_bytes(levels: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> FloatImages:
    return (levels.astype(np.float32) / np.float32(127.5) - np.float32(1)).astype(np.float32)
