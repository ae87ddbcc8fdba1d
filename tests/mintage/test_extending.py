"""What docs/extending.md says a package can bring, brought by one."""

import re
from pathlib import Path

import pytest

from tests.programs import printed_by, python
from tests.site import PAGE, install

USE = """
import torch, mintage
from mintage import catalog
images = torch.rand(128, 1, 8, 8) * 2 - 1
{lines}
assert run.model.sample(3).shape == (3, 1, 8, 8)
assert all(name in catalog.names(kind) for kind, name in {names})
assert {{"generator_loss", "generator_smooth", "penalty"}} <= set(run.history[-1])
"""
NAMES = [
    ("network", "shallow"),
    ("objective", "exponential"),
    ("penalty", "one_sided"),
    ("term", "smooth"),
    ("game", "eager"),
]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return install(tmp_path / "site")


def test_the_page_s_package_brings_a_network_an_objective_a_penalty_a_term_and_a_game(site: Path) -> None:
    lines = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[-1]
    printed_by("-c", USE.format(lines=lines, names=NAMES), folder=site, also=[site])


def test_a_name_that_no_package_brings_is_refused_with_those_that_there_are(site: Path) -> None:
    code = "import mintage; mintage.train(mintage.Dataset(image=__import__('torch').zeros(8, 1, 8, 8)), 'gan', 8, "
    done = python("-c", code + "{'network': 'shalow'})", folder=site, also=[site])
    assert "ValueError: recipe.network = 'shalow': did you mean 'shallow'? It is not one of" in done.stderr
