"""Fills in templates: an undefined name is an error, and HTML is escaped; pages hold their files in themselves."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def environment(*folders: Path, autoescape: bool = True) -> Environment:
    """Jinja's environment for the templates in `folders`, the first folder first; without `autoescape` for Markdown."""
    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def data_uri(kind: str, content: bytes) -> str:
    """A file in an address, of a kind such as `image/png`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def script_hash(script: str) -> str:
    """The hash by which a page's security policy allows its own script, and no injected one."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
