"""Examples run for real in a toy repository: a checkout each, a channel each, and figures that must be in range."""

import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

import mintage
from flows.examples import main
from stages.common.errors import run_stage
from stages.examples import FOLDER
from stages.releases.channels import read_channel
from stages.stores import open_store
from tests.flows.project import make_project
from tests.flows.sweep_toy import IGNORED, commit, ran, write_repository
from tests.flows.toy import ROOT
from tests.stages.s3_servers import bucket_of, named_server
from tests.test_pipeline import run

TOY = """
import json, os, shutil
from pathlib import Path
from ruamel.yaml import YAML

params = YAML(typ="safe").load(open("params.yaml"))
with open(LOG, "a") as log:
    first = [params["train"]["first"]] if params["train"]["first"] else []
    print("train", params["train"]["seed"], sorted(os.listdir("data/source")), *first, file=log)
if params["train"]["seed"] == 13:
    raise SystemExit("error: seed 13 brings bad luck")
shutil.copytree(MODEL, "models/selected")
for name in ["models/onnx/a.onnx", "samples/a", "metrics/a", "plots/a",
             "reports/index.html", "reports/validation.html", "reports/validation.json", "reports/drift.json"]:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(f"{name} {params['train']['seed']}")
Path("provenance").mkdir(exist_ok=True)
for name in ["provenance/train.json", "reports/report.json"]:
    Path(name).write_text('{"git": {"commit": "a", "clean": true}}')
figures = {"metric": "frechet_distance", "frechet_distance": params["train"]["seed"] / 2}
Path("metrics/selection.json").write_text(json.dumps(figures))
"""
EXAMPLE: dict[str, Any] = {
    "chapter": 1,
    "title": "A toy",
    "paper": "Nobody 2026",
    "figure": "Figure 1",
    "idea": ["One.", "Two.", "Three."],
    "formula": "min_G V(G)",
    "look_at": "Nothing.",
    "minutes": 1,
    "data": {"name": "digits", "license": "CC0", "origin": "made up"},
    "params": {"train": {"seed": 4}},
    "expected": {"frechet_distance": [1.0, 3.0]},
    "measured": "by hand",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that a second stage of digits can stand on."""
    classes = [str(digit) for digit in range(10)]
    data = mintage.Dataset(torch.zeros(20, 1, 4, 4), torch.arange(20) % 10, classes=classes)
    recipe = {"network": "mlp", "width": 4, "batch_size": 8}
    folder = tmp_path_factory.mktemp("model") / "selected"
    mintage.train(data, "cgan", 8, recipe, device="cpu", progress=False).model.save(folder)
    return folder


@pytest.fixture
def toy(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "toy"
    made = ["models/selected", "models/onnx", "samples", "metrics", "plots", "reports", "provenance"]
    ignored = IGNORED + "".join(f"/{name}\n" for name in [*made, "published"])
    stage = {"cmd": "python toy.py", "params": ["train"], "deps": ["data/source"], "outs": made}
    program = f"LOG, MODEL = {str(folder / 'toy.log')!r}, {str(model)!r}\n{TOY}"
    write_repository(folder, program, {"train": stage}, ignored)
    write(folder, "first")
    commit(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return folder


def write(folder: Path, name: str, **changes: Any) -> None:
    (folder / FOLDER).mkdir(exist_ok=True)
    with open(folder / FOLDER / f"{name}.yaml", "w") as file:
        YAML(typ="safe").dump(EXAMPLE | changes, file)


def write_second(folder: Path, name: str = "a_second", after: str = "first", seed: int = 5, **changes: Any) -> None:
    """One that stands on another."""
    write(folder, name, after=after, params={"train": {"family": "stackgan", "seed": seed}}, **changes)


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run the command: its exit code, and all that was printed."""

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["examples", *words])
        capfd.readouterr()
        code = 0
        try:
            run_stage(main)
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, "".join(capfd.readouterr())

    return call


def test_what_params_yaml_asks_for_since_an_example_was_committed_is_no_matter_to_it(toy: Path, examples: Any) -> None:
    assert examples("first")[0] == 0
    assert ran(toy) == ["train 4 ['README.md']"]
    params = YAML(typ="safe").load(toy / "params.yaml")
    before = params["train"]["images"]
    params["train"] |= {"images": 7 * before, "recipe": {"width": 4}}
    params["normalize"] |= {"channels": 3}
    with open(toy / "params.yaml", "w") as file:
        YAML(typ="safe").dump(params, file)
    commit(toy)
    code, printed = examples("first")
    assert (code, ran(toy)) == (0, []), printed
    used = YAML(typ="safe").load(toy / ".flow/examples/first/params.yaml")
    assert (used["train"]["images"], used["train"]["recipe"], used["normalize"]["channels"]) == (before, {}, 1)


