"""Which code runs a stage again: what decides its result, and nothing beside it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mintage.families import recipe_of
from stages.common.identity import code_of
from tests.stages.tiny_data import ROOT

Identity = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code and the params of this tree."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("mintage", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "data/source").mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def before(checkout: Path) -> Identity:
    return identity(checkout)


def identity(checkout: Path, *paths: Path) -> Identity:
    """What the stage writes in a checkout; `paths` are where other packages are installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "stages.identity"]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {path.stem: json.loads(path.read_text()) for path in (checkout / "identity").iterdir()}


@pytest.fixture
def edited(checkout: Path, before: Identity) -> "Callable[[str, str, str], set[str]]":
    """The stages that run again when `old` becomes `new` in a file; nothing of it stays."""

    def edit(file: str, old: str, new: str) -> set[str]:
        path = checkout / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        try:
            now = identity(checkout)
        finally:
            path.write_text(text)
        return {stage for stage, code in now.items() if code != before[stage]}

    return edit


def test_what_is_added_beside_what_is_in_use_runs_nothing_again(
    checkout: Path, before: Identity, tmp_path: Path
) -> None:
    whole = tmp_path / "checkout"
    shutil.copytree(checkout, whole)
    for new, like in {
        "mintage/networks/another.py": "mintage/networks/mlp.py",
        "mintage/another_penalty.py": "mintage/penalties.py",
        "mintage/another_objective.py": "mintage/objectives.py",
        "mintage/games/another.py": "mintage/games/adversarial.py",
        "mintage/metrics/another.py": "mintage/metrics/kernel.py",
        "stages/sources/another.py": "stages/sources/digits.py",
        "stages/media/another.py": "stages/media/images.py",
    }.items():
        shutil.copy(whole / like, whole / new)
    rows = {
        "network": "mintage.networks.another:NETWORK",
        "penalty": "mintage.another_penalty:R1",
        "objective": "mintage.another_objective:Hinge",
        "game": "mintage.games.another:Adversarial",
    }
    with (whole / "mintage/catalog.py").open("a") as catalog:
        catalog.writelines(f'BUILT_IN["{kind}"]["another"] = "{place}"\n' for kind, place in rows.items())
    media = whole / "stages/media/__init__.py"
    row = '"another": "stages.media.another:Images", "points"'
    media.write_text(media.read_text().replace('"points"', row, 1))
    with (whole / "mintage/recipes.toml").open("a") as recipes:
        recipes.write('\n[another]\npaper = "nobody"\nnetwork = "another"\nwidth = 16\ngame = "another"\n')
    assert identity(whole) == before
    params = whole / "params.yaml"
    params.write_text(params.read_text().replace("family: cgan ", "family: another ", 1))
    used = identity(whole)["train"]
    assert {"mintage.networks.another", "mintage.games.another"} <= used.keys()


@pytest.mark.parametrize(
    ("file", "old", "new", "again"),
    [
        pytest.param(
            "stages/common/levels.py", "127.5", "127.4", {"ingest", "normalize", "evaluator", "train", "select"},
            id="how levels are rounded",
        ),
        pytest.param(
            "stages/media/drawings.py", "import", "import os\nimport", {"train", "select", "sample"},
            id="the layout of a grid",
        ),
        pytest.param(
            "mintage/recipes.py", "= 2e-4", "= 1e-4", {"train", "select", "sample", "export"}, id="a default of an axis"
        ),
        pytest.param(
            "mintage/networks/infogan.py", "import", "import os\nimport", {"train", "select", "sample", "export"},
            id="the network in use",
        ),
        pytest.param("mintage/networks/r3gan.py", "import", "import os\nimport", set(), id="another network"),
        pytest.param("stages/sources/folder.py", "import", "import os\nimport", set(), id="another source"),
        pytest.param(
            "stages/media/images.py", 'name = "images"', 'name = "images"  #',
            {"ingest", "normalize", "validate", "train", "select", "sample", "report"}, id="a comment in the medium",
        ),
        pytest.param("stages/media/points.py", "exact = True", "exact = True  #", set(), id="another medium"),
        pytest.param("stages/media/points_plots.py", "import", "import os\nimport", set(), id="another's plots"),
        pytest.param("stages/reporting/templates/report.css", "{", " {", {"report"}, id="the page's style"),
        pytest.param("stages/common/stage.py", "import", "import os\nimport", set(), id="the bar of progress"),
    ],
)  # fmt: skip
def test_what_alters_a_result_runs_what_makes_it_again(
    edited: Callable[[str, str, str], set[str]], file: str, old: str, new: str, again: set[str]
) -> None:
    ran = edited(file, old, new)
    assert again <= ran if again else ran == set()


