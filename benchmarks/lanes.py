"""Trial-epochs a second of K lanes, beside what else one could do with the same runs on the same device.

    .venv/bin/python benchmarks/lanes.py [--small] [--out FILE.json] [--figure FILE.png]

The rivals: one eager run after the other; on CUDA, one run after the other whose steps are a CUDA graph; four processes
with one run each, eager and with graphs. An epoch is one pass over the training images and a validation, for each of
them; synthetic images, since only their shape matters. A step's time stands beside the least that the device could
need for it: its bytes over the measured bandwidth of a copy, its FLOP over the measured peak of a product of float32
matrices. Memory is the peak while training, in a process of its own on a CPU. First comes a whole search of 64 trials
by asynchronous successive halving, in lanes and one at a time.

It stops after ``--minutes`` with what it has. Neither Ray nor Optuna is needed. Nothing here fails on a time.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from _lanes.contenders import REGULARIZERS, Case, Contender, Eager, Graphed, Lanes, images_of, work_of
from _lanes.figure import draw
from _lanes.halving import compare
from _lanes.processes import Processes
from _lanes.roofline import Speed, floor, measured_speed
from _lanes.start import started
from _shared.command_line import CommandLine, write_json
from _shared.measuring import timed
from _shared.model_option import model_name

#: Training images in an epoch: fewer where a step is dear.
IMAGES = {"nn-2": 12800, "lenet-4": 12800, "small-cnn": 6400, "resnet-20": 2560}
PROCESSES = 4
MIB = 2**20
#: Besides, an epoch then has 128 images.
SMALL = {"model": ["nn-2"], "regularizer": ["adadecay"], "lanes": [1, 2], "batch": 32, "seconds": 0.1, "trials": 4}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    images = {model: 128 if options.small else IMAGES.get(model, 2560) for model in options.model}
    until = time.monotonic() + 60 * options.minutes
    torch.set_num_threads(1)
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()} x {platform.machine()}"
    speed = measured_speed(device)
    print(f"{name}, torch {torch.__version__}, batch {options.batch}, {options.precision}, one thread a process")
    print(f"a copy moves {speed.bandwidth / 1e9:.1f} GB/s, float32 products reach {speed.peak / 1e12:.3f} TFLOP/s")
    host = {"device": name, "torch": torch.__version__, "threads": 1, **speed._asdict()}
    numbers: dict[str, Any] = {"host": host, "batch": options.batch, "precision": options.precision, "measured": []}
    if options.trials:
        search_images = 128 if options.small else IMAGES["nn-2"]
        numbers["sweep"] = compare("nn-2", options.trials, 9, search_images, options.batch, device)
        show_search(numbers["sweep"])
    processes = Processes(PROCESSES, device)
    for model, title in itertools.product(options.model, options.regularizer):
        case = Case(model, title, images[model], options.batch, options.precision)
        rows = measure(case, options, until, speed, processes)
        show(case, rows)
        numbers["measured"].append({**case._asdict(), "ways": rows})
        write_json(options.out, numbers)
        if options.figure:
            draw(numbers, options.figure)
        if time.monotonic() > until:
            print(f"  no time left after {model}, {title}")
            break
    processes.stop()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandLine(__doc__, SMALL)
    models = list(IMAGES)
    parser.add_argument("--model", nargs="+", type=model_name, default=models, metavar="NAME", help="the models")
    parser.names("--regularizer", REGULARIZERS, "the regularizers")
    parser.add_argument("--lanes", nargs="+", type=int, default=[1, 4, 16, 64, 256], help="numbers of lanes")
    parser.add_argument("--batch", type=int, default=128, help="images in a step")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"], help="of the forward pass")
    parser.add_argument("--seconds", type=float, default=1.5, help="for each way to train, at least an epoch")
    parser.add_argument("--trials", type=int, default=64, help="trials of the search; 0: no search")
    parser.add_argument("--minutes", type=float, default=9.0, help="stop after so long")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=device, help="the device that trains")
    parser.outputs(figure=True)
    return parser.read(arguments)


def measure(
    case: Case, options: argparse.Namespace, until: float, speed: Speed, processes: Processes
) -> dict[str, dict[str, float]]:
    """Rate, memory and time of a step of each contender.

    One that does not fit into memory, or would not be done at ``until``, is left out.
    """
    dataset, device = images_of(case.images), torch.device(options.device)
    contenders: dict[str, tuple[int, Callable[[], Contender]]] = {"eager": (1, lambda: Eager(case, dataset, device))}
    if device.type == "cuda":
        contenders["CUDA graph"] = (1, lambda: Graphed(case, dataset, device))
    for k in options.lanes:
        contenders[f"{k} lanes"] = (k, lambda k=k: Lanes(case, k, dataset, device))
    Eager(case, dataset, device).epoch()  # what a first epoch loads is nobody's memory
    rows: dict[str, dict[str, float]] = {}
    longest = 0.0
    for name, (trials, make) in contenders.items():
        if until - time.monotonic() < 16 * longest:  # the next has four times the lanes, and some epochs to train
            print(f"  {case.model}, {case.title}: no time left for {name}")
            continue
        try:
            contender, needed = started(make, device)
            rows[name] = rate(contender, trials, options.seconds, device)
        except torch.cuda.OutOfMemoryError:
            print(f"  {case.model}, {case.title}: {name} do not fit into memory")
            continue
        longest = rows[name].pop("epoch")
        rows[name]["mib"] = needed / MIB / trials
        if "step" in rows[name]:
            rows[name]["floor"] = floor(work_of(case, trials, dataset), speed)
        del contender
    for graphed in [False, True] if device.type == "cuda" else [False]:
        epochs = max(1, min(20, round(options.seconds * rows["eager"]["rate"] / PROCESSES)))
        seconds = processes.seconds(case, epochs, graphed=graphed)
        rows[f"{PROCESSES} processes" + ", graphs" * graphed] = {"rate": PROCESSES * epochs / seconds}
    for row in rows.values():
        row["beside_eager"] = row["rate"] / rows["eager"]["rate"]
    return rows


def rate(contender: Contender, trials: int, seconds: float, device: torch.device) -> dict[str, float]:
    """Trial-epochs a second by the quickest of the epochs that fit into ``seconds``, and the time of a step."""
    spent, best = 0.0, float("inf")
    while spent < seconds:
        epoch = timed(contender.epoch, device)
        spent, best = spent + epoch, min(best, epoch)
    step = contender.step_seconds()
    return {"rate": trials / best, "epoch": best, **({} if step is None else {"step": step})}


def show(case: Case, rows: dict[str, dict[str, float]]) -> None:
    """Print the contenders of a case side by side."""
    columns = (
        ("trial-epochs/s", 15),
        ("beside eager", 14),
        ("MiB a trial", 13),
        ("us a step", 12),
        ("floor", 11),
        ("times", 8),
    )
    print(f"\n{case.model}, {case.title}, {case.images} images")
    print(f"  {'':20}" + "".join(f"{name:>{width}}" for name, width in columns))
    for name, row in rows.items():
        step, least = row.get("step"), row.get("floor")
        cells = [f"{row['rate']:.2f}", f"{row['beside_eager']:.2f}", f"{row['mib']:.1f}" if "mib" in row else "-"]
        cells += ["-"] * 3 if step is None else [f"{1e6 * step:.1f}", f"{1e6 * least:.2f}", f"{step / least:.1f}"]
        print(
            f"  {name:20}" + "".join(f"{c:>{width}}" for c, (_, width) in zip(cells, columns, strict=True)), flush=True
        )


def show_search(costs: dict[str, dict[str, float]]) -> None:
    """Print the ways to make one search side by side."""
    print("\na sweep of nn-2 trials of up to 9 epochs, eta 3")
    for name, cost in costs.items():
        quicker = costs["one at a time"]["seconds"] / cost["seconds"]
        print(f"  {name:16}{cost['seconds']:9.2f} s{cost['epochs']:6} epochs{quicker:9.2f} times as fast")


if __name__ == "__main__":
    main()