def test_an_example_runs_in_its_own_checkout_and_publishes_to_its_channel_once(toy: Path, examples: Any) -> None:
    params = (toy / "params.yaml").read_bytes()
    code, printed = examples("first")
    assert (code, ran(toy)) == (0, ["train 4 ['README.md']"]), printed
    assert "frechet_distance = 2 (1 to 3)" in printed
    assert (toy / "params.yaml").read_bytes() == params
    assert not (toy / "models").exists()
    channel = read_channel(open_store("file:published"), "examples/first")
    assert channel.release is not None
    code, printed = examples("--jobs", "1")
    assert (code, ran(toy)) == (0, []), printed
    assert f"as before: release {channel.release}" in printed
    assert read_channel(open_store("file:published"), "examples/first") == channel


def test_figures_out_of_range_fail_by_name_and_are_not_published(toy: Path, examples: Any) -> None:
    write(toy, "second", params={"train": {"seed": 8}})
    commit(toy)
    code, printed = examples("--jobs", "1")
    assert code == 1
    assert "second: failed: frechet_distance = 4 is not within 1 to 3 (examples/second.yaml)" in printed
    assert "1 of 2 examples are as they should be" in printed
    assert read_channel(open_store("file:published"), "examples/second").release is None


def test_one_that_fails_does_not_stop_the_others_and_the_log_says_why(toy: Path, examples: Any) -> None:
    write(toy, "a_bad_one", params={"train": {"seed": 13}})
    commit(toy)
    code, printed = examples("--jobs", "2")
    assert code == 1
    assert "a_bad_one: failed: `dvc repro` ended with exit code" in printed
    assert "first: release" in printed
    assert "seed 13 brings bad luck" in (toy / ".flow/examples/a_bad_one.log").read_text()


def test_what_changed_since_is_run_again_from_the_shared_cache(toy: Path, examples: Any) -> None:
    examples("first")
    ran(toy)
    write(toy, "first", look_at="Something.")
    commit(toy)
    code, printed = examples("first")
    assert (code, ran(toy)) == (0, []), printed  # the checkout is new, and DVC's run cache knows the result
    assert "as before" not in printed


def test_an_example_without_a_range_says_that_nothing_was_checked(toy: Path, examples: Any) -> None:
    write(toy, "first", expected={})
    commit(toy)
    code, printed = examples("first")
    assert code == 0
    assert "its file states no range, so nothing was checked (frechet_distance = 2)" in printed
    listed = examples()
    assert "states no range: nobody has run it yet" in listed[1]


def test_files_are_brought_once_by_the_command_and_believed_by_their_hash(toy: Path, examples: Any) -> None:
    digest = hashlib.sha256(b"pixels").hexdigest()
    source = EXAMPLE["data"] | {"files": {"a/b.png": digest}}
    command = f"echo brought >> {toy}/toy.log; mkdir a; printf pixels > a/b.png"
    write(toy, "first", data=source | {"command": command})
    commit(toy)
    code, printed = examples("first")
    assert (code, ran(toy)) == (0, ["brought", "train 4 ['README.md', 'a']"]), printed
    write(toy, "first", data=source | {"command": command}, title="Another")
    commit(toy)
    assert examples("first")[0] == 0
    assert ran(toy) == []
    write(toy, "first", data=source | {"command": "mkdir a; printf others > a/b.png"}, title="Third")
    (toy / ".flow/examples/data/first/a/b.png").unlink()
    commit(toy)
    code, printed = examples("first")
    assert code == 1
    assert "a/b.png is missing, or is not the file with the SHA-256" in printed
    write(toy, "first", data=source | {"command": "echo no network >&2; exit 7"})
    commit(toy)
    assert "the command that brings digits failed: no network" in examples("first")[1]


def test_a_run_that_was_killed_goes_on_in_its_checkout(toy: Path, examples: Any) -> None:
    process = os.fork()
    if process == 0:
        import flows.examples

        vars(flows.examples)["_reproduce"] = lambda example: os.kill(os.getpid(), 9)
        examples("first")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -9
    left = toy / ".flow/examples/first/left"
    left.write_text("by the run that was killed")
    assert examples("first")[0] == 0
    assert left.exists()


def test_one_that_stands_on_another_brings_it_along_and_is_told_its_release(toy: Path, examples: Any) -> None:
    write_second(toy)
    commit(toy)
    code, printed = examples("a_second", "--url", "file:else where")
    store = open_store("file:else where")
    release = read_channel(store, "examples/first").release
    address = f"../../../else where/releases/{release}"
    assert (code, ran(toy)) == (0, ["train 4 ['README.md']", f"train 5 ['README.md'] {address}"]), printed
    assert (toy / ".flow/examples/a_second" / address / "manifest.json").is_file()
    assert read_channel(store, "examples/a_second").release is not None
    assert "2 of 2 examples are as they should be" in printed
    code, printed = examples("a_second", "--url", "file:else where")
    assert (code, ran(toy)) == (0, []), printed
    assert printed.count("as before: release") == 2
    assert "A toy, after first" in examples("--list")[1]


