"""A whole study under Ray on one GPU: its trials in lanes, in four processes that share the GPU, and one at a time.

    .venv/bin/python benchmarks/gpu_study.py [--cpu] [--small] [--out FILE.json]

Searched are weight decay and learning rate of one net by asynchronous successive halving, of configurations that are
random and the same in each arm. The images are those of MNIST where they are at hand, else made-up ones of its shape.
Each arm is a fresh process:

- ``lanes``: ``gpus = 1``, ``lanes = "auto"``.
- ``four processes``: ``gpus = 0.25``, ``lanes = 1``.
- ``one at a time``: ``gpus = 1``, ``lanes = 1``.

Seconds count from the start of the process: to the first trained epoch that the driver hears of, and to the last one of
the search. The confirmation of the winner is made, too, but not counted. ``--cpu`` does the same without a GPU, with
two lanes, to see that it runs. An arm ends after ``--minutes`` with what it has. ``--out`` is written after each arm,
and the table is printed at the end. Nothing here fails on a time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch
from _gpu_study.arms import ARMS, run_arm
from _shared.command_line import CommandLine, write_json
from _shared.host import host
from _shared.model_option import model_name
from _shared.own_process import numbers_of, send_numbers

from tune_reg import data

SMALL = {"trials": 4, "epochs": 3, "images": "digits"}


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _options(arguments)
    if options.arm:
        send_numbers(run_arm(options))
        return
    device = torch.device("cpu" if options.cpu else "cuda")
    settings = {name: getattr(options, name) for name in ("model", "trials", "epochs", "images")}
    numbers: dict[str, Any] = {"host": host(device), "settings": settings, "arms": {}}
    try:
        for arm in options.arms:
            child = [__file__, *arguments, "--images", options.images, "--arm", arm, "--began", str(time.time())]
            try:
                (numbers["arms"][arm],) = numbers_of(child)
            except SystemExit as error:  # the other arms are worth their time all the same
                print(f"{arm}: {error}", flush=True)
                continue
            write_json(options.out, numbers)
    finally:
        print(table(numbers))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--cpu", action="store_true", help="without a GPU")
    parser.add_argument("--model", type=model_name, default="nn-2", metavar="NAME", help="the model")
    parser.add_argument("--trials", type=int, default=64, help="trials of the search")
    parser.add_argument("--epochs", type=int, default=9, help="epochs of a trial that is trained to the end")
    images = "mnist" if data.at_hand("mnist") else "made-up"
    parser.add_argument("--images", choices=["mnist", "made-up", "digits"], default=images, help="the images")
    parser.names("--arms", ARMS, "the arms to run, one after the other")
    parser.add_argument("--minutes", type=float, default=5.0, help="an arm ends after so long")
    parser.outputs()
    parser.hidden("--arm")
    parser.hidden("--began", float)
    options = parser.read(arguments)
    if not (options.cpu or torch.cuda.is_available()):
        parser.error("there is no CUDA device; --cpu does without one")
    return options


def table(numbers: dict[str, Any]) -> str:
    """The arms side by side, and the time of each over that of the first."""
    on, arms = numbers["host"], numbers["arms"]
    names = ("first_epoch_s", "search_s", "trials", "epochs", "trials_an_hour", "epochs_an_hour")
    settings = ", ".join(f"{name} {value}" for name, value in numbers["settings"].items())
    lines = [
        f"{on['device']}, torch {on['torch']}, commit {on['commit']}",
        settings,
        f"{'':16}" + "".join(f"{name:>16}" for name in (*names, "x the first")),
    ]
    for arm, row in arms.items():
        cells = [f"{row[name]:.6g}" if row[name] is not None else "-" for name in names]
        first = next(iter(arms.values()))
        complete = row["complete"] and first["complete"]
        cells.append(f"{row['search_s'] / first['search_s']:.2f}" if complete else "not ended")
        lines.append(f"{arm:16}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
