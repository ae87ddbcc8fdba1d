"""The pictures of the latent space into files, and what is told of them into JSON."""

from pathlib import Path
from typing import Any

import torch

from stages.common.levels import Levels, to_uint8
from stages.common.pictures import encode_png, grid, grid_scale
from stages.common.points import to_coordinates
from stages.common.truth import Truth
from stages.sampling.latent import Absent, Picture


def write_pictures(folder: Path, found: list[Picture | Absent], truth: Truth | None) -> dict[str, Any]:
    """A PNG a picture into `folder`; what `metrics/latent.json` holds: pictures in order, and why others are absent."""
    pictures = [one for one in found if isinstance(one, Picture)]
    for picture in pictures:
        (folder / f"{picture.name}.png").write_bytes(render(picture, truth))
    return {
        "pictures": [
            {"file": f"{one.name}.png", "title": one.title, "told": one.told, "rows": one.rows} for one in pictures
        ],
        "absent": [{"title": one.title, "reason": one.reason} for one in found if isinstance(one, Absent)],
    }


def render(picture: Picture, truth: Truth | None) -> bytes:
    """A grid as PNG; of points, a line a row."""
    if truth is None:
        return encode_png(pixels(picture))
    from stages.common.plots import walks_plot

    return walks_plot(torch.stack([to_coordinates(row, truth) for row in picture.images]), truth)


def pixels(picture: Picture) -> Levels:
    """Its rows below each other, white where a row is shorter."""
    images = to_uint8(picture.images.flatten(0, 1).nan_to_num(1.0).numpy())
    return grid(images, picture.images.shape[1], grid_scale(*images.shape[2:]))
