"""This project beside Ray Tune as its own PyTorch tutorial uses it: one search, one net, one machine.

    .venv/bin/python benchmarks/vs_plain_tune.py            # about half an hour on 2 cores
    .venv/bin/python benchmarks/vs_plain_tune.py --small

Searched are weight decay and learning rate of LeNet-4 on a subset of Fashion-MNIST, validated on 5,000 images.
Each arm is a fresh process:

- ``plain``: a careful user's own code: function trainable, DataLoader, torchvision transforms, OptunaSearch, one
  core and one thread a trial, a checkpoint each epoch. ``plain-asha``: with Tune's ASHAScheduler.
- ``ours``, ``ours-asha``: the search as a study of ``tune_reg``. Both sides train and validate on equal images.
- ``floor``: the bare loop over images in memory, channels_last, one process and thread a core, no search around it.
- ``idle-function``, ``idle-class``, ``idle-ours``: trials that do nothing, under stock Tune and OptunaSearch and
  under the machinery of ``tune_reg``.

Wall time runs from the start of the process to the last trial's last result (Tune rounds that down to a second), for
both sides. A study goes on to confirm its winner, which is not counted. Nothing here fails on a time; the ratios are
printed. There is this one problem, and the ratios hold for it alone. results/vs_plain_tune.json holds a run of all arms
but ``floor``.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from _shared.command_line import CommandLine, write_json
from _shared.own_process import numbers_of, send_numbers
from _vs_plain_tune.bare_loop import bare_loop
from _vs_plain_tune.idle import idle_ours, idle_plain
from _vs_plain_tune.ours import ours
from _vs_plain_tune.plain import plain
from _vs_plain_tune.sweep import DATASETS, Numbers, Options, prepare

ARMS: Final[dict[str, Callable[[Options], Numbers]]] = {
    "plain": plain,
    "ours": ours,
    "plain-asha": lambda options: plain(options, asha=True),
    "ours-asha": lambda options: ours(options, asha=True),
    "floor": bare_loop,
    "idle-function": lambda options: idle_plain(options, as_class=False),
    "idle-class": lambda options: idle_plain(options, as_class=True),
    "idle-ours": idle_ours,
}
SETTINGS: Final = ("trials", "epochs", "images", "dataset", "workers", "idle", "repeats")
SMALL: Final = {"trials": 3, "epochs": 1, "images": 1000, "dataset": "synthetic", "idle": 10}


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _options(arguments)
    if options.arm:
        send_numbers(ARMS[options.arm](options))
        return
    runs: dict[str, list[Numbers]] = {name: [] for name in options.arms}
    with tempfile.TemporaryDirectory(prefix="vs-plain-tune-") as work:
        if any(not name.startswith("idle") for name in options.arms):
            prepare(Path(work), options)
        for repeat in range(options.repeats):
            # There and back, so that a machine that slows down slows both sides.
            for name in options.arms if repeat % 2 == 0 else reversed(options.arms):
                runs[name].append(_in_own_process(name, arguments, work))
                print(f"{name:14} {_short(runs[name][-1])}", flush=True)
    machines = [run.pop("machine") for run in itertools.chain(*runs.values()) if "machine" in run]
    ratios = _ratios(runs)
    print(*(f"{name:70} {value:.4g}" for name, value in ratios.items()), sep="\n")
    settings = {key: getattr(options, key) for key in SETTINGS}
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    machine = machines[0] if machines else None
    write_json(options.out, {"when": when, "settings": settings, "machine": machine, "ratios": ratios, "runs": runs})


def _options(arguments: Sequence[str]) -> Options:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--trials", type=int, default=24, help="trials of the search")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of a trial")
    parser.add_argument("--images", type=int, default=12_000, help="training images")
    datasets = {"choices": DATASETS, "default": "fashion-mnist", "metavar": "NAME"}
    parser.add_argument("--dataset", **datasets, help=f"the images: {', '.join(DATASETS)}")
    parser.add_argument("--idle", type=int, default=40, help="trials that do nothing")
    parser.add_argument("--workers", type=int, default=0, help="processes of the plain side's DataLoader")
    parser.add_argument("--repeats", type=int, default=1, help="runs of all arms, interleaved; medians are compared")
    parser.names("--arms", ARMS, "the arms to run")
    parser.add_argument("--data", type=Path, help="folder of the data sets; else TUNE_REG_DATA, the cache, Debian's")
    parser.outputs()
    parser.hidden("--arm")
    parser.hidden("--work", type=Path)
    parser.hidden("--began", type=float)
    return parser.read(arguments)


def _in_own_process(arm: str, arguments: Sequence[str], work: str) -> Numbers:
    child = [__file__, *arguments, "--arm", arm, "--work", work, "--began", str(time.time())]
    (numbers,) = numbers_of(child)
    return numbers


def _ratios(runs: dict[str, list[Numbers]]) -> dict[str, float]:
    """Medians compared, of the arms that ran."""

    def median(arm: str, key: str) -> float:
        return statistics.median(run[key] for run in runs[arm])

    def beside(key: str, *arms: str) -> float:
        return median(arms[0], key) / median(arms[1], key)

    ratios = {}
    if runs.keys() >= {"plain", "ours"}:
        ratios["same epochs: wall, plain / ours"] = beside("wall_s", "plain", "ours")
        ratios["same epochs: accuracy, ours - plain"] = median("ours", "val_accuracy") - median("plain", "val_accuracy")
    if runs.keys() >= {"plain-asha", "ours-asha"}:
        arms = ("plain-asha", "ours-asha")
        ratios["ASHA: wall, plain / ours"] = beside("wall_s", *arms)
        ratios["ASHA: wall an epoch, plain / ours"] = beside("wall_s", *arms) / beside("epochs", *arms)
        accuracies = [median(arm, "val_accuracy") for arm in arms]
        ratios["ASHA: accuracy, ours - plain"] = accuracies[1] - accuracies[0]
    if runs.keys() >= {"floor", "ours"}:
        ratios["same epochs: wall, ours / bare loop"] = beside("wall_s", "ours", "floor")
    for stock in ("idle-function", "idle-class"):
        if runs.keys() >= {stock, "idle-ours"}:
            for key in ("fit_s / trials", "one_more_trial_s"):
                ratios[f"a trial that does nothing: {key}, {stock} / ours"] = beside(key, stock, "idle-ours")
    if "idle-ours" in runs:
        ratios["a trial that does nothing: seconds, ours"] = median("idle-ours", "one_more_trial_s")
    return ratios


def _short(numbers: Numbers) -> str:
    return "  ".join(f"{key} {value:.4g}" for key, value in numbers.items() if isinstance(value, int | float))


if __name__ == "__main__":
    main()
