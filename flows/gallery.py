"""The gallery as a flow: a static site of each store, on a schedule or by hand; one that fails keeps no other back."""

import argparse
import asyncio
import re
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import notify
from flows.pipeline import end_as, results_of, run_here, tell_of_crash
from flows.processes import STAGE, end_marked, run_marked
from flows.server import use_server
from flows.stage import RETRY_DELAY, TREE, failure
from stages.common.at_work import RUN
from stages.common.errors import BAD_INPUT, TRY_AGAIN, UserError, run_stage
from stages.common.params import load_params
from stages.common.stage import parser_of
from stages.stores import GIVEN, IN_PARAMS
from stages.stores.folder import FolderStore

RETRIES = 2
"""Retries of errors that may pass: a store that does not answer, or another build that is running."""


@flow(name="gallery", persist_result=False, on_crashed=[tell_of_crash])
async def gallery(
    urls: list[str] | None = None, out: str = "gallery", title: str = "Gallery", workspace: str = "."
) -> State[Any]:
    """Build a static site of what stores hold, or bring it up to date: only what has changed is read and written.

    Args:
        urls: `file:FOLDER` or `s3://BUCKET/PREFIX`; none means upload.url of params.yaml. Of several, each has a site
            of its own below `out`, named like it.
        out: The folder of the site, in the workspace if it is relative.
        title: The heading of each site.
        workspace: The checkout whose params.yaml and examples are read.
    """
    root, run = Path(workspace).resolve(), uuid4().hex
    try:
        folders = folders_of(urls or [], out)
    except UserError as error:
        return Failed(name="Refused", message=str(error), data={"exit_code": BAD_INPUT})
    try:
        states = await asyncio.gather(*(start(url, folder, title, root, run) for url, folder in folders.items()))
    finally:
        end_marked(run)
    return await conclude(root, folders, states)


def check_request(root: Path, urls: list[str], out: str) -> None:
    """Raise UserError on a mistake in the arguments, before a server is started or waited for.

    A missing store does not stop the others; the run itself reports it.
    """
    folders_of(urls, out)
    asked, setting = urls or [load_params(root / "params.yaml").upload.url], GIVEN if urls else IN_PARAMS
    folders = {url: root / FolderStore(url, setting).root for url in asked if not url.startswith("s3://")}
    missing = [url for url, folder in folders.items() if not folder.is_dir()]
    if len(missing) == len(asked):
        raise UserError("store-missing", f"{missing[0]}: there is no such folder: name a store where releases lie")


def folders_of(urls: list[str], out: str) -> dict[str | None, Path]:
    """The site's folder for each store; None is the store of params.yaml. Raises UserError if two have one folder."""
    if len(urls) < 2:
        return {urls[0] if urls else None: Path(out)}
    named: dict[str | None, Path] = {
        url: Path(out) / re.sub(r"[^\w.-]+", "-", re.sub(r"^(file|s3):", "", url)).strip("-.") for url in urls
    }
    if len(set(named.values())) < len(urls) or Path(out) in named.values():
        raise UserError(
            "galleries-alike", f"the sites of {', '.join(urls)} would be in one folder: build them by runs of their own"
        )
    return named


async def start(url: str | None, folder: Path, title: str, root: Path, run: str) -> State[Any]:
    """Build a store's site as a task, with retries if they may help."""

    def can_heal(_task: Any, task_run: Any, state: State[Any]) -> bool:
        return task_run.run_count <= RETRIES and results_of(state).get("exit_code") == TRY_AGAIN

    name = "store of params.yaml" if url is None else url
    as_task: Any = task(
        name="site",
        task_run_name=name.replace("{", "{{").replace("}", "}}"),
        retries=RETRIES + 1,  # one more than wanted, as in flows/stage.py
        retry_delay_seconds=[RETRY_DELAY * 2**number for number in range(RETRIES + 1)],
        retry_condition_fn=can_heal,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(build)
    state: State[Any] = await as_task(url, folder, title, root, run, return_state=True)
    return state


async def build(url: str | None, folder: Path, title: str, root: Path, run: str) -> State[Any]:
    """The task's body: `python -m stages.gallery`, its output streamed, its last line the message."""
    logger, lines = get_run_logger(), list[str]()

    def on_line(line: str) -> None:
        lines.append(line)
        if not line.startswith("error: "):  # the state has it
            logger.info(line)

    named = [] if url is None else ["--url", url]
    command = [sys.executable, "-m", "stages.gallery", *named, "--out", str(folder), "--title", title]
    environment = {RUN: run, STAGE: str(folder), "PYTHONPATH": str(TREE), "PYTHONIOENCODING": "utf-8"}
    code = await run_marked(command, root, environment, on_line)
    if code != 0:
        return Failed(message=failure(lines, code)[1], data={"exit_code": code})
    return Completed(message=lines[-1] if lines else "", data={"exit_code": 0})


async def conclude(root: Path, folders: dict[str | None, Path], states: list[State[Any]]) -> State[Any]:
    """Make a page in Prefect with the place of each site; the state is failed if one failed."""
    named = {url or "upload.url": state for url, state in zip(folders, states, strict=True)}
    await acreate_markdown_artifact(
        "\n".join(f"- {url}: {state.message or state.name}" for url, state in named.items()),
        key="gallery",
        description="Sites of releases",
    )
    problems = [f"{url}: {state.message or state.name}" for url, state in named.items() if not state.is_completed()]
    codes = [results_of(state).get("exit_code", 1) for state in states]
    data = {"sites": [str(root / folder) for folder in folders.values()], "exit_code": max(codes, default=0)}
    if problems:
        await notify.failed(root, None, "; ".join(problems))
        return Failed(message="; ".join(problems), data=data)
    return Completed(message="; ".join(str(state.message) for state in states), data=data)


def main() -> None:
    """The command line: the same as a run of the deployment, in this process."""
    parameters = vars(_arguments())
    check_request(Path(parameters["workspace"]).resolve(), parameters["urls"], parameters["out"])
    use_server()
    end_as(run_here(gallery, **parameters))


def _arguments() -> argparse.Namespace:
    parser = parser_of("flows.gallery", __doc__)
    parser.add_argument(
        "urls", nargs="*", help="file:FOLDER or s3://BUCKET/PREFIX (default: upload.url of params.yaml)"
    )
    parser.add_argument(
        "--out", default="gallery", help="the site's folder; of several stores, of all (default: gallery)"
    )
    parser.add_argument("--title", default="Gallery", help="heading of the site (default: %(default)s)")
    parser.add_argument("-C", "--workspace", default=".", help="the checkout (default: this folder)")
    return parser.parse_args()


if __name__ == "__main__":
    run_stage(main)
