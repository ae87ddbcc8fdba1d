"""The bar of a stage, in a log where nothing is written over."""

from contextlib import suppress

import pytest

from stages.common.stage import progress_bar


@pytest.mark.parametrize(("done", "lines"), [(0, 1), (30, 2)])
def test_a_bar_that_fails_says_no_count_twice(done: int, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(ValueError), progress_bar("normalize", 100) as bar:
        bar.update(done)
        raise ValueError
    said = capsys.readouterr().err
    assert said.count("normalize:") == lines
    assert said.endswith("\n"), "what is said next has a line of its own"


def test_a_last_batch_beyond_the_total_ends_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("classifier", 100) as bar:
        bar.update(64)
        bar.update(64)
    assert "classifier: 100%" in capsys.readouterr().err


def test_a_bar_that_is_not_shown_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("select", 100, shown=False) as bar:
        bar.update(100)
    assert capsys.readouterr().err == ""
