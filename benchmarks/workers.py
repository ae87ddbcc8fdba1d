"""How sampling and measuring scale by workers: `python -m benchmarks.workers [--images 20000] [--workers 2]`.

In a finished workspace, such as `make run` leaves: the same images are made, and all checkpoints measured, by one
worker of a Dask cluster of this machine and by several, in turns. Workers are there before the clock starts, and know
the real images; a piece reads the model anew, as always. Prints medians of seconds on the wall; images that differ end
it.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import dask
from distributed import LocalCluster

from benchmarks.options import natural
from stages.common.cluster import on_cluster
from stages.common.errors import run_stage
from stages.common.params import Sample, Select, load_section
from stages.common.stage import parser_of
from stages.sampling.rows import Job, rows
from stages.selection.cache import forget_all_but
from stages.selection.inputs import measure_elsewhere, read_inputs


def main() -> None:
    parser = parser_of("benchmarks.workers", __doc__)
    parser.add_argument("--images", type=natural, default=20_000)
    parser.add_argument("--workers", type=natural, default=2)
    parser.add_argument("--rounds", type=natural, default=3)
    asked = parser.parse_args()
    work = {f"{asked.images:,} images made": images_made(asked.images), "checkpoints measured": checkpoints_measured()}
    clusters = {count: cluster_of(count) for count in (1, asked.workers)}
    for name, do in work.items():
        seconds: dict[int, list[float]] = {count: [] for count in clusters}
        for count in [*clusters, *list(clusters) * asked.rounds]:  # first imports, reading and compiling
            seconds[count].append(seconds_on(clusters[count], do))
        one, several = (median(times[1:]) for times in seconds.values())
        print(f"{name}: {one:.1f} s by 1 worker, {several:.1f} s by {asked.workers}, {one / several:.2f} times as fast")
    for cluster in clusters.values():
        cluster.close()


def cluster_of(workers: int) -> LocalCluster:
    return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)  # type: ignore[no-untyped-call]


def seconds_on(cluster: LocalCluster, do: Callable[[], None]) -> float:
    with dask.config.set({"scheduler-address": cluster.scheduler_address}):
        start = time.perf_counter()
        do()
        return time.perf_counter() - start


def images_made(count: int) -> Callable[[], None]:
    job, digests = Job(load_section(Sample).model_copy(update={"count": count}), Path()), set[str]()

    def make() -> None:
        digest = hashlib.sha256()
        for row in rows(job, on_cluster):
            digest.update(row["image"]["bytes"])
        digests.add(digest.hexdigest())
        assert len(digests) == 1, "other workers made other images"

    return make


def checkpoints_measured() -> Callable[[], None]:
    params = load_section(Select)
    inputs = read_inputs(params, Path())

    def measure() -> None:
        forget_all_but(inputs.cache, [real.subject for real in inputs.reals])
        measure_elsewhere(inputs, params, on_cluster)

    return measure


if __name__ == "__main__":
    run_stage(main)
