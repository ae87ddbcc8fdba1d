"""Two colleagues, two clones, one store: what one has computed, nobody computes again."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.stages.s3_servers import SERVERS, Proxy, bucket_of, named_server
from tests.test_pipeline import commit, finished_project, only_these_ran, run, set_params, stages_run

pytestmark = pytest.mark.slow


@dataclass
class Team:
    """Anna has run the pipeline and sent it; Ben has nothing but git. `proxy` is on the way to the store."""

    anna: Path
    proxy: Proxy
    client: Any
    bucket: str
    printed: list[str]
    """All that Anna has seen."""
    secrets: list[str]
    """All that stood in her environment and is nobody else's."""

    def ben(self, folder: Path) -> Path:
        run(folder.parent, "git", "clone", "-q", str(self.anna), str(folder))
        return folder

    def brought(self, folder: Path, *command: str) -> tuple[str, int]:
        """What a command printed, and the bytes that came from the store meanwhile."""
        before = self.proxy.brought
        printed = run(folder, *command)
        return printed, self.proxy.brought - before


@dataclass
class Pulled:
    ben: Path
    printed: str
    brought: int
    """Bytes."""

    def copy(self, folder: Path) -> Path:
        return Path(shutil.copytree(self.ben, folder, symlinks=True))


@pytest.fixture(scope="module", params=SERVERS)
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    finished = finished_project(tmp_path_factory)
    anna = Path(shutil.copytree(finished.project, tmp_path_factory.mktemp("anna") / "project", symlinks=True))
    planted = finished.planted
    with pytest.MonkeyPatch.context() as patch, named_server(request.param) as server:
        proxy = Proxy(server)
        with bucket_of(server, patch, f"http://127.0.0.1:{proxy.port}") as (client, bucket):
            if request.param != "moto":
                del planted["AWS_SESSION_TOKEN"]  # a real server would not take it
            for name, value in planted.items():
                patch.setenv(name, value)
            set_params(anna, f"upload.url=s3://{bucket}/team/releases")
            (anna.parent / "empty").touch()
            patch.setenv("AWS_CONFIG_FILE", str(anna.parent / "empty"))  # DVC reads no device
            printed = [finished.printed, make(anna, "remote", f"URL=s3://{bucket}/team")]
            commit(anna, "where the data is kept")
            printed.append(run(anna, "dvc", "repro", "--verbose"))
            assert stages_run(printed[-1]) == ["upload"]
            commit(anna, "published for all")
            printed.append(run(anna, "dvc", "push", "--run-cache", "--verbose"))
            # A real server's own may be an everyday word.
            secrets = [*planted.values(), *([server.secret] if request.param == "moto" else [])]
            yield Team(anna, proxy, client, bucket, printed, secrets)
        proxy.close()


@pytest.fixture(scope="module")
def pulled(team: Team, tmp_path_factory: pytest.TempPathFactory) -> Pulled:
    """What Ben has and was told after `make pull`, before Anna tries anything else: read it, or copy it."""
    ben = team.ben(tmp_path_factory.mktemp("ben") / "project")
    return Pulled(ben, *team.brought(ben, "make", "-o", ".venv/.run", "pull"))


def make(folder: Path, *arguments: str) -> str:
    return run(folder, "make", "-o", ".venv/.run", *arguments)


def test_the_remote_is_in_git_with_endpoint_and_region_and_without_keys(team: Team) -> None:
    config = run(team.anna, "git", "show", "HEAD:.dvc/config")
    assert f"endpointurl = http://127.0.0.1:{team.proxy.port}" in config
    assert "region = us-east-1" in config
    assert "key" not in config


