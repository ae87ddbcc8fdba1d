"""A gallery of many releases: `python -m benchmarks.gallery [--url URL] [--releases 1000] [--no-explorer]`.

A store's latest release, as `make run` publishes it, is published many times to a store in a temporary folder, each
time with another family, data, verdict and figures, and without the files that no page reads. Prints what the builds of
its gallery take, how large it is, and when a browser has opened the index and answered (medians of five visits, by the
clock and of all processors).
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from statistics import median

from benchmarks.explorer import processor_seconds
from benchmarks.memory import peak_of
from benchmarks.options import natural
from mintage.families import FAMILIES
from stages.common.errors import run_stage
from stages.common.stage import parser_of
from stages.gallery.reading import read_release
from stages.releases.catalog import find
from stages.releases.channels import LATEST
from stages.releases.manifest import Release
from stages.releases.publish import publish
from stages.selection.metrics import METRICS
from stages.stores import File, open_asked
from stages.stores.folder import FolderStore
from tests.stages.webdriver import CHROMIUM, DRIVER, Browser, browser

UNREAD = ("generator.safetensors", "samples/", "reports/", "plots/training/")
CARD, TRAIN, SELECTION = "README.md", "provenance/train.json", "metrics/selection.json"
DATA, LEVELS, VISITS = 20, ("good", "fair", "poor"), 5
ASKED = {"family": "cgan", "level": "fair", "metric": "frechet_distance", "order": "best", "q": "gan good"}
READY = "return performance.getEntriesByType('navigation')[0].loadEventEnd;"
ANSWER = """
const [name, wanted] = given;
const box = document.getElementById("filters").elements[name];
const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
await drawn();
const start = performance.now();
box.value = wanted;
box.dispatchEvent(new Event("input", { bubbles: true }));
await drawn();
return performance.now() - start;
"""


def main() -> None:
    parser = parser_of("benchmarks.gallery", __doc__)
    parser.add_argument("--url", help="a store with a release (default: upload.url of params.yaml)")
    parser.add_argument("--releases", type=natural, default=1000)
    parser.add_argument("--no-explorer", action="store_true", help="build as `mintage gallery --no-explorer`")
    asked = parser.parse_args()
    original = find(open_asked(asked.url), LATEST)
    with tempfile.TemporaryDirectory() as folder:
        store, site = FolderStore(f"file:{folder}/store"), Path(folder) / "site"
        copies = copied(original, asked.releases)
        with redirect_stderr(StringIO()):  # a bar a release
            for _ in range(asked.releases):
                publish(store, next(copies))
        command = [store.url, "--out", str(site), *(["--no-explorer"] if asked.no_explorer else [])]
        print("| a build of | CPU s | s | MB at most | files | MB of them | MB of index.html |\n|" + " --- |" * 7)
        print(built(f"{asked.releases:,} new releases", command, site))
        print(built("the same", command, site))
        with redirect_stderr(StringIO()):
            publish(store, next(copies))
        print(built("one more", command, site), flush=True)
        print(f"\n{answers(site / 'index.html')}")


def copied(original: Release, count: int) -> Iterator[list[File]]:
    """The files of `count` copies and of one more, each unlike all others."""
    data = f'"{read_release(original).data}"'
    paths = [file.path for file in original.manifest().files if not file.path.startswith(UNREAD)]
    files = {path: File.from_source(path, original.read(path) or b"") for path in paths}
    card, train, selection = ((original.read(path) or b"").decode() for path in (CARD, TRAIN, SELECTION))
    made, chosen = json.loads(train), json.loads(selection)
    for number in range(count + 1):
        level = LEVELS[number % len(LEVELS)]
        verdict = {"level": level, "sentence": f"{level}: copy {number}.", "curve": "", "advice": ""}
        figures = {name: chosen[name] * (1 - number / count / 2) for name in METRICS if chosen.get(name) is not None}
        texts = {
            CARD: card.replace(data, f'{data[:-1]} {number % DATA}"'),
            TRAIN: json.dumps(made | {"family": list(FAMILIES)[number % len(FAMILIES)]}),
            SELECTION: json.dumps(chosen | figures | {"verdict": verdict}),
        }
        own = {path: File.from_source(path, text.encode()) for path, text in texts.items()}
        yield sorted((files | own).values(), key=lambda file: file.path)


def built(title: str, options: list[str], site: Path) -> str:
    """A row of the table."""
    begun, before = time.monotonic(), os.times()
    peak = peak_of("stages.gallery", "--url", *options) / 1000
    wall, after = time.monotonic() - begun, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    sizes = [path.stat().st_size for path in site.rglob("*") if path.is_file()]
    size, index = sum(sizes) / 1e6, (site / "index.html").stat().st_size / 1e6
    return f"| {title} | {cpu:.1f} | {wall:.0f} | {peak:.0f} | {len(sizes):,} | {size:.1f} | {index:.2f} |"


def answers(index: Path) -> str:
    """A row for each thing that a reader does with the index, as the table says it."""
    if CHROMIUM is None or DRIVER is None:
        return "The index was not opened: there is no Chromium with chromedriver here."
    visits = []
    for _ in range(VISITS):
        with browser() as window:
            visits.append(visited(window, index))
    medians = {name: [median(visit[name][one] for visit in visits) for one in (0, 1)] for name in visits[0]}
    rows = [f"| {name} | {wall:.0f} | {cpu:.0f} |" for name, (wall, cpu) in medians.items()]
    return "\n".join(["| in the index | ms | CPU ms |", "| --- | --- | --- |", *rows])


def visited(window: Browser, index: Path) -> dict[str, tuple[float, float]]:
    """Milliseconds by the clock and of processors until the page is open, and until what is wanted is drawn."""

    def timed(script: str, *arguments: str) -> tuple[float, float]:
        before = processor_seconds()
        wall = float(window.run(script, *arguments))
        return wall, 1000 * (processor_seconds() - before)

    before = processor_seconds()
    window.open(index)
    times = {"opened": (float(window.run(READY)), 1000 * (processor_seconds() - before))}
    for name, wanted in ASKED.items():
        times[f"{name}: {wanted}"] = timed(ANSWER, name, wanted)
        times[f"{name}: all again"] = timed(ANSWER, name, "")
    return times


if __name__ == "__main__":
    run_stage(main)
