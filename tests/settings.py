"""docs/params.md, of the models of params and the comments of the file; `python -m tests.settings` writes it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.common.params import Params
from tests.tried import cell

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/params.md"
FILE = ROOT / "params.yaml"
HEAD = """\
# Params

Every key of [`params.yaml`](../params.yaml): its value there, what it may be, what it means. A stage reads its own
section, so a change runs that stage and what follows it. `dvc exp run -S SECTION.KEY=VALUE` changes one for an
experiment; `mintage check` says what is wrong before anything runs.

`python -m tests.settings` writes this page from the models and from the comments of the file.
"""
_KEY = re.compile(r"^( *)(\w+):(?: ([^#]*|\"[^\"]*\"))??(?: *# (.*))?$")
_MORE = re.compile(r"^ +# ?(.*)$")
_KINDS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "`true`, `false`",
    "null": "`null`",
    "object": "keys and values",
}
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def page() -> str:
    """The whole page."""
    schema = Params.model_json_schema(by_alias=True)
    values, meanings = YAML(typ="safe", pure=True).load(FILE), comments()
    parts = [HEAD]
    for section, about in schema["properties"].items():
        meaning = meanings.get(section)
        parts.append(f"\n## {section}\n\n{meaning[0].upper() + meaning[1:] + '.' if meaning else ''}".rstrip() + "\n")
        parts.append("\n| key | value | may be | meaning |\n| --- | --- | --- | --- |\n")
        for key, value, kind in rows(section, values[section], about, schema):
            shown = cell(f"`{json.dumps(value)}`")
            parts.append(f"| `{key.partition('.')[2]}` | {shown} | {cell(kind)} | {cell(meanings.get(key, ''))} |\n")
    return "".join(parts)


def rows(key: str, value: Any, about: dict[str, Any], schema: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Each dotted key below one, with its value and what it may be; of keys that hold keys, those."""
    properties = _resolved(about, schema).get("properties", {})
    for name, inner in properties.items():
        if name not in value:  # a key that the file leaves out
            continue
        found, dotted = value[name], f"{key}.{name}"
        if isinstance(found, dict) and (model := _model(inner, schema)):
            yield from rows(dotted, found, model, schema)
        else:
            yield dotted, found, kind_of(inner, schema)


def kind_of(about: dict[str, Any], schema: dict[str, Any]) -> str:
    """What a value may be, of its JSON schema."""
    about = _resolved(about, schema)
    if "anyOf" in about:
        kinds = dict.fromkeys(kind_of(one, schema) for one in about["anyOf"])
        return ", ".join(kinds)
    if "enum" in about or "const" in about:
        return ", ".join(f"`{_yaml(value)}`" for value in about.get("enum", [about.get("const")]))
    if about.get("type") == "array":
        inner = about.get("items")
        return "list" if not inner else f"list of: {kind_of(inner, schema)}"
    if "properties" in about:
        return "{" + ", ".join(about["properties"]) + "}"
    bounds = " and ".join(f"{sign} {about[name]:,}" for name, sign in _BOUNDS.items() if name in about)
    kind = _KINDS.get(about.get("type", ""), "see there")
    return f"{kind} {bounds}".strip()


def comments() -> dict[str, str]:
    """What the file says of each dotted key, on its line and on the lines of comment below it."""
    found: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if more := _MORE.match(line):
            if above:
                key = ".".join(name for _, name in above)
                found[key] = f"{found.get(key, '')} {more[1].strip()}".strip()
        elif key_line := _KEY.match(line):
            indent = len(key_line[1])
            above = [one for one in above if one[0] < indent] + [(indent, key_line[2])]
            found[".".join(name for _, name in above)] = (key_line[4] or "").strip()
    return found


def _resolved(about: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = about.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else about


def _model(about: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of the keys that a value may hold; None where it holds none that are known."""
    found = (_resolved(one, schema) for one in about.get("anyOf", [about]))
    return next((one for one in found if "properties" in one), None)


def _yaml(value: Any) -> str:
    return json.dumps(value) if not isinstance(value, str) else value


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
