"""The whole pipeline as people use it: a clone, DVC, real digits. Slow, since every stage really runs."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.shared import made_once

ROOT = Path(__file__).parents[1]
ALL = ["identity", "ingest", "normalize", "validate", "evaluator", "train"]
ALL += ["select", "sample", "export", "report", "upload"]
SHORT = [
    "evaluator.images=3000",
    "select.classifier_images=500",
    "train.images=6000",
    "train.checkpoint_every=2000",
    "train.log_every=1000",
    "+train.recipe={width: 8}",
    "select.samples=200",
    "sample.count=100",
]
pytestmark = pytest.mark.slow


def run(folder: Path, *command: str, code: int = 0) -> str:
    """Everything the command printed; it must end with `code`."""
    tools = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    environment |= {
        f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def stages_run(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def set_params(folder: Path, *changes: str) -> None:
    """Write `section.key=value` into params.yaml, keeping the rest of its lines."""
    path = folder / "params.yaml"
    text = path.read_text()
    for change in changes:
        key, value = change.removeprefix("+").split("=")
        section, name = key.split(".")
        pattern = rf"(?m)(^{section}:\n(?:  .*\n)*?  {name}: +)\S+"
        text, count = re.subn(pattern, rf"\g<1>{value}", text)
        assert count == 1, f"{key} is not in params.yaml"
    path.write_text(text)


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "-m", message)


@dataclass(frozen=True)
class Finished:
    """Where `finished_project` has run."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def printed(self) -> str:
        return (self.folder / "printed.txt").read_text()

    @property
    def planted(self) -> dict[str, str]:
        """What stood in its environment and is nobody else's."""
        found: dict[str, str] = json.loads((self.folder / "planted.json").read_text())
        return found


def finished_project(factory: pytest.TempPathFactory) -> Finished:
    """A repository of its own with this tree's files and short params, run once from start to end, committed.

    For all tests of a session that begin with such a run: copy it.
    """
    return Finished(made_once(factory, "finished", _run_whole))


def _run_whole(folder: Path) -> None:
    project = folder / "project"
    listed = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name)
    run(project, "git", "init", "-q", "-b", "main")
    set_params(project, *SHORT)
    commit(project, "the code")
    planted = {"MINTAGE_PASSWORD": uuid4().hex, "MINTAGE_WEBHOOK": f"http://127.0.0.1:9/{uuid4().hex}"}
    planted |= {"AWS_SESSION_TOKEN": uuid4().hex}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in planted.items():
            patch.setenv(name, value)
        output = run(project, "dvc", "repro", "--verbose")
    assert sorted(stages_run(output)) == sorted(ALL)
    commit(project, "the first run")
    (folder / "printed.txt").write_text(output)
    (folder / "planted.json").write_text(json.dumps(planted))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    finished = finished_project(tmp_path_factory).project
    return Path(shutil.copytree(finished, tmp_path_factory.mktemp("own") / "project", symlinks=True))


def test_every_output_is_there_and_git_sees_only_the_lock(project: Path) -> None:
    for path in ("reports/index.html", "models/selected/generator.safetensors", "plots/samples.png", "published.json"):
        assert (project / path).stat().st_size > 0
    assert run(project, "git", "show", "--name-only", "--format=", "HEAD").split() == ["dvc.lock"]
    assert len(list((project / "samples").iterdir())) == 1


def test_the_selected_generator_loads_in_the_documented_lines(project: Path) -> None:
    """The lines stand in the model card; they need torch, safetensors and mintage alone."""
    card = (project / "models/selected/README.md").read_text()
    of_torch, of_onnx = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    seen = "\nassert images.shape == (16, 1, 8, 8) and abs(images).max() <= 1"
    run(project / "models/selected", sys.executable, "-c", f"import sys; sys.path.insert(0, '../..')\n{of_torch}{seen}")
    run(project / "models/onnx", sys.executable, "-c", of_onnx + seen)


def test_the_page_on_measuring_shows_all_that_the_summary_of_a_run_tells(project: Path) -> None:
    example = (ROOT / "docs/measuring.md").read_text().split("```text\n")[1].split("```")[0]
    of_short_runs = {"Left out,"}
    assert beginnings(run(project, "python", "-m", "stages.summary")) - of_short_runs <= beginnings(example)


def beginnings(summary: str) -> set[str]:
    """Of each paragraph but the verdict the first two words, of each row of a table its label."""
    _, *parts = summary.strip().split("\n\n")
    rows = {line.strip().split("  ")[0] for part in parts for line in part.splitlines() if line.startswith("  ")}
    return rows | {" ".join(part.split()[:2]) for part in parts if not part.startswith("  ")}


