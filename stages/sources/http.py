"""Files on the web, fetched once, checked by SHA-256 and read as another source: an archive, Parquet, arrays, ..."""

import hashlib
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field

from stages.common.errors import UserError
from stages.common.params import Ingest
from stages.common.sections import Section
from stages.sources import Source, checked_options, reader
from stages.sources.download import DOWNLOADS, Digest, PublicUrl, fetch
from stages.sources.limits import inner_name

READS_PATH = False


class Mirrors(Section):
    urls: Annotated[list[PublicUrl], Field(min_length=1)] = Field(description="places that hold it, tried in order")
    sha256: Digest = Field(description="of the file, 64 hexadecimal digits")


class Options(Section):
    files: Annotated[list[Mirrors], Field(min_length=1)] = Field(
        description="each {urls: [first choice, mirror, ...], sha256: ...}; kept in data/downloads, by the checksum"
    )
    read_as: Literal["archive", "parquet", "idx", "cifar", "arrays"] = Field(
        "archive", description="archive | parquet | idx | cifar | arrays: the source that reads the files"
    )
    options: dict[str, Any] = Field({}, description="of that source")


def paired_by(options: Options) -> bool:
    """Whether samples of Parquet files get partners."""
    return options.options.get("partner") is not None


def read(params: Ingest, options: Options) -> Source:
    """The files' images, as the source `read_as` reads them; a broken transfer resumes, see `download.fetch`."""
    # One of these reads the files, so their code belongs to this source's identity (stages/common/identity.py).
    from stages.sources import archive, arrays, cifar, idx, parquet  # noqa: F401

    names = [_name(file) for file in options.files]
    if len(set(names)) < len(names):
        raise UserError(
            "file-twice", "ingest.options.files names a file twice: keep one, its mirrors in one list of urls"
        )
    sums = "".join(file.sha256.lower() for file in options.files)
    folder = DOWNLOADS / (sums if len(names) == 1 else hashlib.sha256(sums.encode()).hexdigest())
    inner = params.model_copy(update={"source": options.read_as, "path": str(folder), "options": options.options})
    chosen = checked_options(inner, "ingest.options.options")
    for name, file in zip(names, options.files, strict=True):
        fetch(file.urls, file.sha256, folder / name)
    source = reader(options.read_as).read(inner, chosen)
    return replace(source, origin=", ".join(file.urls[0] for file in options.files))


def _name(file: Mirrors) -> str:
    url = file.urls[0]
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    if not inner_name(url, name) or name.startswith("."):
        raise UserError(
            "url-without-file", f"ingest.options.files: {url} names no file: write the URL of the file itself"
        )
    return name
