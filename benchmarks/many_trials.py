"""What a trial costs the driver, by itself: asked, reported once, stored, told. Without Ray and without training.

    .venv/bin/python benchmarks/many_trials.py [--trials 200 2000]

Also the memory of the process, the size of the journal, and the time that a sweep needs to go on from there.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from tune_reg import Study
from tune_reg.search.sweep import Sweep

ROW = {"epoch": 1, "learning_rate": 0.1, "strength": 1e-4, "train_loss": 1.0, "val_loss": 1.0, "wall_s": 0.1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[200, 2000])
    for trials in parser.parse_args().trials:
        with tempfile.TemporaryDirectory() as folder:
            measure(trials, Path(folder))


def measure(trials: int, directory: Path) -> None:
    study = Study(
        name="many",
        dataset="digits",
        model="nn-2",
        regularizers=["weight-decay"],
        training={"epochs": 1},
        search={"trials": trials, "pruner": "none"},
    )
    sweep = Sweep(study, directory)
    begin = time.perf_counter()
    for _ in range(trials):
        run = sweep.next()
        assert run is not None
        sweep.on_epochs(run.key, [{**ROW, "val_accuracy": 0.5 + 1e-4 * (run.trial.number % 97)}])
        sweep.end(run.key, "complete")
    seconds = (time.perf_counter() - begin) / trials
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    journal = (directory / "search.journal").stat().st_size / 2**20
    begin = time.perf_counter()
    Sweep(study, directory).next()
    again = time.perf_counter() - begin
    at = f"process {peak} MiB; journal {journal:.1f} MiB; goes on in {again:.2f} s"
    print(f"{trials} trials: {seconds:.3f} s each; {at}")


if __name__ == "__main__":
    main()
