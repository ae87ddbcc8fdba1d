"""Licenses as the header of a model card names them."""

import re

_OF_THE_HUB = {"apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"}
"""Identifiers that Hugging Face's hub knows, among usual licenses of images; any other is `other` with a name."""


def license_entries(of_data: str | None) -> dict[str, str]:
    """The header's entries for the license of the images; empty if none is stated."""
    name = re.sub(r"[^a-z0-9.]+", "-", (of_data or "not stated").lower()).strip("-") or "not-stated"
    return {"license": name} if name in _OF_THE_HUB else {"license": "other", "license_name": name}
