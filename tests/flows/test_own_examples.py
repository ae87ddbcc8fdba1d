"""The repository's own examples: whole, right, and independent of the params that they are run beside."""

import json
import tomllib
import zipfile
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.check import check
from stages.common.errors import UserError
from stages.common.params import Params
from stages.common.train_params import Train
from stages.examples import FOLDER, choose, load_all
from stages.training.fit import Expected, require_fit
from tests.flows.toy import ROOT


def test_every_family_has_an_example_whose_params_are_right() -> None:
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    found = load_all(ROOT / FOLDER)
    values = [example.applied(params) for example in found]
    rows = tomllib.loads((ROOT / "mintage/recipes.toml").read_text())
    assert rows.keys() - {value["train"]["family"] for value in values} == set()
    assert all(example.measured for example in found if example.expected)
    assert len({example.chapter for example in found}) > 1


def test_an_example_has_data_size_and_length_of_its_own_whatever_params_yaml_has() -> None:
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    own = {"ingest": {"source": "parquet"}, "train": {"family": "lstm", "images": 123}}
    changed = {name: values | own.get(name, {}) for name, values in params.items()}
    changed["normalize"] = params["normalize"] | {"height": 61, "width": 61}
    for example in load_all(ROOT / FOLDER):
        values, others = example.applied(params), example.applied(changed)
        assert (values["ingest"], values["train"]) == (others["ingest"], others["train"]), example.name
        assert values["normalize"] == others["normalize"] or "length" in example.params["normalize"], example.name


def asked_here(module: str, folder: Path, *arguments: str, asked: str = "") -> UserError | None:
    """What `ask_torch` starts a process for, which takes a second for each example."""
    assert (module, folder, arguments) == ("stages.training.fit", Path(), ())
    given = json.loads(asked)
    try:
        require_fit(Train.model_validate(given["train"]), Expected(**given["expected"]))
    except UserError as error:
        return error
    return None


@pytest.mark.parametrize("name", [path.stem for path in sorted((ROOT / FOLDER).glob("*.yaml"))])
def test_what_make_run_asks_before_it_begins_refuses_no_example(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.checking.machine.ask_torch", asked_here)
    Path("data/source").mkdir(parents=True)
    [example] = choose(load_all(ROOT / FOLDER), [name])
    values = example.applied(YAML(typ="safe").load(ROOT / "params.yaml"))
    params = Params.model_validate(values)
    if params.ingest.attributes and params.ingest.attributes.file:  # which the example's own script writes
        Path(params.ingest.attributes.file).touch()
    if params.ingest.source == "archive":  # whose names are looked at: a stand-in for what the example's command brings
        with zipfile.ZipFile("data/source/digits.zip", "w") as packed:
            for domain in values["ingest"]["domains"]:
                for number in range(params.validate_.min_images):
                    packed.writestr(f"{domain}/{number % 2}/{number:04d}.pgm", b"P5 32 32 255 " + bytes(32 * 32))
    if example.after is None:
        check(params, [])
        return
    with pytest.raises(UserError) as refused:  # for want of the release that the example before it brings, alone
        check(params, [])
    assert refused.value.code == "first-unusable"
