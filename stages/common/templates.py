"""Fills in templates: an undefined name is an error, and HTML is escaped."""

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
