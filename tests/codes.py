"""The table of docs/errors.md: each code of an error, and what is said with it; `python -m tests.codes` writes it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stages.common.readers import READERS, missing_reader
from tests.tried import cell

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "errors.md"
KINDS = {
    "UserError": "2",
    "StaleError": "2",
    "TemporaryError": "75",
    "LostRaceError": "75",
    "SignalError": "128 + N",
    "kind": "2 or 75",
}
"""What raises with a code, and the exit code."""
HEAD = """\
# Error codes

Search this page for the code or the sentence of your error. An error that you can fix has exit code 2; a temporary one
has 75: run the same command again; after signal N it is 128 + N. For programs, each error has a code that never
changes:

| `MINTAGE_ERRORS` | on stderr |
| --- | --- |
| not set | `error: photos holds no images: add some, or remove the folder` |
| `code` | `error[source-without-images]: photos holds no images: add some, or remove the folder` |
| `json` | `{"error": "source-without-images", "sentence": "photos holds no images: ...", "exit_code": 2}` |

`python -m tests.codes` writes this page from the code; `...` is what differs.

| code | exit code | sentence |
| --- | --- | --- |
| `disk-full` | 2 | no room to write ...: free some space and run again; earlier outputs are untouched |
| `path-unusable` | 2 | ... cannot be used (...): make it yours to write, or name another place, and run again |
"""


class Fault(NamedTuple):
    code: str
    exit_code: str
    sentence: str


def page() -> str:
    rows: dict[tuple[str, str], list[str]] = {}
    for code, exit_code, sentence in sorted(faults()):
        rows.setdefault((code, exit_code), []).append(sentence)
    lines = (
        f"| `{code}` | {exit_code} | {'<br>'.join(cell(one) for one in dict.fromkeys(sentences))} |\n"
        for (code, exit_code), sentences in rows.items()
    )
    return HEAD + "".join(lines)


def faults() -> Iterator[Fault]:
    """Every place that raises with a code, whose files are parsed, not run; and the readers that may be missing."""
    yield from (Fault(error.code, KINDS["UserError"], str(error)) for error in map(missing_reader, READERS))
    for folder in ("stages", "flows"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                    code, *sentence = node.args
                    if isinstance(code, ast.Constant) and isinstance(code.value, str):
                        yield Fault(code.value, KINDS[node.func.id], _pattern(sentence[0]))


def _pattern(node: ast.expr) -> str:
    """A sentence with `...` for each of its variables."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_pattern(part) for part in node.values)
    return "..."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
