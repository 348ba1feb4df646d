"""What a trial costs the driver, by itself: asked, reported, stopped or not, stored. Without Ray and without training.

    .venv/bin/python benchmarks/many_trials.py [--trials 200 2000] [--pruner none]

With the sampler and, unless another is named, the pruner that a study has by default. A trial reports nine epochs, of
an accuracy that rises by chance, or fewer where it is stopped. Seconds are those of the last hundred trials, of which
those of an ask and of the reports; also the memory of the process, the size of the journal, and the time that the
search needs to go on from there. Sizes stand side by side: the last column is a trial's seconds over those of the first
size.
"""

from __future__ import annotations

import random
import resource
import tempfile
import time
import typing
from collections.abc import Sequence
from pathlib import Path

from _shared.command_line import CommandLine, write_json

from tune_reg import Study
from tune_reg.execution.controller import StudyController
from tune_reg.execution.messages import Completed, RunReport
from tune_reg.search.decision import Decision
from tune_reg.store import EpochValues
from tune_reg.study import SearchSettings, make_plan

ROW = {"learning_rate": 0.1, "strength": 1e-4, "train_loss": 1.0, "val_loss": 1.0, "wall_s": 0.1}
EPOCHS = 9
LAST = 100
SMALL = {"trials": [5, 20]}


def main(arguments: Sequence[str] | None = None) -> None:
    pruners = typing.get_args(SearchSettings.model_fields["pruner"].annotation)
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--trials", type=int, nargs="+", default=[200, 2000], help="sizes of the search")
    default = SearchSettings().pruner
    help_text = f"stopping rule: {', '.join(pruners)}"
    parser.add_argument("--pruner", choices=pruners, default=default, metavar="NAME", help=help_text)
    parser.outputs()
    options = parser.read(arguments)
    print("trials  s a trial  s an ask  s of reports  process  journal  goes on in  beside the first")
    rows: list[dict[str, float]] = []
    for trials in options.trials:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(trials, options.pruner, Path(folder))
        rows.append(row)
        print(
            f"{trials:6}{row['trial_s']:11.3f}{row['ask_s']:10.3f}{row['reports_s']:14.3f}{row['process_MiB']:5.0f} MiB"
            f"{row['journal_MiB']:5.1f} MiB{row['goes_on_s']:10.2f} s{row['trial_s'] / rows[0]['trial_s']:18.2f}",
            flush=True,
        )
        write_json(options.out, {"pruner": options.pruner, "sizes": rows})


def measure(trials: int, pruner: str, directory: Path) -> dict[str, float]:
    """Seconds and memory at the end of a search of so many trials."""
    study = Study(
        name="many",
        dataset="digits",
        model="nn-2",
        regularizers=["weight-decay"],
        training={"epochs": EPOCHS},
        search={"trials": trials, "pruner": pruner},
    )
    controller = StudyController(make_plan(study), directory)
    rng = random.Random(0)
    asks, reports, begin = 0.0, 0.0, 0.0
    for number in range(trials):
        if number == max(0, trials - LAST):
            asks, reports, begin = 0.0, 0.0, time.perf_counter()
        clock = time.perf_counter()
        run = controller.next_run()
        asks += time.perf_counter() - clock
        assert run is not None
        value, over = 0.5, False
        for epoch in range(1, EPOCHS + 1):
            value += 0.05 * rng.random()
            row: EpochValues = {**ROW, "epoch": epoch, "val_accuracy": value}
            report = RunReport((row,), Completed() if epoch == EPOCHS else None)
            clock = time.perf_counter()
            over = controller.take(run.key, report) is Decision.STOP
            reports += time.perf_counter() - clock
            if over:
                break
        assert over
    seconds, measured = time.perf_counter() - begin, min(LAST, trials)
    begin = time.perf_counter()
    StudyController(make_plan(study), directory).next_run()
    return {
        "trials": trials,
        "trial_s": seconds / measured,
        "ask_s": asks / measured,
        "reports_s": reports / measured,
        "process_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "journal_MiB": (directory / "search.journal").stat().st_size / 2**20,
        "goes_on_s": time.perf_counter() - begin,
    }


if __name__ == "__main__":
    main()