@pytest.mark.parametrize(
    ("images", "training", "again"),
    [("null", 190_000, {"evaluator"}), ("null", 300_000, set()), ("7000", 190_000, set())],
)
def test_the_length_of_the_training_decides_the_evaluator_only_where_it_follows_from_it(
    checkout: Path, tmp_path: Path, images: str, training: int, again: set[str]
) -> None:
    whole = tmp_path / "checkout"
    shutil.copytree(checkout, whole)
    text = (whole / "params.yaml").read_text()
    text = text.replace("images: null ", f"images: {images} ", 1)
    (whole / "params.yaml").write_text(text)
    short = identity(whole)
    (whole / "params.yaml").write_text(text.replace("images: 200000 ", f"images: {training} ", 1))
    assert {stage for stage, told in identity(whole).items() if told != short[stage]} == again


def test_the_medium_of_a_source_is_part_of_what_asks_it_and_its_plots_of_what_draws() -> None:
    asks = {"ingest", "normalize", "validate", "evaluator", "train", "select", "sample", "report"}
    by_stage = {stage: code_of(stage, recipe_of("gan", {}), "ring") for stage in [*asks, "export", "upload"]}
    assert {stage for stage, code in by_stage.items() if "stages.media.points" in code} == asks
    draw = {stage for stage, code in by_stage.items() if "stages.media.points_plots" in code}
    assert draw == {"train", "select", "sample"}
    assert "stages.media.points_plots" in code_of("train", recipe_of("gan", {}), medium="points")
    of_images = [code_of(stage, recipe_of("gan", {}), "digits") for stage in asks]
    assert not [name for code in of_images for name in code if name.startswith("stages.media.points")]


def test_what_a_package_outside_brings_is_part_of_it_where_it_is_used(checkout: Path, tmp_path: Path) -> None:
    about = tmp_path / "tiny-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[mintage.networks]\ntiny = tiny_networks:NETWORK\n")
    shutil.copy(ROOT / "mintage/networks/mlp.py", tmp_path / "tiny_networks.py")
    whole = tmp_path / "checkout"
    shutil.copytree(checkout, whole)
    params = whole / "params.yaml"
    unused = identity(whole, tmp_path)
    params.write_text(params.read_text().replace("recipe: {} ", "recipe: {network: tiny} ", 1))
    used = identity(whole, tmp_path)
    assert "tiny_networks" not in unused["train"]
    assert "tiny_networks" in used["train"]
    with (tmp_path / "tiny_networks.py").open("a") as code:
        code.write("# changed\n")
    assert identity(whole, tmp_path)["train"]["tiny_networks"] != used["train"]["tiny_networks"]


def test_a_network_is_part_of_what_trains_with_it_and_of_nothing_that_does_not() -> None:
    ours, other = (code_of("train", recipe_of(family, {})) for family in ("dcgan", "modern"))
    assert "mintage.networks.dcgan" in ours
    assert "mintage.networks.r3gan" not in ours
    assert "mintage.networks.r3gan" in other
    assert not [name for name in code_of("ingest", recipe_of("dcgan", {})) if name.startswith("mintage.networks")]


def test_what_reads_files_from_the_web_is_part_of_their_source() -> None:
    code, read_as = code_of("ingest", source="http"), ("archive", "parquet", "idx", "cifar", "arrays", "zips")
    assert {f"stages.sources.{name}" for name in read_as} <= code.keys()
    assert "stages.sources.folder" not in code


def test_a_new_file_that_no_stage_uses_leaves_the_code_that_of_its_commit(checkout: Path, tmp_path: Path) -> None:
    whole = tmp_path / "checkout"
    shutil.copytree(checkout, whole)
    held = ["dvc.yaml", "mintage/__init__.py", "stages/__init__.py"]
    for words in (["init", "--quiet"], ["add", *held], ["commit", "--quiet", "--message", "some"]):
        who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", *who, *words], cwd=whole, check=True)
    (whole / "mintage/scratch.py").touch()
    code = "from stages.common.git import read_git; print(*read_git().changed)"
    done = subprocess.run([sys.executable, "-c", code], cwd=whole, capture_output=True, text=True, check=True)
    changed = done.stdout.split()
    assert {"mintage/model.py", "stages/media/", "stages/train.py"} <= {*changed}, "these are used, and in no commit"
    assert "mintage/scratch.py" not in changed
    assert "stages/advise.py" not in changed
