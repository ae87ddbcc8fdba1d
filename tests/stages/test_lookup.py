"""Names looked up in a temporary file, and JSON read a piece at a time: the same as in memory."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.errors import UserError
from stages.sources import json_pairs as module
from stages.sources import open_source
from stages.sources.json_pairs import json_pairs
from stages.sources.lookup import Lookup
from tests.programs import python
from tests.refusals import refused
from tests.stages.source_files import ingest_params, write_tree
from tests.stages.test_source_fuzz import damaged, fuzzed

NAMES = st.text(max_size=6) | st.sampled_from(["a", "b", "\ud800", "\0", "a\0b"])
VALUES = (
    NAMES | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False) | st.lists(st.just(1), max_size=5)
)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE", 64)  # characters: a few keys


@fuzzed
@given(rows=st.lists(st.tuples(NAMES, st.integers(0, 9))), asked=NAMES)
def test_names_are_found_as_in_a_dict_and_the_first_that_is_there_twice_is_told(
    rows: list[tuple[str, int]], asked: str
) -> None:
    lookup = Lookup(iter(rows))
    assert len(lookup) == len(rows)
    for name in [asked, *dict(rows)]:
        assert lookup.find(name) == dict(rows).get(name)
    names = [name for name, _ in rows]
    assert lookup.twice() == next((name for name in names if names.count(name) > 1), None)


def pairs_in(path: Path) -> list[tuple[str, Any]] | str:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return list(json_pairs(path, file))
    except UserError as error:
        return str(error)


@st.composite
def objects(draw: st.DrawFn) -> str:
    """A JSON object, some keys twice."""
    inside = ((json.dumps(key, ensure_ascii=draw(st.booleans())), json.dumps(value)) for key, value in draw(ROWS))
    space = draw(st.sampled_from(["", " ", "\n  ", "\t\r\n"]))
    return f"{space}{{{space}" + f"{space},{space}".join(f"{k}{space}:{space}{v}" for k, v in inside) + f"}}{space}"


ROWS = st.lists(st.tuples(NAMES, VALUES), max_size=12)


@fuzzed
@given(text=objects())
def test_an_object_read_by_pieces_has_the_keys_and_values_that_json_finds(
    tmp_path: Path, small_pieces: None, text: str
) -> None:
    (tmp_path / "l.json").write_bytes(text.encode(errors="ignore"))
    whole = (tmp_path / "l.json").read_bytes().decode()
    assert pairs_in(tmp_path / "l.json") == json.loads(whole, object_pairs_hook=list)


@fuzzed
@given(content=damaged(objects().map(lambda text: text.encode("ascii", errors="ignore"))))
def test_damaged_json_is_refused_where_json_refuses_it(tmp_path: Path, small_pieces: None, content: bytes) -> None:
    text = content.decode("latin-1")
    (tmp_path / "l.json").write_text(text, encoding="utf-8", newline="")
    found, expected = pairs_in(tmp_path / "l.json"), of_json(text)
    if isinstance(expected, list) and text.lstrip().startswith("{"):
        assert found == expected
    else:
        assert re.search("is no JSON object" if expected is not None else "cannot be read|is no JSON", str(found))


def of_json(text: str) -> Any:
    """What json makes of it, an object as pairs; None of what is damaged."""
    with suppress(json.JSONDecodeError):
        return json.loads(text, object_pairs_hook=lambda pairs: pairs)
    return None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": "x",\n "b" "y"}', "cannot be read as labels (Expecting ':' delimiter: line 2 (char 16))"),
        ('{"a": "x",}', "(Expecting property name enclosed in double quotes: line 1 (char 10))"),
        ('{"a": "x"} {}', "(Extra data: line 1 (char 11))"),
        ('{"a": ' + "[" * 99 + "\n", "(Expecting value"),
        (json.dumps([{"key": "a", "class": "x"}] * 9), "is no JSON object of keys and classes"),
        ("", "(Expecting value: line 1 (char 0))"),
        ('{"' + "a" * 20 + '": 1,\n' * 20 + "x}", "line 2"),
    ],
)
def test_what_is_no_object_is_refused_with_the_line(
    tmp_path: Path, small_pieces: None, text: str, sentence: str
) -> None:
    (tmp_path / "l.json").write_text(text)
    assert sentence in str(pairs_in(tmp_path / "l.json"))


@pytest.mark.parametrize(
    ("name", "text"),
    [("l.json", '{"000": "a", "001": "b", "000": "b"}'), ("l.jsonl", '{"k": "000", "c": 1}\n{"k": "000", "c": 1}\n')],
)
def test_a_key_twice_is_refused_in_json_too(tmp_path: Path, name: str, text: str) -> None:
    tree = write_tree(tmp_path / "tree", {"": 2})
    (tree / name).write_text(text)
    with refused("key-twice", f"{name} names a key twice ('000')"):
        open_source(ingest_params(path=str(tree), labels=name))


def test_a_disk_without_room_for_the_names_is_one_sentence(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"": 2})
    rows = "".join(f"{number:050d},a\n" for number in range(100_000))  # more than SQLite keeps in memory
    (tree / "l.csv").write_text(f"key,class\n{rows}")
    code = (
        "from stages.common.errors import run_stage\nfrom stages.sources import open_source\n"
        "from tests.stages.source_files import ingest_params\n"
        "run_stage(lambda: open_source(ingest_params(path='tree', labels='l.csv')))"
    )
    run = python("-c", code, folder=tmp_path, largest_file=10**6)
    assert run.returncode == 2
    assert run.stderr == (
        "error: no room to write a temporary file (TMPDIR names another folder for it) (No space left on device): "
        "free some space and run again; earlier outputs are untouched\n"
    )