def test_hugging_face_s_datasets_opens_the_samples_as_they_are(project: Path, tmp_path: Path) -> None:
    code = (
        "import datasets\n"
        f"found = datasets.load_dataset('parquet', data_dir='samples', cache_dir={str(tmp_path)!r})['train']\n"
        "print(len(found), found[13]['image'].size, found.features['label'].int2str(found[13]['label']))"
    )
    assert run(project, sys.executable, "-W", "ignore", "-c", code).splitlines()[-1] == "100 (8, 8) 3"


def test_the_selected_checkpoint_is_no_worse_than_the_last(project: Path) -> None:
    chosen = json.loads((project / "metrics/selection.json").read_text())
    assert chosen["frechet_distance"] <= chosen["last"]["frechet_distance"]
    assert chosen["frechet_floor"] > 0


def test_running_again_does_nothing_and_says_so(project: Path) -> None:
    output = run(project, "dvc", "repro")
    assert stages_run(output) == []
    assert "up to date" in output
    run(project, sys.executable, "-m", "stages.summary")


def only_these_ran(output: str, expected: list[str]) -> None:
    ran = stages_run(output)
    assert ran[0] == expected[0]
    assert set(ran) <= set(expected)  # fewer where a stage's result came out the same
    assert "going on" not in output


def test_a_row_a_network_and_a_medium_beside_those_in_use_run_nothing_but_the_look_at_the_code(project: Path) -> None:
    with (project / "mintage/recipes.toml").open("a") as rows:
        rows.write('\n[another]\npaper = "nobody"\nnetwork = "mlp"\nwidth = 16\n')
    shutil.copy(project / "mintage/networks/mlp.py", project / "mintage/networks/another.py")
    catalog = project / "mintage/catalog.py"
    catalog.write_text(
        catalog.read_text().replace(
            '        "mlp":', '        "another": "mintage.networks.another:NETWORK",\n        "mlp":'
        )
    )
    shutil.copy(project / "stages/media/images.py", project / "stages/media/another.py")
    media = project / "stages/media/__init__.py"
    row = '"another": "stages.media.another:Images", "points":'
    media.write_text(media.read_text().replace('"points":', row, 1))
    output = run(project, "dvc", "repro")
    run(project, "git", "checkout", "-q", ".")
    (project / "mintage/networks/another.py").unlink()
    (project / "stages/media/another.py").unlink()
    assert stages_run(output) == ["identity"]
    assert stages_run(run(project, "dvc", "repro")) == []


def test_an_experiment_runs_what_it_concerns_and_its_differences_are_shown(project: Path) -> None:
    changes = ["-S", "select.samples=150", "-S", "select.metric=kernel_distance"]
    output = run(project, "dvc", "exp", "run", *changes, "--name", "fewer")
    only_these_ran(output, ["select", "sample", "export", "report", "upload"])
    assert "fewer" in run(project, "dvc", "exp", "show", "--csv")
    difference = run(project, "dvc", "metrics", "diff", "HEAD", "--json", "--all")
    assert '"samples": {"old": 200, "new": 150' in difference
    plots = run(project, "dvc", "plots", "show")
    page = Path(plots.strip().splitlines()[-1].removeprefix("file://")).read_text()
    assert "metrics/train.tsv" in page
    assert list((project / "dvc_plots").rglob("*.png"))
    run(project, "git", "checkout", "-q", "params.yaml", "dvc.lock")
    run(project, "dvc", "checkout", "--force")
    shutil.rmtree(project / "dvc_plots")


def test_a_stage_that_fails_leaves_the_earlier_outputs_in_place(project: Path, tmp_path: Path) -> None:
    before = (project / "data/raw/part-00000.parquet").read_bytes()
    (tmp_path / "empty").mkdir()
    set_params(project, "ingest.source=folder", f"ingest.path={tmp_path / 'empty'}")
    output = run(project, "make", "-o", ".venv/.run", "run", code=2)
    run(project, "git", "checkout", "-q", "params.yaml")
    assert "error: " in output
    assert "Traceback" not in output
    assert (project / "data/raw/part-00000.parquet").read_bytes() == before
    assert stages_run(run(project, "dvc", "repro")) == []


def test_a_misspelt_param_stops_make_run_before_anything_starts(project: Path) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("recipe: {", "recipe: {batch_sise: 3, ", 1))
    output = run(project, "make", "-o", ".venv/.run", "run", code=2)
    (project / "params.yaml").write_text(text)
    assert "did you mean 'batch_size'?" in output
    assert "stage" not in output.lower().replace("stages.", "")
