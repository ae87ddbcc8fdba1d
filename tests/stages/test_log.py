"""Figures of a training for TensorBoard and MLflow: of a finished one, and of ones that are going on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from stages import log
from stages.common.files import write_tsv
from stages.common.pictures import encode_png
from tests.flows.toy import until
from tests.refusals import refused
from tests.stages.tiny_data import ROOT, write_params

TRAINED: list[dict[str, Any]] = [
    {"images": 1000, "d_real": 0.5, "diversity": None},
    {"images": 2000, "d_real": 0.25, "diversity": 0.75},
]
MEASURED: list[dict[str, Any]] = [{"images": 2000, "frechet_distance": 1.5, "collapsed": 0}]


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the rows of a training, and pictures of it."""
    write_params(tmp_path, {"train.seed": 7})
    write_tsv(tmp_path / "metrics/train.tsv", TRAINED)
    write_tsv(tmp_path / "metrics/checkpoints.tsv", MEASURED)
    (tmp_path / "plots/training").mkdir(parents=True)
    (tmp_path / "plots/training/images-000002000.png").write_bytes(encode_png(np.full((1, 4, 6), 200, np.uint8)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def logged(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["stages.log", *arguments])
    log.main()


class Mlflow:
    """A server that takes what MLflow's REST API takes, as its documentation has it, and keeps it."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.experiments: list[str] = []
        self.headers: list[str | None] = []
        self.refuses = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == "/api/2.0/mlflow/experiments/get-by-name?experiment_name=mintage"
                known = {"experiment": {"experiment_id": "3"}} if server.experiments else None
                self.answer(known or {"error_code": "RESOURCE_DOES_NOT_EXIST"}, 200 if known else 404)

            def do_POST(self) -> None:
                server.headers.append(self.headers["Authorization"])
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if server.refuses:
                    return self.answer({"error_code": "PERMISSION_DENIED", "message": "not your experiment"}, 403)
                return self.answer(server.take(self.path.removeprefix("/api/2.0/mlflow/"), body), 200)

            def answer(self, body: dict[str, Any], code: int) -> None:
                self.send_response(code)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        Thread(target=self._http.serve_forever, daemon=True).start()

    def take(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        if what == "experiments/create":
            self.experiments.append(body["name"])
            return {"experiment_id": "3"}
        if what == "runs/create":
            assert body["experiment_id"] == "3"
            self.runs.append({"name": body["run_name"], "metrics": [], "params": {}, "status": "RUNNING"})
            return {"run": {"info": {"run_id": str(len(self.runs) - 1)}}}
        run = self.runs[int(body["run_id"])]
        if what == "runs/update":
            assert body["end_time"] > 1.7e12, "milliseconds"
            run["status"] = body["status"]
            return {}
        assert what == "runs/log-batch"
        assert len(body.get("params", [])) <= 100
        assert len(body.get("metrics", [])) <= 1000
        run["params"] |= {one["key"]: one["value"] for one in body.get("params", [])}
        run["metrics"] += [(one["key"], one["step"], one["value"]) for one in body.get("metrics", [])]
        return {}

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def mlflow() -> Iterator[Mlflow]:
    server = Mlflow()
    yield server
    server.close()


def test_mlflow_gets_each_figure_at_its_images_and_the_params_and_the_run_ends(
    trained: Path, mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        logged(monkeypatch, "--to", mlflow.url, "--name", name)
    assert mlflow.experiments == ["mintage"], "the second finds it"
    assert [run["name"] for run in mlflow.runs] == ["one", "two"]
    run = mlflow.runs[0]
    assert run["metrics"] == [
        ("train/d_real", 1000, 0.5),
        ("train/d_real", 2000, 0.25),
        ("train/diversity", 2000, 0.75),
        ("checkpoints/frechet_distance", 2000, 1.5),
        ("checkpoints/collapsed", 2000, 0.0),
    ]
    assert run["params"]["train.seed"] == "7"
    assert run["params"]["train.stop"] == "null"
    assert run["status"] == "FINISHED"
    assert f"logged 3 rows to {mlflow.url}" in capsys.readouterr().out


def test_mlflow_is_asked_as_the_environment_says(
    trained: Path, mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anna")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    logged(monkeypatch, "--to", mlflow.url)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    logged(monkeypatch, "--to", mlflow.url)
    assert {str(one) for one in mlflow.headers} == {"Basic YW5uYTpzZWNyZXQ=", "Bearer token"}


def test_a_server_that_refuses_or_is_not_there_is_one_sentence(
    trained: Path, mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow.refuses = True
    with refused("tracker-refuses", "403, not your experiment"):
        logged(monkeypatch, "--to", mlflow.url)
    mlflow.close()
    with refused("tracker-unreachable", mlflow.url, "does an MLflow server run there?"):
        logged(monkeypatch, "--to", mlflow.url)


def test_another_server_s_error_page_is_not_shown(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with refused("tracker-refuses", "501", "is it an MLflow server?") as caught:
            logged(monkeypatch, "--to", f"http://127.0.0.1:{server.server_port}")
        assert "<" not in str(caught.value)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("place", ["127.0.0.1:5000", "tracking.example.org:80/runs", "sqlite:///mlflow.db"])
def test_a_server_s_address_without_http_makes_no_folder(
    trained: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    before = sorted(trained.iterdir())
    with refused("tracker-unknown", place, "http://"):
        logged(monkeypatch, "--to", place)
    assert sorted(trained.iterdir()) == before


def test_trainings_are_followed_as_rows_come_each_in_a_run_of_its_own(trained: Path, mlflow: Mlflow) -> None:
    for table in ("train", "checkpoints"):
        (trained / f"metrics/{table}.tsv").unlink()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stages.log", "--to", mlflow.url, "--follow", "--name", "it"]
    following = subprocess.Popen(command, cwd=trained, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        write_tsv(trained / "metrics/train.tsv", TRAINED[:1])
        until(lambda: mlflow.runs and mlflow.runs[0]["metrics"])
        write_tsv(trained / "metrics/train.tsv", TRAINED)
        write_tsv(trained / "metrics/checkpoints.tsv", MEASURED)
        until(lambda: len(mlflow.runs[0]["metrics"]) == 5)
        (trained / "metrics/train.tsv").unlink()  # as DVC does, before a stage runs again
        write_tsv(trained / "metrics/train.tsv", [TRAINED[0] | {"d_real": 0.125}])
        until(lambda: len(mlflow.runs) == 2 and mlflow.runs[1]["metrics"])
        following.send_signal(signal.SIGINT)
        said = following.communicate(timeout=300)[1]
    finally:
        following.kill()
    assert following.returncode == 130
    assert "Traceback" not in said
    assert [(run["name"], run["status"]) for run in mlflow.runs] == [("it", "FINISHED"), ("it-2", "FINISHED")]
    assert mlflow.runs[1]["metrics"] == [("train/d_real", 1000, 0.125)], "checkpoints of the first are none of its"


def test_what_was_not_trained_cannot_be_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_params(tmp_path, {})
    monkeypatch.chdir(tmp_path)
    with refused("output-missing", "metrics/train.tsv", "--follow"):
        logged(monkeypatch, "--to", "logs")


def test_tensorboard_s_files_hold_figures_pictures_and_params(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logged(monkeypatch, "--to", "logs", "--name", "one")
    read = events.EventAccumulator("logs/one").Reload()
    assert [(one.step, one.value) for one in read.Scalars("train/d_real")] == [(1000, 0.5), (2000, 0.25)]
    assert [(one.step, one.value) for one in read.Scalars("checkpoints/frechet_distance")] == [(2000, 1.5)]
    assert [(one.step, one.width, one.height) for one in read.Images("samples")] == [(2000, 6, 4)]
    assert b"| train.seed | 7 |" in read.Tensors("params/text_summary")[0].tensor_proto.string_val[0]
    with refused("run-exists", "logs/one", "--name"):
        logged(monkeypatch, "--to", "logs", "--name", "one")


def test_without_tensorboard_it_says_what_to_install(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with refused("tracker-needs-tensorboard", "pip install -c requirements/constraints.txt -r requirements/"):
        logged(monkeypatch, "--to", "logs")
    assert not Path("logs").exists()
