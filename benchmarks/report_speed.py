"""Time and memory of the whole report, against the size of the study.

    .venv/bin/python benchmarks/report_speed.py [--trials 20 200 2000] [--parts few|each]

Studies of 8 regularizers and 50 epochs, of growing numbers of trials, as ``large_study.py`` makes them; that one
measures each table and figure by itself. Every report runs in a process of its own, so that its peak memory is its
own; beside it stands the peak of the largest of the processes that draw its figures, as many as there are cores and
at most four. Seconds are by the clock and of the processor, of all these processes together; on a machine with other
work the second are the fair ones. The last column is the processor's seconds over those of the first size.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from _shared.command_line import CommandLine, write_json
from _shared.own_process import call_in_own_process
from _shared.synthetic_results import REGULARIZERS, Parts, write_results

EPOCHS = 50
SMALL = {"trials": [4]}


class Cost(NamedTuple):
    """What one report takes: seconds, peak memory in MB of its process and of the largest one that draws, sizes."""

    clock_s: float
    processor_s: float
    peak_mb: float
    drawing_peak_mb: float
    page_mb: float
    files_mb: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--trials", type=int, nargs="+", default=[20, 200, 2000], help="trials of each regularizer")
    parser.add_argument("--parts", choices=get_args(Parts), default="few", help="Parquet files: few, or each trial one")
    parser.outputs()
    options = parser.read(arguments)
    print("trials  epoch rows   files   clock  processor  peak memory  of drawing    page  all files  beside the first")
    costs: list[Cost] = []
    for trials in options.trials:
        with tempfile.TemporaryDirectory() as scratch:
            directory = Path(scratch)
            write_results(directory, trials, EPOCHS, options.parts)
            parts = sum(1 for _ in directory.rglob("*.parquet"))
            cost = call_in_own_process(measure, directory)
        costs.append(cost)
        total = len(REGULARIZERS) * trials
        print(
            f"{total:6,}  {total * EPOCHS:10,}  {parts:6,}  {cost.clock_s:4.1f} s  {cost.processor_s:7.1f} s  "
            f"{cost.peak_mb:8.0f} MB  {cost.drawing_peak_mb:7.0f} MB  {cost.page_mb:4.1f} MB  {cost.files_mb:6.1f} MB"
            f"{cost.processor_s / costs[0].processor_s:18.2f}",
            flush=True,
        )
    sizes = [{"trials": n, **cost._asdict()} for n, cost in zip(options.trials, costs, strict=True)]
    write_json(options.out, {"parts": options.parts, "epochs": EPOCHS, "sizes": sizes})


def measure(directory: Path) -> Cost:
    """Write the report of a results directory."""
    start, clock = processor_seconds(), time.perf_counter()
    import analysis

    page = analysis.report(directory)
    files = [path for path in page.parent.rglob("*") if path.is_file()]
    return Cost(
        time.perf_counter() - clock,
        processor_seconds() - start,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        page.stat().st_size / 1e6,
        sum(path.stat().st_size for path in files) / 1e6,
    )


def processor_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
