"""Run examples: each in a checkout of its own that shares DVC's cache, and published to the channel `examples/NAME`.

`python -m flows.examples digits_cgan`, the same again to go on. `--jobs 1` without a name runs all, and a call without
both only lists them. What is finished and has not changed since is not run again. One that stands on another brings it
along, and waits for its release. Exit code 1 where one failed, or its figures are out of its file's range.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from threading import Lock as OneAtATime
from typing import Any

from ruamel.yaml import YAML

from flows.examples_data import bring_data
from flows.lock import Lock
from flows.processes import STAGE, own_path
from flows.trials import current_commit, snapshot_of
from flows.workspace import FOLDER, PARAMS, end_leftovers, taken
from flows.worktree import git, make_worktree, run_git
from stages.common.at_work import RUN
from stages.common.dvc import dvc_command
from stages.common.errors import UserError, run_stage, sentence_of
from stages.common.files import read_json, write_json
from stages.common.params import load_params
from stages.common.stage import parser_of
from stages.examples import FOLDER as EXAMPLES
from stages.examples import Example, behind_firsts, choose, figure_text, load_all
from stages.releases.content import gather, require_committed
from stages.releases.manifest import release_in
from stages.releases.publish import publish
from stages.stores import MANIFEST, open_store
from stages.stores.folder import FolderStore

SELECTION = Path("metrics/selection.json")
_PREPARING = OneAtATime()


@dataclass(frozen=True)
class Run:
    """A run of an example in its checkout."""

    example: Example
    root: Path
    """The main checkout."""
    commit: str
    snapshot: str
    """A commit of the tracked files as they are now."""
    url: str
    log: Path | None
    """The file for the output of its stages; None: the terminal."""
    first: "Run | None" = None
    """The run of the example that it builds on."""

    @property
    def folder(self) -> Path:
        return self.root / FOLDER / "examples"

    @property
    def checkout(self) -> Path:
        return self.folder / self.example.name

    @property
    def record(self) -> Path:
        """The file with what it was begun with, and how it ended."""
        return self.checkout.with_suffix(".json")

    def begun_with(self) -> dict[str, str]:
        """Digests of what a run depends on: if they are the same, it resumes, or is already finished."""
        tree = git(self.root, "rev-parse", f"{self.snapshot}^{{tree}}")
        begun = {"tree": tree, "example": hashlib.sha256(self.example.text.encode()).hexdigest(), "url": self.url}
        return begun | {"first": str(self.first.release())} if self.first else begun

    def release(self) -> str | None:
        """The release of its last end; None if anything has changed since, or the store no longer has the release."""
        before = read_json(self.record) if self.record.exists() else {}
        release = before.get("release") if before.get("begun") == self.begun_with() else None
        return release if release and release_in(open_store(self.url), release).read(MANIFEST) else None


def main() -> None:
    arguments = _arguments()
    root = Path.cwd()
    found = load_all(root / EXAMPLES)
    named = choose(found, arguments.names)
    chosen = behind_firsts(named, found)
    if arguments.list or not (arguments.names or arguments.jobs):
        print("\n".join(described(example) for example in named))
        return
    for example in chosen:
        example.applied(_params(root, example))
    (root / FOLDER / "examples").mkdir(parents=True, exist_ok=True)
    runs = _planned(chosen, root, arguments.url or load_params(root / PARAMS).upload.url)
    failed = sum(not fine for fine in _run_in_turn(runs, arguments.jobs or 1))
    print(f"{len(runs) - failed} of {len(runs)} examples are as they should be")
    raise SystemExit(1 if failed else 0)


def _planned(chosen: Sequence[Example], root: Path, url: str) -> list[Run]:
    """A run for each example, after the run that it builds on."""
    commit = current_commit(root)
    snapshot = snapshot_of(root, commit)
    runs: dict[str, Run] = {}
    for example in chosen:
        log = root / FOLDER / f"examples/{example.name}.log" if len(chosen) > 1 else None
        first = runs[example.after] if example.after else None
        runs[example.name] = Run(example, root, commit, snapshot, url, log, first)
    return list(runs.values())


def _run_in_turn(runs: Sequence[Run], jobs: int) -> list[bool]:
    """Whether each run ended well; `jobs` run side by side, each after the run that it builds on."""
    by_name = {run.example.name: run for run in runs}
    turns = TopologicalSorter({name: [run.first.example.name] if run.first else [] for name, run in by_name.items()})
    turns.prepare()
    at_work: dict[Future[bool], str] = {}
    fine = []
    pool = ThreadPoolExecutor(jobs)
    try:
        while turns.is_active():
            at_work |= {pool.submit(_run_and_report, by_name[name]): name for name in turns.get_ready()}
            for ended in wait(at_work, return_when=FIRST_COMPLETED).done:
                fine.append(ended.result())
                turns.done(at_work.pop(ended))
    finally:
        pool.shutdown(cancel_futures=True)  # no other run begins after Ctrl-C
    return fine


def described(example: Example) -> str:
    """An example's line in the list."""
    after = f", after {example.after}" if example.after else ""
    ranges = "" if example.expected else " (states no range: nobody has run it yet)"
    return f"{example.name:<28} {example.minutes:>5g} min  {example.title}{after}{ranges}"


