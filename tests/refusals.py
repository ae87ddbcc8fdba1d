"""What is refused, by its code: a sentence may be reworded, and names in it still have to be right."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stages.common.errors import UserError


@contextmanager
def refused(code: str, *parts: str) -> Iterator[pytest.ExceptionInfo[UserError]]:
    """Within, a UserError of this code is raised, whose sentence holds all of `parts`."""
    with pytest.raises(UserError) as found:
        yield found
    assert found.value.code == code, str(found.value)
    sentence = str(found.value)
    missing = [part for part in parts if part not in sentence]
    assert not missing, sentence
    assert "\n" not in sentence, sentence
