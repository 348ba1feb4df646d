"""Trial-epochs a second of K lanes, beside what else one could do with the same runs on the same device.

    .venv/bin/python benchmarks/lanes.py [--small] [--out FILE.json] [--figure FILE.png]

The rivals: one eager run after the other; on CUDA, one run after the other whose steps are a CUDA graph; four processes
with one run each, eager and with graphs. An epoch is one pass over the training images and a validation, for each of
them; synthetic images, since only their shape matters. A step's time stands beside the least that the device could
need for it: its bytes over the measured bandwidth of a copy, its FLOP over the measured peak of a product of float32
matrices. Memory is the peak while training, in a process of its own on a CPU. Last comes a search of 64 trials
by asynchronous successive halving, in lanes and one at a time.

Each model, and the search, gets ``--seconds`` and is then left with what it has; what matters most is measured first.
``--out`` is written after each row, and the table of all rows is printed at the end, also after Ctrl-C or SIGTERM.
Neither Ray nor Optuna is needed. Nothing here fails on a time.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

import torch
from _lanes.contenders import (
    OTHERS,
    PLAIN,
    PRECISIONS,
    Case,
    Contender,
    Eager,
    Graphed,
    Lanes,
    images_of,
    work_of,
)
from _lanes.figure import draw
from _lanes.halving import compare
from _lanes.processes import Processes
from _lanes.roofline import Speed, floor, measured_speed
from _lanes.start import started
from _lanes.table import table
from _shared.command_line import CommandLine, write_json
from _shared.host import host
from _shared.measuring import timed
from _shared.model_option import model_name

from tune_reg.errors import one_line

#: Training images in an epoch: fewer where a step is dear.
IMAGES = {"nn-2": 12800, "lenet-4": 12800, "small-cnn": 6400, "resnet-20": 1280}
PROCESSES = 4
MIB = 2**20
#: Besides, an epoch then has 128 images.
SMALL = {
    "model": ["nn-2"],
    "regularizer": ["adadecay"],
    "precision": ["bfloat16"],
    "lanes": [2, 1],
    "batch": 32,
    "each": 0.1,
    "trials": 4,
}
#: Seconds that lanes are thought to take until they train, once kernels are compiled.
START = 5.0
#: Epochs of all lanes that it takes to have their numbers, beside those that are timed.
EPOCHS = 5
Row = dict[str, Any]


class Way(NamedTuple):
    """A way to train runs of a case: ``trials`` of them at a time, lanes where ``lanes``.

    ``make``: what trains them in this process; None for processes of their own.
    """

    name: str
    trials: int
    case: Case
    make: Callable[[], Contender] | None = None
    lanes: bool = False
    graphed: bool = False


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    torch.set_num_threads(1)
    device = torch.device(options.device)
    speed = measured_speed(device)
    facts = {**host(device), "threads": 1, **speed._asdict()}
    numbers: dict[str, Any] = {"host": facts, "batch": options.batch, "rows": []}
    processes = Processes(PROCESSES, device)
    before = signal.signal(signal.SIGTERM, _end)
    try:
        for model in options.model:
            for row in measure(model, options, time.monotonic() + options.seconds, speed, processes):
                numbers["rows"].append(row)
                print(
                    *(f"{cell:.4g}" if isinstance(cell, float) else cell for cell in row.values()), sep=", ", flush=True
                )
                write_json(options.out, numbers)
            if options.figure:
                draw(numbers, options.figure)
        if options.trials:
            images = 128 if options.small else IMAGES["nn-2"]
            numbers["sweep"] = compare("nn-2", options.trials, 9, images, options.batch, device, options.seconds)
            write_json(options.out, numbers)
    finally:
        signal.signal(signal.SIGTERM, before)
        print(f"\n{table(numbers)}", flush=True)
        processes.stop()


def _end(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandLine(__doc__, SMALL)
    models = list(IMAGES)
    parser.add_argument("--model", nargs="+", type=model_name, default=models, metavar="NAME", help="the models")
    parser.names("--regularizer", OTHERS, "the regularizers beside plain SGD")
    parser.names("--precision", PRECISIONS, "of the forward pass beside float32")
    parser.add_argument("--lanes", nargs="+", type=int, default=[64, 16, 256, 4, 1], help="numbers of lanes, in turn")
    parser.add_argument("--batch", type=int, default=128, help="images in a step")
    parser.add_argument("--seconds", type=float, default=55.0, help="for each model, and for the search")
    parser.add_argument("--each", type=float, default=1.0, help="seconds for each way to train, at least an epoch")
    parser.add_argument("--trials", type=int, default=64, help="trials of the search; 0: no search")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=device, help="the device that trains")
    parser.outputs(figure=True)
    return parser.read(arguments)


def ways(model: str, options: argparse.Namespace) -> Iterator[Way]:
    """The ways to train runs of a model, those first whose numbers matter most.

    Lanes and single runs with plain SGD; what other regularizers and precisions cost in the first number of lanes;
    processes and the other numbers of lanes; single runs of the other regularizers.
    """
    images, device = 128 if options.small else IMAGES.get(model, 1280), torch.device(options.device)
    dataset, on_gpu = images_of(images), device.type == "cuda"
    first, *others = options.lanes

    def lanes(k: int, title: str = PLAIN, precision: str = "float32") -> Way:
        case = Case(model, title, images, options.batch, precision)
        return Way(f"{k} lanes", k, case, lambda: Lanes(case, k, dataset, device), lanes=True)

    def singles(title: str) -> Iterator[Way]:
        case = Case(model, title, images, options.batch)
        yield Way("eager", 1, case, lambda: Eager(case, dataset, device))
        if on_gpu:
            yield Way("CUDA graph", 1, case, lambda: Graphed(case, dataset, device), graphed=True)

    yield from singles(PLAIN)
    yield lanes(first)
    yield from (lanes(first, title=title) for title in options.regularizer)
    yield from (lanes(first, precision=precision) for precision in options.precision)
    case = Case(model, PLAIN, images, options.batch)
    yield Way(f"{PROCESSES} processes", PROCESSES, case)
    if on_gpu:
        yield Way(f"{PROCESSES} processes, graphs", PROCESSES, case, graphed=True)
    yield from (lanes(k) for k in others)
    for title in options.regularizer:
        yield from singles(title)


def measure(model: str, options: argparse.Namespace, until: float, speed: Speed, processes: Processes) -> Iterator[Row]:
    """A row for each way to train: its numbers, or why there are none.

    It failed, for example as it does not fit into memory; or it would not be done at ``until``. Lanes are thought to
    have the rate of those before, and half of it with another regularizer. Only the first ones compile kernels, so that
    their start says nothing of the next ones'.
    """
    rate = eager = 0.0
    for way in ways(model, options):
        case, begin = way.case, time.monotonic()
        row: Row = {"model": model, "regularizer": case.title, "precision": case.precision, "images": case.images}
        row |= {"way": way.name, "trials": way.trials}
        expected = 0.0
        if way.lanes and rate:
            epoch = way.trials / rate * (1 if case.title == PLAIN else 2)
            expected = START + options.each + EPOCHS * epoch
        if begin + max(expected, 3 * options.each) > until:
            yield {**row, "failed": "no time left"}
            continue
        try:
            if way.make is None:
                epochs = max(1, min(20, round(options.each * eager / PROCESSES)))
                row["rate"] = PROCESSES * epochs / processes.seconds(case, epochs, graphed=way.graphed)
            else:
                row |= alone(way, way.make, options, speed)
        except RuntimeError as error:
            yield {**row, "failed": one_line(error)}
            continue
        row["seconds"] = time.monotonic() - begin
        if way.lanes:
            rate = row["rate"]
        eager = eager or row["rate"]  # the first row
        yield row


def alone(way: Way, make: Callable[[], Contender], options: argparse.Namespace, speed: Speed) -> dict[str, float]:
    """Trial-epochs a second by the quickest of some epochs, memory of a trial, the time of a step and its floor.

    Start: the seconds before training but for the two epochs in them, such as those of compiling kernels.
    """
    device = torch.device(options.device)
    begin = time.monotonic()
    contender, needed = started(make, device)
    of_start = time.monotonic() - begin
    spent, best = 0.0, float("inf")
    while spent < options.each:
        epoch = timed(contender.epoch, device)
        spent, best = spent + epoch, min(best, epoch)
    step = contender.step_seconds()
    row = {"rate": way.trials / best, "mib": needed / MIB / way.trials, "start": max(0.0, of_start - 2 * best)}
    if step is None:
        return row
    return {**row, "step": step, "floor": floor(work_of(way.case, way.trials), speed)}


if __name__ == "__main__":
    main()
