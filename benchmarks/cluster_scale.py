"""What the driver does with a cluster of many CPUs: trials that do nothing, on simulated CPUs of this machine.

    .venv/bin/python benchmarks/cluster_scale.py --arms stock ours --cpus 64 --seconds 5 --trials 10000 --minutes 12
    .venv/bin/python benchmarks/cluster_scale.py --small

Ray is told of more CPUs than there are, so that as many trials run at once; their processes (some 115 MB each) share
the real cores, which the driver has to share too. With ``--seconds`` a trial waits before it ends, without using a
core: where trials end at once, stock Tune gives each waiting trial the process of one that has ended and kills the one
that was being started for it, so that on few cores processes are started all the time. Arms, each in a process of its
own:

- ``ours``: search, store, searcher, scheduler of ``tune_reg``; TPE; one task, no pruning.
- ``stock``: OptunaSearch and ``reuse_actors=True``, without which a trial costs more than a second.
- ``stock-default``: the same without it.

At each of ``MARKS`` trials, and at the last one, since the mark before: seconds a trial, the driver's processor time a
trial, milliseconds an ask; and now: the driver's memory and the size of the journal. Processor time is what the driver
needs; the seconds are also those of the trials' processes and of whatever else the machine does. The time until the
first trial ends, which is that of starting the processes, is left out. At the end the arms stand side by side, as
ratios to ``ours``.

Each mark is written at once to ``--out``, where runs of other arms and other CPUs are kept, and a run of the same ones
is replaced; ``--figure`` draws all runs that the file holds. results/cluster_scale.json was made in several calls.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from _cluster_scale.arms import ARMS
from _cluster_scale.driver_costs import DriverCosts, Row
from _cluster_scale.figure import draw
from _shared.command_line import CommandLine, write_json
from _shared.idle_trials import TRIAL_SECONDS
from _shared.own_process import numbers_of, send_numbers

MARKS = (50, 100, 200, 500, *range(1000, 20_001, 500))
SMALL = {"cpus": 2, "trials": 10, "minutes": 2.0}


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _options(arguments)
    if options.arm:
        _measure(options)
        return
    runs = _stored(options.out)
    measured: dict[str, list[Row]] = {}
    for arm in [] if options.draw else options.arms:
        settings = {"arm": arm, "cpus": options.cpus, "trial_s": options.seconds}
        runs = [run for run in runs if {name: run[name] for name in settings} != settings]
        runs.append({**settings, "seconds": 0.0, "rows": []})
        begin = time.perf_counter()
        for row in numbers_of([__file__, *arguments, "--arm", arm]):
            print(f"{arm:14}", *(f"{name} {value:.4g}" for name, value in row.items()), sep="  ", flush=True)
            runs[-1]["rows"].append(row)
            runs[-1]["seconds"] = time.perf_counter() - begin
            write_json(options.out, runs)
        print(f"{arm}: {time.perf_counter() - begin:.0f} s, start included", flush=True)
        measured[arm] = runs[-1]["rows"]
    for line in _side_by_side(measured):
        print(line)
    if options.figure:
        draw([run for run in runs if run["rows"]], options.figure)


def _options(arguments: Sequence[str]) -> Namespace:
    parser = CommandLine(__doc__, SMALL)
    parser.names("--arms", ARMS, "the arms to run, one after the other", default=("ours", "stock"))
    parser.add_argument("--cpus", type=int, default=64, help="simulated CPUs, and trials at once")
    parser.add_argument("--trials", type=int, default=1000, help="trials of each arm")
    parser.add_argument("--seconds", type=float, default=0.0, help="seconds that a trial waits before it ends")
    parser.add_argument("--minutes", type=float, default=60.0, help="end an arm after so long, with the marks so far")
    parser.add_argument("--draw", action="store_true", help="run nothing, and draw what --out holds")
    parser.outputs(figure=True)
    parser.hidden("--arm")
    options = parser.read(arguments)
    if options.draw and not (options.figure and options.out and options.out.is_file()):
        parser.error("--draw: needs --figure, and a file of earlier runs as --out")
    return options


def _measure(options: Namespace) -> None:
    """Run one arm in this process, and send its rows."""
    os.environ[TRIAL_SECONDS] = str(options.seconds)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(round(60 * options.minutes))
    with suppress(KeyboardInterrupt):
        ARMS[options.arm](options.cpus, options.trials, DriverCosts({*MARKS, options.trials}, send_numbers))


def _stored(path: Path | None) -> list[dict[str, Any]]:
    """The runs that a file holds."""
    if path is None or not path.exists():
        return []
    runs: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return runs


def _side_by_side(measured: dict[str, list[Row]]) -> list[str]:
    """Each other arm as ratios to ``ours``, at the marks that both have reached."""
    ours = {row["trials"]: row for row in measured.get("ours", [])}
    lines = []
    for arm, rows in measured.items():
        for row in rows if arm != "ours" else []:
            base = ours.get(row["trials"])
            if base is None:
                continue
            ratios = [
                f"{name} {value / base[name]:.2f}" for name, value in row.items() if name != "trials" and base[name]
            ]
            lines.append("  ".join([f"{arm} / ours at {row['trials']:.0f} trials:", *ratios]))
    return lines


if __name__ == "__main__":
    main()
