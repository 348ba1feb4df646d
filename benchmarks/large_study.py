"""Time and memory of every table and figure of a large study.

    .venv/bin/python benchmarks/large_study.py [--trials 2000] [--epochs 50] [--parts few|each]

8 regularizers, two searched fractions among three, attacks and corruptions. ``few`` writes one Parquet file a table
and regularizer; ``each`` one file a trial, as a search does. The measuring runs in a process of its own, so that peak
memory is its own. Figures are drawn as the report does, in all their forms.
Seconds are those of the processor, which other work on the machine does not stretch, and stand beside their share of
all; the last line adds the clock's.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from _shared.command_line import CommandLine, write_json
from _shared.own_process import call_in_own_process
from _shared.synthetic_results import REGULARIZERS, Parts, write_results

FORMS = ("csv", "svg", "pdf", "png")
SMALL = {"trials": 8, "epochs": 4}


class Step(NamedTuple):
    """A part of the work: processor seconds, and the peak memory of the process until its end."""

    name: str
    seconds: float
    peak_mb: float


class Cost(NamedTuple):
    """All of the work, by the clock and by the processor, and its steps."""

    clock_s: float
    processor_s: float
    steps: list[Step]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--trials", type=int, default=2000, help="trials of each regularizer, over both fractions")
    parser.add_argument("--epochs", type=int, default=50, help="epochs of each trial")
    parser.add_argument("--parts", choices=get_args(Parts), default="few", help="Parquet files: few, or each trial one")
    parser.outputs()
    options = parser.read(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "study"
        directory.mkdir()
        write_results(directory, options.trials, options.epochs, options.parts)
        files = sum(1 for _ in directory.rglob("*.parquet"))
        cost = call_in_own_process(measure, directory)
    trials = len(REGULARIZERS) * options.trials
    print(f"{trials:,} trials, {trials * options.epochs:,} epoch rows, {files:,} Parquet files")
    for step in cost.steps:
        share = step.seconds / cost.processor_s
        print(f"{step.seconds:7.2f} s  {share:4.0%}  {step.peak_mb:7.0f} MB peak  {step.name}")
    print(f"{cost.processor_s:7.2f} s  all ({cost.clock_s:.1f} s by the clock)")
    steps = [step._asdict() for step in cost.steps]
    write_json(options.out, {"trials": trials, "epochs": options.epochs, **cost._asdict(), "steps": steps})


def measure(directory: Path) -> Cost:
    """Seconds and peak memory, step by step."""
    started = time.perf_counter()
    from analysis import claims
    from analysis.exports.rendered_figure import render
    from analysis.figures.catalogue import FIGURES
    from analysis.measures.results import result_table
    from analysis.snapshot import Snapshot
    from analysis.tables.catalogue import TABLES
    from tune_reg.store import load

    steps: list[Step] = []
    last = time.process_time()

    def done(name: str) -> None:
        nonlocal last
        now = time.process_time()
        steps.append(Step(name, now - last, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
        last = now

    done("import")
    data = Snapshot(load(directory))
    _ = data.trials
    done("read trials")
    _ = data.confirm_epochs
    done("read epochs")
    _ = data.final, data.robustness
    done("read final, robustness")
    result_table(data)
    claims(data)
    done("result table, claims")
    for table in TABLES:
        table.compute(data)
        done(f"table {table.name}")
    for figure in FIGURES:
        numbers = figure.compute(data)
        if not numbers.panels:
            continue
        done(f"numbers {figure.name}")
        _, files = render(figure, numbers)
        sizes = ", ".join(f"{len(files[f'figures/{figure.name}.{form}']) / 1e6:.1f} MB {form}" for form in FORMS)
        done(f"draw {figure.name} ({len(numbers.panels)} panels, {sizes})")
    return Cost(time.perf_counter() - started, time.process_time(), steps)


if __name__ == "__main__":
    main()