def test_no_planted_secret_is_in_any_file_commit_object_or_message(team: Team) -> None:
    files = [path.read_bytes() for path in team.anna.rglob("*") if path.is_file()]
    commits = run(team.anna, "git", "log", "--all", "--patch")
    pages = team.client.get_paginator("list_objects_v2").paginate(Bucket=team.bucket)
    keys = [item["Key"] for page in pages for item in page["Contents"]]
    objects = [team.client.get_object(Bucket=team.bucket, Key=key)["Body"].read() for key in keys]
    assert any(key.startswith("team/releases/channels/") for key in keys)
    assert min(len(files), len(objects)) > 50
    places = [*files, *objects, *(text.encode() for text in (commits, *keys, *team.printed))]
    assert not [secret for secret in team.secrets for place in places if secret.encode() in place]
    print(f"no secret in {len(files)} files, {len(objects)} objects, the commits and {len(team.printed)} logs")


def test_a_colleague_pulls_everything_and_trains_nothing(team: Team, pulled: Pulled) -> None:
    ben, brought = pulled.ben, pulled.brought
    assert "selected model" in pulled.printed
    assert stages_run(run(ben, "dvc", "repro")) == []
    size = sum(path.stat().st_size for path in (ben / ".dvc/cache/files").rglob("*") if path.is_file())
    assert size <= brought < 1.5 * size + 1_000_000
    for name in ("models/selected/generator.safetensors", "reports/index.html", "samples/part-00000.parquet"):
        assert (ben / name).read_bytes() == (team.anna / name).read_bytes()
    print(f"pulled {brought / 1e6:.2f} MB, training steps: 0")


def test_a_change_brings_only_what_it_needs(team: Team, tmp_path: Path) -> None:
    ben = team.ben(tmp_path / "ben")
    set_params(ben, "sample.count=120")
    printed, brought = team.brought(ben, "dvc", "repro", "--pull", "--allow-missing", "sample")
    assert stages_run(printed) == ["sample"]
    assert not (ben / "data/raw").exists()
    assert not (ben / "models/checkpoints").exists()
    whole = sum(path.stat().st_size for path in (team.anna / ".dvc/cache/files").rglob("*") if path.is_file())
    assert brought < whole / 2
    print(f"brought {brought / 1e6:.2f} MB of {whole / 1e6:.2f}")


def test_what_one_has_computed_the_other_takes_from_the_run_cache(team: Team, pulled: Pulled, tmp_path: Path) -> None:
    """Anna tries more samples, sends them, and goes back: git knows nothing of it, nor what Ben has pulled before."""
    set_params(team.anna, "sample.count=140")
    only_these_ran(run(team.anna, "dvc", "repro"), ["sample", "report", "upload"])
    run(team.anna, "dvc", "push", "--run-cache")
    theirs = (team.anna / "samples/part-00000.parquet").read_bytes()
    run(team.anna, "git", "checkout", "-q", "params.yaml", "dvc.lock")
    run(team.anna, "dvc", "checkout", "--force")
    ben = pulled.copy(tmp_path / "ben")
    set_params(ben, "sample.count=140")
    printed = run(ben, "dvc", "repro", "--pull")
    assert not {"sample", "report"} & set(stages_run(printed))
    assert (ben / "samples/part-00000.parquet").read_bytes() == theirs


def test_the_training_of_one_is_continued_by_the_other_from_the_last_checkpoint(pulled: Pulled, tmp_path: Path) -> None:
    assert "training can go on from 6,0" in pulled.printed
    ben, alone = pulled.copy(tmp_path / "ben"), pulled.copy(tmp_path / "alone")
    shutil.rmtree(alone / ".resume")
    set_params(ben, "train.images=7000")
    printed = run(ben, "dvc", "repro", "train")
    assert re.search(r"going on from 6,0\d\d images", printed)
    assert json.loads((ben / "provenance/train.json").read_text())["resumed_at"] > 6000
    set_params(alone, "train.images=7000")
    run(alone, "dvc", "repro", "train")
    last = sorted(path.name for path in (ben / "models/checkpoints").iterdir())[-1]
    assert (ben / "models/checkpoints" / last).read_bytes() == (alone / "models/checkpoints" / last).read_bytes()