def test_one_that_stands_on_another_is_told_its_release_in_a_bucket(
    toy: Path, examples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_second(toy)
    commit(toy)
    with named_server("moto") as server, bucket_of(server, monkeypatch) as (_, bucket):
        url = f"s3://{bucket}/team"
        code, printed = examples("a_second", "--url", f"{url}/")
        assert code == 0, printed
        release = read_channel(open_store(url), "examples/first").release
    assert ran(toy)[1] == f"train 5 ['README.md'] {url}/releases/{release}"


def test_a_first_stage_that_changed_is_run_again_and_those_that_stand_on_it_too(toy: Path, examples: Any) -> None:
    write_second(toy)
    commit(toy)
    examples("--jobs", "1")
    was = ran(toy)[1]
    write(toy, "first", params={"train": {"seed": 3}})
    commit(toy)
    code, printed = examples("a_second")
    said = ran(toy)
    assert (code, said[0], len(said)) == (0, "train 3 ['README.md']", 2), printed
    assert said[1].startswith("train 5 ")
    assert said[1] != was


def test_a_release_that_the_store_has_no_more_is_published_again(toy: Path, examples: Any) -> None:
    examples("first")
    shutil.rmtree(toy / "published")
    assert "as before" not in examples("first")[1]
    assert read_channel(open_store("file:published"), "examples/first").release is not None


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_one_that_stands_on_one_that_failed_fails_by_name_and_others_go_on(toy: Path, examples: Any, jobs: str) -> None:
    write(toy, "bad", params={"train": {"seed": 13}})
    write_second(toy, "a_second", after="bad")
    write_second(toy, "a_third", after="a_second")
    commit(toy)
    code, printed = examples("--jobs", jobs)
    assert code == 1
    assert sorted(ran(toy)) == ["train 13 ['README.md']", "train 4 ['README.md']"]
    assert "a_second: failed: it stands on bad, which failed: mend that one, then run this one again" in printed
    assert "a_third: failed: it stands on a_second, which failed" in printed
    assert "1 of 4 examples are as they should be" in printed


def test_one_waits_for_the_one_that_it_stands_on_though_there_is_room_beside_it(toy: Path, examples: Any) -> None:
    write_second(toy, "a_second", chapter=1)
    write_second(toy, "a_third", after="a_second", seed=6, chapter=1)
    commit(toy)
    code, printed = examples("--jobs", "3")
    assert code == 0, printed
    assert [line.split()[1] for line in ran(toy)] == ["4", "5", "6"]


@pytest.mark.parametrize(
    ("after", "sentence"),
    [
        ("frist", "after = 'frist' is no example: did you mean 'first'?"),
        ("a_second", "after = 'a_second' leads back to itself"),
    ],
)
def test_an_example_that_cannot_stand_where_it_says_is_refused_before_any_runs(
    toy: Path, examples: Any, after: str, sentence: str
) -> None:
    write_second(toy, after=after)
    for asked in (["--jobs", "1"], ["--list"]):
        code, printed = examples(*asked)
        assert (code, ran(toy)) == (2, [])
        assert f"examples/a_second.yaml: {sentence}" in printed


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"minuets": 3}, "minuets = 3 is not a known key: did you mean 'minutes'?"),
        ({"params": {"train": {"imagse": 3}}}, "train.imagse = 3 is not a known key: did you mean 'images'?"),
        ({"params": {"train": {"family": "cgam"}}}, "'cgan'"),
        ({"expected": {"fid": [0, 1]}}, "'fid' is no metric"),
        ({"expected": {"recall": [1, 0]}}, "recall from 1 to 0 is no range"),
        ({"idea": ["One."]}, "idea"),
        ({"data": EXAMPLE["data"] | {"files": {"../x": "0" * 64}}}, "'../x' leads out of the folder of the data"),
        ({"data": EXAMPLE["data"] | {"files": {"x": "0"}}}, "64 hexadecimal digits"),
    ],
)
def test_a_slip_in_an_example_is_a_sentence_with_the_nearest_name(
    toy: Path, examples: Any, changes: dict[str, Any], sentence: str
) -> None:
    write(toy, "first", **changes)
    code, printed = examples("first")
    assert code == 2
    assert sentence in printed
    assert "examples/first.yaml" in printed
    assert "Traceback" not in printed


def test_a_name_that_no_example_has_is_refused_with_the_nearest(toy: Path, examples: Any) -> None:
    code, printed = examples("frist")
    assert code == 2
    assert "there is no example 'frist': did you mean 'first'?" in printed


@pytest.mark.slow
@pytest.mark.nightly
def test_a_short_example_comes_out_as_its_file_says(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    printed = run(project, sys.executable, "-m", "flows.examples", "digits_vae")
    assert "1 of 1 examples are as they should be" in printed
    assert read_channel(open_store(f"file:{project}/published"), "examples/digits_vae").release is not None
