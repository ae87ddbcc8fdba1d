"""The pictures of the latent space into files, and what is told of them into JSON."""

from pathlib import Path
from typing import Any

from stages.media.drawings import Drawings
from stages.sampling.latent import Absent, Picture


def write_pictures(folder: Path, found: list[Picture | Absent], drawings: Drawings) -> dict[str, Any]:
    """A PNG a picture into `folder`; what `metrics/latent.json` holds: pictures in order, and why others are absent."""
    pictures = [one for one in found if isinstance(one, Picture)]
    for picture in pictures:
        (folder / f"{picture.name}.png").write_bytes(drawings.draw_rows(picture.images))
    return {
        "pictures": [
            {"file": f"{one.name}.png", "title": one.title, "told": one.told, "rows": one.rows} for one in pictures
        ],
        "absent": [{"title": one.title, "reason": one.reason} for one in found if isinstance(one, Absent)],
    }
