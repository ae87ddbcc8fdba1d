"""docs/tried.md is what the tests say, and the tests read what it says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tried import PAGE, is_read, page, trials


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.tried`"


def test_marks_of_tests_and_of_single_parameters_are_found(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "@pytest.mark.tried('one', 'error: ' 'a')\ndef test_a(read): ...\n"
        "@pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.tried('two', 'error: b'))])\n"
        "def test_b(x, read): ...\n"
    )
    assert [*trials(tmp_path)] == [
        ("one", "error: a", "test_some::test_a"),
        ("two", "error: b", "test_some::test_b"),
    ]


def test_what_is_read_may_be_broken_into_lines_and_differ_where_the_mark_says_so() -> None:
    assert is_read("no server at ...: start it", "error: no server\n  at http://127.0.0.1:9: start it")
    assert not is_read("no server at ...: start it", "no server: start it")


@pytest.mark.tried("`python -m tests.tried`, with a test of this kind", "this very text")
@pytest.mark.tried("the same, with two marks", "the other one")
def test_a_marked_test_hands_over_what_it_read(read: Callable[[str], None]) -> None:
    read("this\nvery text")
    read("all of the other one")
    with pytest.raises(AssertionError):
        read("another text")
