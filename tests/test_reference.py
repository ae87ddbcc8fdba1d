"""Pages that are generated are up to date; the site of the documentation builds without a warning."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mintage.families import FAMILIES
from stages.selection.metrics import METRICS
from tests import reference

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["metrics.md", "recipes.md", "commands.md"])
def test_a_generated_page_is_up_to_date(name: str) -> None:
    written = (reference.DOCS / name).read_text(encoding="utf-8")
    assert written == reference.pages()[name], "run `python -m tests.reference`"


@pytest.mark.parametrize(("name", "known"), [("metrics.md", METRICS), ("recipes.md", FAMILIES)])
def test_a_generated_page_has_a_row_for_each(name: str, known: dict[str, object]) -> None:
    assert re.findall(r"(?m)^\| `(\w+)` \|", reference.pages()[name]) == list(known)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx", reason="`make docs` brings Sphinx, which no test needs else")
    folder = tmp_path_factory.mktemp("site")
    build(ROOT, folder)
    return folder


def build(source: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    options = ["--quiet", "--fail-on-warning", "--keep-going", "--conf-dir", str(source / "docs")]
    command = [sys.executable, "-m", "sphinx", *options, str(source), str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=source == ROOT)


def test_each_page_is_in_the_site_and_in_its_contents(site: Path) -> None:
    first = (site / "index.html").read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs").glob("*.md")):
        made = page.relative_to(ROOT).with_suffix(".html")
        assert (site / made).is_file()
        assert f'href="{made}"' in first, "docs/README.md names each page"


def test_the_library_s_page_has_each_public_name_with_its_arguments(site: Path) -> None:
    text = (site / "docs/library.html").read_text(encoding="utf-8")
    assert {"mintage.train", "mintage.measure", "mintage.load", "mintage.Model.sample"} <= set(
        re.findall(r'id="([\w.]+)"', text)
    )


def test_a_link_that_leads_nowhere_fails_the_build(site: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/conf.py").write_text((ROOT / "docs/conf.py").read_text())
    (tmp_path / "docs/README.md").write_text("# Pages\n\n## All\n\n[gone](gone.md)\n")
    (tmp_path / "README.md").write_text("# Start\n\n[nowhere](docs/nowhere.md)\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert "docs/nowhere.md" in done.stderr
