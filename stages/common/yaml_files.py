"""YAML, read and written as DVC does it; and where a closing quote is missing, which makes the keys below a text."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import ScalarToken

from stages.common.errors import UserError
from stages.common.sections import Section, all_names

_KEY = re.compile(r"( *)([\w.-]+):(\s|$)")


def parse_yaml(content: bytes) -> Any:
    """What a file holds by YAML 1.2, in which 1e-4 is a number. Raises YAMLError, or UnicodeDecodeError."""
    return deepcopy(_parse(content))


@lru_cache  # a stage asks for several values of one file, which takes 15 ms each time
def _parse(content: bytes) -> Any:
    return YAML(typ="safe", pure=True).load(content)


def as_yaml(values: dict[str, Any]) -> str:
    """Values as in `params.yaml`, in their own order."""
    yaml, text = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # its own stub knows only None
    yaml.dump(values, text)
    return text.getvalue()


@contextmanager
def quotes_first(path: Path, model: type[Section]) -> Iterator[None]:
    """Within, a refusal of what a file holds becomes one of the quote alone where that is missing: all follows from it.

    `model` has the keys of the file.

    Raises UserError.
    """
    try:
        yield
    except UserError as error:
        if error.code == "params-invalid" and (line := unclosed(path, all_names(model))):
            raise UserError("params-invalid", f"{path}, line {line}: a closing quote is missing: add it") from None
        raise


def unclosed(path: Path, known: set[str]) -> int | None:
    """The line of the first text without its closing quote; None if there is none.

    It ends with the file, or at an apostrophe in the comment behind it, or runs over a line with a known key of its
    own section, or of a section around that: a text that is meant to have several lines stands further in.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines()
    before = None
    try:
        for token in YAML(typ="safe", pure=True).scan(text):
            if isinstance(before, ScalarToken) and isinstance(token, ScalarToken) and " #" in before.value:
                return int(before.start_mark.line) + 1
            if isinstance(token, ScalarToken) and token.style in ("'", '"'):
                first, last = token.start_mark.line, token.end_mark.line
                if any(_is_key(line, lines[first], known) for line in lines[first + 1 : last + 1]):
                    return int(first) + 1
            before = token
    except MarkedYAMLError as error:
        to_the_end = "quoted scalar" in str(error.context) and "end of stream" in str(error.problem)
        return error.context_mark.line + 1 if to_the_end and error.context_mark else None
    except YAMLError:
        return None
    return None


def _is_key(line: str, first: str, known: set[str]) -> bool:
    """Whether a line has a known key that is not further in than the line where the text begins."""
    found = _KEY.match(line)
    return found is not None and found[2] in known and len(found[1]) <= len(first) - len(first.lstrip(" "))
