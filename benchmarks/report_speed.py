"""Time and memory of the whole report, against the size of the study.

    python benchmarks/report_speed.py [--parts few|each]

Studies of 8 regularizers and 50 epochs, of growing numbers of trials, as ``large_study.py`` makes them; that one
measures each table and figure by itself. Every report runs in a process of its own, so that its peak memory is its
own; beside it stands the peak of the largest of the processes that draw its figures, as many as there are cores and
at most four. Seconds are by the clock and of the processor, of all these processes together; on a machine with other
work the second are the fair ones.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from pathlib import Path

from large_study import REGULARIZERS, write

TRIALS = (20, 200, 2000)
EPOCHS = 50


def measure(directory, answers):
    start, clock = spent(), time.perf_counter()
    import analysis

    page = analysis.report(directory)
    files = [path for path in page.parent.rglob("*") if path.is_file()]
    answers.put(
        (
            time.perf_counter() - clock,
            spent() - start,
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
            page.stat().st_size / 1e6,
            sum(path.stat().st_size for path in files) / 1e6,
        )
    )


def spent():
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", choices=("few", "each"), default="few")
    parser.add_argument("--trials", type=int, nargs="*", default=TRIALS, help="of each regularizer")
    given = parser.parse_args()
    print("trials  epoch rows   files   clock  processor  peak memory  of a drawer   page  all files")
    for trials in given.trials:
        with tempfile.TemporaryDirectory() as scratch:
            directory = Path(scratch)
            write(directory, trials, EPOCHS, given.parts)
            parts = sum(1 for _ in directory.rglob("*.parquet"))
            context = multiprocessing.get_context("spawn")
            answers = context.Queue()
            child = context.Process(target=measure, args=(directory, answers))
            child.start()
            clock, processor, peak, drawer, page, files = answers.get()
            child.join()
        total = len(REGULARIZERS) * trials
        print(
            f"{total:6,}  {total * EPOCHS:10,}  {parts:6,}  {clock:4.1f} s  {processor:7.1f} s  {peak:8.0f} MB  "
            f"{drawer:8.0f} MB  {page:4.1f} MB  {files:6.1f} MB"
        )


if __name__ == "__main__":
    main()
