"""Trial-epochs a second of K lanes, beside what else one could do with the same runs on the same device.

    .venv/bin/python benchmarks/lanes.py [--small] [--json FILE] [--figure FILE.png]

The rivals: one eager run after the other; on CUDA, one run after the other whose steps are a CUDA graph; four processes
with one run each, eager and with graphs. An epoch is one pass over the training images and a validation, for each of
them; synthetic images, since only their shape matters. A step's time stands beside the least that the device could
need for it: its bytes over the measured bandwidth of a copy, its FLOP over the measured peak of a product of float32
matrices. Memory is the peak while training, in a process of its own on a CPU. Then a whole sweep of 64 trials by
asynchronous successive halving, in lanes and one at a time.

It stops after --minutes with what it has. Neither Ray nor Optuna is needed. Nothing here fails on a time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from floors import Speed, floor, measured_speed
from lane_sweep import sweep
from lane_ways import REGULARIZERS, Case, Eager, Graphed, Lanes, Processes, Way, begun, synthetic, timed, work_of

#: Training images in an epoch: fewer where a step is dear.
IMAGES = {"nn-2": 12800, "lenet-4": 12800, "small-cnn": 6400, "resnet-20": 2560}
PROCESSES = 4
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=list(IMAGES))
    parser.add_argument("--regularizer", nargs="+", default=list(REGULARIZERS), choices=list(REGULARIZERS))
    parser.add_argument("--lanes", nargs="+", type=int, default=[1, 4, 16, 64, 256])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--seconds", type=float, default=1.5, help="for each way to train, at least an epoch")
    parser.add_argument("--trials", type=int, default=64, help="of the sweep; 0: no sweep")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--small", action="store_true", help="few images, lanes and trials: for a CPU")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--figure", type=Path, help="where to draw them")
    options = parser.parse_args()
    options.images = dict(IMAGES)
    if options.small:
        options.lanes = [k for k in options.lanes if k <= 4]
        options.images, options.batch, options.seconds = dict.fromkeys(IMAGES, 128), 32, 0.1
        options.trials = min(options.trials, 9)
    options.until = time.monotonic() + 60 * options.minutes
    torch.set_num_threads(1)
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()} x {platform.machine()}"
    speed = measured_speed(device)
    print(f"{name}, torch {torch.__version__}, batch {options.batch}, {options.precision}, one thread a process")
    print(f"a copy moves {speed.bandwidth / 1e9:.1f} GB/s, float32 products reach {speed.peak / 1e12:.3f} TFLOP/s")
    host = {"device": name, "torch": torch.__version__, "threads": 1, **speed._asdict()}
    written: dict[str, Any] = {"host": host, "batch": options.batch, "precision": options.precision, "measured": []}
    if options.trials:
        written["sweep"] = sweep("nn-2", options.trials, 9, options.images["nn-2"], options.batch, device)
        show_sweep(written["sweep"])
    others = Processes(PROCESSES, device)
    for model, title in itertools.product(options.model, options.regularizer):
        case = Case(model, title, options.images.get(model, 2560), options.batch, options.precision)
        ways = measure(case, options, device, speed, others)
        show(case, ways)
        written["measured"].append({**case._asdict(), "ways": ways})
        save(written, options)
        if time.monotonic() > options.until:
            print(f"  no time left after {model}, {title}")
            break
    others.stop()


def save(written: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        options.json.write_text(json.dumps(written, indent=1) + "\n")
    if options.figure:
        draw(written, options.figure)


def measure(
    case: Case, options: argparse.Namespace, device: torch.device, speed: Speed, others: Processes
) -> dict[str, dict[str, float]]:
    """Rate, memory and time of a step of each way; one that does not fit, or would take too long, is left out."""
    dataset = synthetic(case.images)
    ways: dict[str, tuple[int, Callable[[], Way]]] = {"eager": (1, lambda: Eager(case, dataset, device))}
    if device.type == "cuda":
        ways["CUDA graph"] = (1, lambda: Graphed(case, dataset, device))
    for k in options.lanes:
        ways[f"{k} lanes"] = (k, lambda k=k: Lanes(case, k, dataset, device))
    Eager(case, dataset, device).epoch()  # what a first epoch loads is nobody's memory
    rows: dict[str, dict[str, float]] = {}
    longest = 0.0
    for way, (trials, make) in ways.items():
        left = options.until - time.monotonic()
        if left < 16 * longest:  # the next has four times the lanes, and some epochs to train
            print(f"  {case.model}, {case.title}: no time left for {way}")
            continue
        try:
            trained, needed = begun(make, device)
            rows[way] = rate(trained, trials, options.seconds, device)
        except torch.cuda.OutOfMemoryError:
            print(f"  {case.model}, {case.title}: {way} do not fit into memory")
            continue
        longest = rows[way].pop("epoch")
        rows[way]["mib"] = needed / MIB / trials
        if "step" in rows[way]:
            rows[way]["floor"] = floor(work_of(case, trials, dataset), speed)
        del trained
    for graphed in [False, True] if device.type == "cuda" else [False]:
        epochs = max(1, min(20, round(options.seconds * rows["eager"]["rate"] / PROCESSES)))
        seconds = others.seconds(case, epochs, graphed=graphed)
        rows[f"{PROCESSES} processes" + ", graphs" * graphed] = {"rate": PROCESSES * epochs / seconds}
    for row in rows.values():
        row["beside_eager"] = row["rate"] / rows["eager"]["rate"]
    return rows


def rate(way: Way, trials: int, seconds: float, device: torch.device) -> dict[str, float]:
    """Trial-epochs a second by the quickest of the epochs that fit into ``seconds``, and the time of a step."""
    spent, best = 0.0, float("inf")
    while spent < seconds:
        took = timed(way.epoch, device)
        spent, best = spent + took, min(best, took)
    step = way.step_seconds()
    return {"rate": trials / best, "epoch": best, **({} if step is None else {"step": step})}


def show(case: Case, ways: dict[str, dict[str, float]]) -> None:
    heads = (
        ("trial-epochs/s", 15),
        ("beside eager", 14),
        ("MiB a trial", 13),
        ("us a step", 12),
        ("floor", 11),
        ("times", 8),
    )
    print(f"\n{case.model}, {case.title}, {case.images} images")
    print(f"  {'':20}" + "".join(f"{head:>{width}}" for head, width in heads))
    for way, row in ways.items():
        step, least = row.get("step"), row.get("floor")
        cells = [f"{row['rate']:.2f}", f"{row['beside_eager']:.2f}", f"{row['mib']:.1f}" if "mib" in row else "-"]
        cells += ["-"] * 3 if step is None else [f"{1e6 * step:.1f}", f"{1e6 * least:.2f}", f"{step / least:.1f}"]
        print(f"  {way:20}" + "".join(f"{c:>{width}}" for c, (_, width) in zip(cells, heads, strict=True)), flush=True)


def show_sweep(swept: dict[str, dict[str, float]]) -> None:
    print("\na sweep of nn-2 trials of up to 9 epochs, eta 3")
    for way, took in swept.items():
        quicker = swept["one at a time"]["seconds"] / took["seconds"]
        print(f"  {way:16}{took['seconds']:9.2f} s{took['epochs']:6} epochs{quicker:9.2f} times as fast")


def draw(written: dict[str, Any], path: Path) -> None:
    """The rates beside the eager one, a panel for each model: lanes as lines, rivals as dashes."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    models = list(dict.fromkeys(row["model"] for row in written["measured"]))
    figure, axes = plt.subplots(
        1, len(models), figsize=(3.6 * len(models) + 1.4, 4.2), layout="constrained", squeeze=False
    )
    dashes = {"CUDA graph": ":", "4 processes": "--", "4 processes, graphs": "-."}
    colours = dict(zip(REGULARIZERS, ("#0072b2", "#d55e00", "#009e73"), strict=True))
    for axis, model in zip(axes[0], models, strict=True):
        for row in written["measured"]:
            if row["model"] != model:
                continue
            colour, ways = colours[row["title"]], row["ways"]
            lanes = {int(way.split()[0]): own for way, own in ways.items() if way.endswith("lanes")}
            axis.plot(
                list(lanes), [own["beside_eager"] for own in lanes.values()], "o-", color=colour, label=row["title"]
            )
            for way, line in dashes.items():
                if way in ways:
                    axis.axhline(ways[way]["beside_eager"], color=colour, ls=line, lw=1)
        axis.axhline(1, color="0.6", lw=0.8)
        ticks = sorted(
            {int(way.split()[0]) for row in written["measured"] for way in row["ways"] if way.endswith("lanes")}
        )
        axis.set(title=model, xscale="log", yscale="log", xlabel="lanes")
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
        axis.minorticks_off()
    axes[0][0].set_ylabel("trial-epochs a second, eager run = 1")
    handles, labels = axes[0][0].get_legend_handles_labels()
    shown = {way for row in written["measured"] for way in row["ways"]}
    for way, line in dashes.items():
        if way in shown:
            handles.append(plt.Line2D([], [], color="0.3", ls=line, lw=1))
            labels.append(way)
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(f"{written['host']['device']}, batch {written['batch']}, {written['precision']}", fontsize=10)
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
