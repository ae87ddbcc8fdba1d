"""Each error that a user can mend has a code, and docs/errors.md lists all."""

import ast
import json
import pickle
import re

import pytest

from stages.common.errors import TemporaryError, UserError, run_stage
from tests.codes import KINDS, PAGE, ROOT, faults, page

SENTENCE = "there is no bräd: bake some"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.codes`"


def test_a_code_is_a_few_words_and_goes_with_one_exit_code() -> None:
    exits: dict[str, set[str]] = {}
    for fault in faults():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", fault.code), fault
        exits.setdefault(fault.code, set()).add(fault.exit_code)
    assert len(exits) > 150
    assert {code: both for code, both in exits.items() if len(both) > 1} == {}


def test_no_place_raises_without_a_code_of_its_own() -> None:
    """A code handed on is that of another error, or of another process, or of the table of readers."""
    handed = []
    for path in (path for folder in ("stages", "flows") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                code = node.args[0]
                if not (isinstance(code, ast.Constant) and isinstance(code.value, str)):
                    handed.append(ast.unparse(code))
    assert set(handed) == {"error.code", "fault['error']", "reader.code"}


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (None, f"error: {SENTENCE}\n"),
        ("code", f"error[no-bread]: {SENTENCE}\n"),
        ("json", json.dumps({"error": "no-bread", "sentence": SENTENCE, "exit_code": 2}) + "\n"),
        ("something else", f"error: {SENTENCE}\n"),
    ],
)
def test_a_program_is_given_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: str | None, shown: str
) -> None:
    monkeypatch.delenv("MINTAGE_ERRORS", raising=False)
    if asked is not None:
        monkeypatch.setenv("MINTAGE_ERRORS", asked)

    def stage() -> None:
        raise UserError("no-bread", SENTENCE)

    with pytest.raises(SystemExit) as ended:
        run_stage(stage)
    assert ended.value.code == 2
    assert capsys.readouterr().err == shown


def test_an_error_is_the_same_after_it_went_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(TemporaryError("no-bread", SENTENCE)))
    assert (type(error), error.code, str(error)) == (TemporaryError, "no-bread", SENTENCE)
