"""How fast the explorer is, and how near to torch: `make gallery`, then `python -m benchmarks.explorer URL SITE`.

Of each release whose page has an explorer: the time from the start of its scripts to the first picture, in a browser
that holds nothing of the page yet (the median of five visits), and the processor's time for it in all threads, which is
the most that it takes where nothing else is at work; the time of one picture of a batch of one; and the largest
difference from torch, in levels of 255, over 64 pictures. Needs Chromium and chromedriver; prints a table.
"""

from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import torch

from mintage.model import load
from mintage.players import Generator
from mintage.sampling import generate
from stages.common.errors import UserError, run_stage
from stages.common.files import read_json
from stages.common.levels import to_uint8
from stages.common.stage import parser_of
from stages.export import AsExported, inputs_of
from tests.stages.webdriver import Browser, browser

VISITS, COMPARED = 5, 64
FIRST = """
document.getElementById("explore").scrollIntoView({ behavior: "instant" });
await explorer.ready;
return explorer.milliseconds;
"""
MADE = """
const feeds = {};
for (const [name, rows] of Object.entries(given[0])) feeds[name] = Float32Array.from(rows.flat(Infinity));
if (feeds.labels && RELEASE.mixes) {
  const weights = [...feeds.labels].flatMap((one) => RELEASE.classes.map((_, k) => Number(k === one)));
  feeds.labels = Float32Array.from(weights);
}
return [...levelsOf((await explorer.make(feeds, given[1])).values)];
"""
ONE = """
const times = [];
for (let picture = 0; picture < 100; picture += 1) {
  const first = {};
  for (const [name, rows] of Object.entries(given[0])) first[name] = Float32Array.from([rows[0]].flat(Infinity));
  if (first.labels && RELEASE.mixes) first.labels = Float32Array.from(RELEASE.classes, (_, k) => Number(k === 0));
  const start = performance.now();
  await explorer.make(first, 1);
  times.push(performance.now() - start);
}
return times.sort((a, b) => a - b)[50];
"""


def main() -> None:
    parser = parser_of("benchmarks.explorer", __doc__)
    parser.add_argument("url", help="the store, as `make gallery` was given it")
    parser.add_argument("site", type=Path, help="the folder of the gallery")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = ("release", "size", "first picture, s", "of processors, s", "a picture, ms", "from torch, levels")
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for page in sorted((arguments.site / "releases").iterdir()):
        entry = read_json(page / "entry.json")
        if entry["explored"]:
            generator = load(f"{arguments.url}/releases/{page.name}").generator
            name = f"{entry['family']} on {entry['data']}"
            size = (page / "explorer.js").stat().st_size / 1e6
            print(f"| {name} | {size:.1f} MB | {' | '.join(measured(page / 'index.html', generator))} |", flush=True)


def measured(page: Path, generator: Generator) -> tuple[str, str, str, str]:
    first, used = [], []
    for visit in range(VISITS):
        with browser() as window:
            window.open(page.resolve())
            before = processor_seconds()
            first.append(float(window.run(FIRST)) / 1000)
            used.append(processor_seconds() - before)
            if visit == VISITS - 1:
                levels, one = of_both(window, generator)
    return f"{median(first):.1f}", f"{median(used):.1f}", f"{one:.1f}", f"{levels}"


def processor_seconds() -> float:
    """CPU seconds of all programs that this one has started, including the browser's."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return sum(one.user + one.system for one in times)


def of_both(window: Browser, generator: Generator) -> tuple[int, float]:
    """The largest difference between browser and torch, and the milliseconds of one picture."""
    generator.back = generator.encoder = None
    inputs = inputs_of(generator, COMPARED)
    given: dict[str, Any] = {name: values.tolist() for name, values in inputs.items()}
    found = np.array(window.run(MADE, given, COMPARED))
    first, *others = inputs.values()
    expected = to_uint8(generate(AsExported(generator), first, others[0] if others else None).numpy())
    if found.size != expected.size:
        raise UserError("explorer-differs", "the explorer makes pictures of another size than torch")
    return int(np.abs(found - expected.flatten().astype(int)).max()), float(window.run(ONE, given))


if __name__ == "__main__":
    run_stage(main)
