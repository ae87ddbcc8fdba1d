"""A release in a store, or in a folder into which it was fetched: its manifest and its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.common.errors import UserError
from stages.releases.content import DIGITS, as_json, content_id
from stages.stores import MANIFEST, Store
from stages.stores.folder import FolderStore

_PATH = r"^(?!\.{1,2}(/|$))[^/\\\x00-\x1f]+(/(?!\.{1,2}(/|$))[^/\\\x00-\x1f]+)*$"
"""A relative path with / between its parts, none of which is . or ..: a fetched file stays in its folder."""
_SHA256 = r"^[0-9a-f]{64}$"


class Listed(BaseModel):
    """One file of a release, as the manifest lists it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, regex_engine="python-re")

    path: Annotated[str, Field(pattern=_PATH)]
    sha256: Annotated[str, Field(pattern=_SHA256)]
    size: Annotated[int, Field(ge=0)]


class Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Annotated[str, Field(pattern=_SHA256)]
    files: list[Listed]
    source: Annotated[str, Field(max_length=200)] | None = None
    """Says that the release's media are generated; None in releases of earlier versions."""

    def as_published(self) -> bytes:
        """The bytes of the file."""
        return as_json(self.model_dump(exclude_none=True))


@dataclass(frozen=True)
class Release:
    """A folder of a store with a release."""

    store: Store
    folder: str

    @property
    def name(self) -> str:
        return self.folder.rpartition("/")[2]

    def manifest(self) -> Manifest:
        """The manifest. Raises UserError if there is none, or the id does not follow from its list of files."""
        content = self.store.read(f"{self.folder}/{MANIFEST}")
        place = f"{self.store.url}/{self.folder}"
        if content is None:
            raise UserError(
                "release-unknown", f"{place} is no release: it has no {MANIFEST}; `list` names those that are there"
            )
        try:
            manifest = Manifest.model_validate_json(content)
        except ValidationError:
            raise UserError(
                "release-damaged", f"{place}/{MANIFEST} is damaged: publish the release again, or fetch it anew"
            ) from None
        if content_id([file.model_dump() for file in manifest.files]) != manifest.id:
            raise UserError(
                "release-damaged",
                f"{place}/{MANIFEST} is damaged (its id does not follow from its files): publish it again",
            )
        return manifest

    def read(self, path: str) -> bytes | None:
        """A small file of the release; None if it has no such file."""
        return self.store.read(f"{self.folder}/{path}")


def release_in(store: Store, name: str) -> Release:
    return Release(store, f"releases/{name[:DIGITS]}")


def fetched(folder: Path) -> Release:
    """A release that was fetched into `folder`."""
    place = folder.absolute()
    return Release(FolderStore(f"file:{quote(str(place.parent))}"), place.name)