def run(example: Run) -> str:
    """Run an example, or resume it, and publish it; returns the result in words. Raises UserError if it fails."""
    with Lock(example.folder / f"{example.example.name}.lock") as lock:
        if not lock.take():
            raise UserError("example-busy", "another run of it is at work: wait for its end")
        if example.first and not example.first.release():
            name = example.first.example.name
            raise UserError(
                "example-first-failed", f"it stands on {name}, which failed: mend that one, then run this one again"
            )
        if release := example.release():
            return f"as before: release {release}"
        started, begun = time.monotonic(), example.begun_with()
        before = read_json(example.record) if example.record.exists() else {}
        if before.get("begun") != begun or not example.checkout.exists():
            with _PREPARING:  # git can only make one worktree at a time
                _prepare(example)
            write_json(example.record, {"begun": begun})
        _reproduce(example)
        figures = read_json(example.checkout / SELECTION)
        if misses := example.example.misses(figures):
            raise UserError("example-out-of-range", f"{'; '.join(misses)} ({EXAMPLES}{example.example.name}.yaml)")
        release = _publish(example)
        minutes = round((time.monotonic() - started) / 60, 1)
        write_json(example.record, {"begun": begun, "release": release, "minutes": minutes})
        return f"release {release} in {minutes:g} min; {_figures(example.example, figures)}"


def _run_and_report(example: Run) -> bool:
    """Run an example and print how it ended, in a line that begins with its name; whether it ended well."""
    name = example.example.name
    print(f"{name}: about {example.example.minutes:g} min on two cores", flush=True)
    try:
        print(f"{name}: {run(example)}", flush=True)
    except (UserError, OSError) as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        print(f"{name}: failed: {sentence}", file=sys.stderr, flush=True)
        return False
    return True


def _figures(example: Example, figures: dict[str, Any]) -> str:
    if not example.expected:
        first = str(figures.get("metric", "frechet_distance"))
        return f"its file states no range, so nothing was checked ({first} = {figure_text(figures.get(first))})"
    return ", ".join(
        f"{name} = {figure_text(figures.get(name))} ({low:g} to {high:g})"
        for name, (low, high) in example.expected.items()
    )


def _prepare(example: Run) -> None:
    """A new checkout with the example's params, and its data at data/source."""
    data = bring_data(example.example, example.folder / "data")
    end_leftovers(example.checkout)
    made = make_worktree(example.root, example.checkout, example.commit, example.snapshot)
    if data is not None:
        for name in example.example.data.files:
            target = made / "data/source" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(data / name, target)
    values = example.example.applied(_params(example.root, example.example), _first_seen_from(made, example))
    values["upload"] |= {"publish": "never"}  # published later, to its own channel, once its figures are known
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    with open(made / PARAMS, "w") as file:
        yaml.dump(values, file)


def _first_seen_from(checkout: Path, example: Run) -> str | None:
    """The address of the release that it builds on; a relative path, so that params contain no path of this machine."""
    if example.first is None:
        return None
    store = open_store(example.url)
    place = os.path.relpath(store.root.resolve(), checkout.resolve()) if isinstance(store, FolderStore) else store.url
    return f"{place}/releases/{example.first.release()}"


def _reproduce(example: Run) -> None:
    """Check and run the pipeline; leftovers of a killed run are ended first."""
    with taken(example.checkout) as (mark, _), open(example.log, "ab") if example.log else nullcontext() as output:
        commands = {"mintage check": [sys.executable, "-m", "stages.check"], "dvc repro": dvc_command("repro")}
        for name, command in commands.items():
            environment = {**os.environ, "PATH": own_path(), RUN: mark, STAGE: command[2]}
            code = subprocess.run(
                command, cwd=example.checkout, env=environment, stdout=output, stderr=output, check=False
            ).returncode
            if code:
                says = str(example.log) if example.log else "what it printed"
                raise UserError("example-failed", f"`{name}` ended with exit code {code}: {says} says why")


def _publish(example: Run) -> str:
    files = gather(example.checkout)
    uncommitted = load_params(example.root / PARAMS).upload.uncommitted
    if uncommitted != "mark":
        require_committed(files, known=uncommitted == "refuse")
    receipt, _ = publish(open_store(example.url), files, example.example.channel)
    return str(receipt["release"])


def _params(root: Path, example: Example) -> dict[str, Any]:
    """The values of params.yaml, but for `upload` as they were when the example's file was committed last.

    With these its figures were measured, whatever params.yaml asks for since then.
    """
    load_params(root / PARAMS)
    yaml = YAML(typ="safe", pure=True)
    values: dict[str, Any] = yaml.load(root / PARAMS)
    commit = git(root, "log", "-1", "--format=%H", "--", f"{EXAMPLES}{example.name}.yaml")
    committed = run_git(root, "show", f"{commit}:./{PARAMS}")
    then = yaml.load(committed.stdout) if commit and committed.returncode == 0 else {}
    return {
        name: value if name == "upload" else _as_then(value, then.get(name, value)) for name, value in values.items()
    }


def _as_then(now: Any, then: Any) -> Any:
    """What an earlier params.yaml has for the keys of this one, and no key that there is no more."""
    if not isinstance(now, dict) or not isinstance(then, dict) or not now or not then:
        return then
    return {name: _as_then(value, then.get(name, value)) for name, value in now.items()}


def _arguments() -> argparse.Namespace:
    parser = parser_of("flows.examples", __doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all, with --jobs)")
    parser.add_argument("--jobs", type=int, metavar="N", help="that run side by side (default: 1)")
    parser.add_argument("--url", help="file:FOLDER or s3://BUCKET/PREFIX (default: upload.url of params.yaml)")
    parser.add_argument("--list", action="store_true", help="say which there are, and run none")
    return parser.parse_args()


if __name__ == "__main__":
    run_stage(main)
