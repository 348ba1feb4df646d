"""What a trial costs the driver, by itself: asked, reported, stopped or not, stored. Without Ray and without training.

    .venv/bin/python benchmarks/many_trials.py [--trials 200 2000] [--pruner none]

With the sampler and, unless another is named, the pruner that a study has by default. A trial reports nine epochs, of
an accuracy that rises by chance, or as many as it is let. Seconds are those of the last hundred trials, of which those
of an ask and of the reports; also the memory of the process, the size of the journal, and the time that a sweep needs
to go on from there.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from pathlib import Path

from tune_reg import Study
from tune_reg.execution.controller import StudyController
from tune_reg.study import SearchSettings

ROW = {"learning_rate": 0.1, "strength": 1e-4, "train_loss": 1.0, "val_loss": 1.0, "wall_s": 0.1}
EPOCHS = 9
LAST = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--pruner", default=SearchSettings().pruner)
    options = parser.parse_args()
    for trials in options.trials:
        with tempfile.TemporaryDirectory() as folder:
            measure(trials, options.pruner, Path(folder))


def measure(trials: int, pruner: str, directory: Path) -> None:
    study = Study(
        name="many",
        dataset="digits",
        model="nn-2",
        regularizers=["weight-decay"],
        training={"epochs": EPOCHS},
        search={"trials": trials, "pruner": pruner},
    )
    sweep = StudyController(study, directory)
    drawn = random.Random(0)
    asks, reports, begin = 0.0, 0.0, 0.0
    for place in range(trials):
        if place == max(0, trials - LAST):
            asks, reports, begin = 0.0, 0.0, time.perf_counter()
        clock = time.perf_counter()
        run = sweep.next()
        asks += time.perf_counter() - clock
        assert run is not None
        value, rows, over = 0.5, [], False
        for epoch in range(1, EPOCHS + 1):
            value += 0.05 * drawn.random()
            rows.append({**ROW, "epoch": epoch, "val_accuracy": value})
            clock = time.perf_counter()
            over = sweep.on_epochs(run.key, rows)
            reports += time.perf_counter() - clock
            if over:
                break
        if not over:
            sweep.end(run.key, "complete")
    measured = min(LAST, trials)
    seconds, ask, report = ((s / measured) for s in (time.perf_counter() - begin, asks, reports))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    journal = (directory / "search.journal").stat().st_size / 2**20
    begin = time.perf_counter()
    StudyController(study, directory).next()
    again = time.perf_counter() - begin
    at = f"process {peak} MiB; journal {journal:.1f} MiB; goes on in {again:.2f} s"
    print(f"{trials} trials: {seconds:.3f} s each, ask {ask:.3f}, reports {report:.3f}; {at}", flush=True)


if __name__ == "__main__":
    main()
