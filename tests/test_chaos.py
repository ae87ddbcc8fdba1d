"""The short pipeline in surroundings drawn by a seed: it works as anywhere, or is refused before anything runs.

One seed in `make test`, always the same; `make chaos` (MINTAGE_CHAOS=20) tries twenty.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.counting_proxy import Server, serving
from tests.flows.project import QUICK, make_project
from tests.stages.s3_servers import bucket_of, named_server
from tests.surroundings import AXES, draw, place_in
from tests.test_pipeline import set_params

TOOLS = Path(sys.executable).parent
DRAWS = int(os.environ.get("MINTAGE_CHAOS", "2"))
ALWAYS = 1


def test_every_value_of_every_axis_comes_among_the_first_draws() -> None:
    for axis, values in AXES.items():
        assert {draw(seed)[axis] for seed in range(len(values))} == set(values)
    assert draw(7) == draw(7)


class Origin(NamedTuple):
    """What the draws have in common."""

    base: Path
    """A folder that any user may enter, unlike pytest's own."""
    project: Path
    locales: Path | None
    """A folder with a Latin-1 locale, where one can be made."""


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    base = Path(tempfile.mkdtemp(prefix="mintage-chaos-"))
    base.chmod(0o755)
    yield Origin(base, make_project(base / "project", *QUICK, "upload.uncommitted=mark"), latin1_locale(base))
    subprocess.run(["chmod", "-R", "u+rwX", str(base)], check=True)
    shutil.rmtree(base)


def latin1_locale(base: Path) -> Path | None:
    made = base / "locales" / "de_DE.ISO-8859-1"
    made.parent.mkdir()
    if not shutil.which("localedef"):
        return None
    command = ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(made)]
    return made.parent if subprocess.run(command, capture_output=True, check=False).returncode <= 1 else None


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [seed if seed == ALWAYS else pytest.param(seed, marks=pytest.mark.nightly) for seed in range(DRAWS)]
)
def test_the_pipeline_runs_in_any_surroundings_or_is_refused_before_it_begins(
    seed: int, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, base = draw(seed), origin.base / str(seed)
    base.mkdir()
    with ExitStack() as servers:
        proxy = servers.enter_context(serving(Server()))
        store = servers.enter_context(named_server("moto"))
        _, bucket = servers.enter_context(bucket_of(store, monkeypatch))
        place = place_in(origin.project, TOOLS, base, drawn, origin.locales)
        if drawn["proxy"] != "none":
            place.environment |= dict.fromkeys(drawn["proxy"].split(), proxy.url)
            set_params(place.folder, f"upload.url=s3://{bucket}/chaos")
        code, output = place.run("make", "-o", ".venv/.run", "run")
        print(f"seed {seed}: {drawn}\n{output[-3000:]}")
        assert "Traceback" not in output, output
        assert proxy.asked == []
        if code == 0:
            assert "reports/index.html" in output
            assert (place.folder / "published.json").stat().st_size > 0
        else:
            assert code == 2, output
            assert "error: " in output
            assert "Running stage" not in output, "what can be foreseen is said before anything runs"
