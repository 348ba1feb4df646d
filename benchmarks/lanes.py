"""Trial-epochs a second of K lanes, beside what else one could do with the same runs on the same device.

    .venv/bin/python benchmarks/lanes.py [--model nn-2 resnet-20] [--lanes 1 4 16] [--small] [--json FILE]

The rivals: one eager run after the other; on CUDA, one run after the other whose step is a CUDA graph; four processes
with one run each. An epoch is one pass over the training images and a validation, for each of them. All take turns,
several times over, and the least times are compared; synthetic images, since only their shape matters. Memory is the
peak while training, in a process of its own on a CPU. Nothing here fails on a time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tune_reg import data
from tune_reg.data import Dataset
from tune_reg.training import LaneEngine, Run, SerialEngine, TrainingSettings
from tune_reg.training.step import data_loss, draw_noise, regularized, to_unit

REGULARIZERS = {
    "plain SGD": ("weight-decay", "weight_decay"),
    "adadecay": ("adadecay", "weight_decay"),
    "hsfob, one probe": ("hsfob", "strength"),
}
PROCESSES = 4
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["nn-2", "lenet-4", "small-cnn", "resnet-20"])
    parser.add_argument("--regularizer", nargs="+", default=list(REGULARIZERS), choices=list(REGULARIZERS))
    parser.add_argument("--lanes", nargs="+", type=int, default=[1, 4, 16, 64, 256])
    parser.add_argument("--images", type=int, default=12800, help="for training; a fifth of them more for validation")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--small", action="store_true", help="few images and lanes, once: for a CPU")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    if options.small:
        options.lanes = [k for k in options.lanes if k <= 16]
        options.images, options.batch, options.repeats = 256, 64, 1
    torch.set_num_threads(1)
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()} x {platform.machine()}"
    print(f"{name}, torch {torch.__version__}, {options.images} images, batch {options.batch}, float32, one thread")
    written = []
    for model in options.model:
        for title in options.regularizer:
            rows = measure(model, title, options, device)
            eager = rows["eager"]["rate"]
            print(f"\n{model}, {title}\n  {'':14}{'trial-epochs/s':>16}{'beside eager':>14}{'MiB a trial':>13}")
            for way, row in rows.items():
                row["beside_eager"] = row["rate"] / eager
                mib = f"{row['mib']:.1f}" if "mib" in row else "-"
                print(f"  {way:14}{row['rate']:16.2f}{row['beside_eager']:14.2f}{mib:>13}", flush=True)
            written.append({"model": model, "regularizer": title, "ways": rows})
    if options.json:
        host = {"device": name, "torch": torch.__version__, "threads": 1}
        settings = {"images": options.images, "batch": options.batch, "repeats": options.repeats}
        options.json.write_text(json.dumps({"host": host, **settings, "measured": written}, indent=1) + "\n")


def measure(model: str, title: str, options: argparse.Namespace, device: torch.device) -> dict[str, dict[str, float]]:
    """Rate and memory of each way; what does not fit into the device's memory is left out."""
    dataset = synthetic(options.images)
    runs = [run_of(model, title, lane, options.batch) for lane in range(max(options.lanes))]
    ways: dict[str, tuple[int, Callable[[], Callable[[], object]]]] = {
        "eager": (1, lambda: SerialEngine(runs[0], dataset=dataset, device=device).train_epoch)
    }
    if device.type == "cuda":
        ways["CUDA graph"] = (1, lambda: Graphed(runs[0], dataset, device).train_epoch)
    for k in options.lanes:
        ways[f"{k} lanes"] = (k, lambda k=k: LaneEngine(runs[:k], dataset=dataset, device=device).train_epoch)
    ways["eager"][1]()()  # what a first epoch loads is nobody's memory
    rows, epochs = {}, {}
    for way, (trials, make) in ways.items():
        try:
            mib = peak(make, device) / MIB / trials
            epochs[way] = make()
            epochs[way]()
        except torch.cuda.OutOfMemoryError:
            print(f"  {model}, {title}: {way} do not fit into memory")
            epochs.pop(way, None)
            continue
        rows[way] = {"rate": 0.0, "mib": mib}
    for _ in range(options.repeats):
        for way, epoch in epochs.items():
            begin = time.perf_counter()
            epoch()
            wait(device)
            rows[way]["rate"] = max(rows[way]["rate"], ways[way][0] / (time.perf_counter() - begin))
    del epochs
    rate = processes(model, title, options, device)
    return {"eager": rows.pop("eager"), f"{PROCESSES} processes": {"rate": rate}, **rows}


def synthetic(images: int) -> Dataset:
    """So many 28 x 28 images to train on, and a fifth of them more, which the split holds out."""
    n = images * 6 // 5
    drawn = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n + 100, 28, 28, 1), dtype=torch.uint8, generator=drawn)
    labels = torch.arange(n + 100) % 10
    return Dataset("synthetic", pixels[:n], labels[:n], pixels[n:], labels[n:], classes=10)


def run_of(model: str, title: str, lane: int, batch: int) -> Run:
    """Runs that differ in strength, learning rate and seed."""
    name, strength = REGULARIZERS[title]
    value = 0.0 if title == "plain SGD" else 1e-4 * (lane + 1)
    training = TrainingSettings(epochs=100_000, batch_size=batch, learning_rate=1e-4 * (lane + 1))
    return Run("synthetic", model, name, {strength: value}, training, seed=lane)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Graphed:
    """A single run whose step is one CUDA graph: data, noise and weights stay on the device."""

    def __init__(self, run: Run, dataset: Dataset, device: torch.device) -> None:
        self.engine = SerialEngine(run, dataset=dataset, device=device)
        self.momenta = [torch.zeros_like(parameter) for parameter in self.engine.parameters]
        course = self.engine.course
        self.now = course.moment(0, 0, torch.float32, device)
        self.strengths = course.strengths(self.now)
        self.index = torch.zeros(course.settings.batch_size, dtype=torch.int64, device=device)
        self.noise = None
        if course.regularizer.fills("penalty"):
            shape = torch.Size([len(self.index), dataset.classes])
            noise = draw_noise(course.regularizer, "penalty", shape, torch.Generator(), torch.float32)
            self.noise = None if noise is None else noise.to(device)
        self.graph = None
        if device.type == "cuda":
            self.engine.model.train()
            side = torch.cuda.Stream(device)
            side.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(side):
                for _ in range(3):
                    self.step()
            torch.cuda.current_stream(device).wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.step()

    def train_epoch(self) -> None:
        engine = self.engine
        engine.model.train()
        for chunk in torch.split(engine.course.order(0).to(engine.device), len(self.index)):
            self.index[: len(chunk)] = chunk
            self.graph.replay() if self.graph else self.step()
        engine.evaluate("validation")

    def step(self) -> None:
        """The step of a single run with SGD, without a word from the host."""
        engine, reg = self.engine, self.engine.regularizer
        inputs = to_unit(data.gather(engine._images, self.index), torch.float32).requires_grad_(reg.fills("penalty"))
        targets = engine._labels[self.index]
        outputs = engine.model(inputs)
        loss = data_loss(reg, engine.settings.loss, outputs, targets, self.strengths, self.now)
        if reg.fills("penalty"):
            if self.noise is not None:
                self.noise.normal_()
            loss = loss + reg.penalty(inputs, outputs, targets, self.strengths, self.now, self.noise)
        gradients: list[Tensor] = list(torch.autograd.grad(loss, engine.parameters))
        with torch.no_grad():
            for i, (parameter, gradient) in enumerate(zip(engine.parameters, gradients, strict=True)):
                gradients[i] = regularized(reg, parameter, gradient, self.strengths, self.now, None)[1]
            torch._foreach_mul_(self.momenta, engine.settings.momentum)
            torch._foreach_add_(self.momenta, gradients)
            torch._foreach_add_(engine.parameters, self.momenta, alpha=-engine.settings.learning_rate)


def peak(make: Callable[[], Callable[[], object]], device: torch.device) -> float:
    """Bytes that building the engine and an epoch need beyond what there was before."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        make()()
        return torch.cuda.max_memory_allocated(device) - before
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        make()()
        os.write(write, str(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        return float(pipe.read())


def processes(model: str, title: str, options: argparse.Namespace, device: torch.device) -> float:
    """Trial-epochs a second of four processes that share the device, each with one run."""
    context = multiprocessing.get_context("spawn" if device.type == "cuda" else "fork")
    barrier = context.Barrier(PROCESSES + 1)
    children = [
        context.Process(target=alone, args=(run_of(model, title, lane, options.batch), options, device, barrier))
        for lane in range(PROCESSES)
    ]
    for child in children:
        child.start()
    barrier.wait()
    begin = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - begin
    for child in children:
        child.join()
    return PROCESSES * options.repeats / seconds


def alone(run: Run, options: argparse.Namespace, device: torch.device, barrier: Any) -> None:
    torch.set_num_threads(1)
    engine = SerialEngine(run, dataset=synthetic(options.images), device=device)
    engine.train_epoch()
    wait(device)
    barrier.wait()
    for _ in range(options.repeats):
        engine.train_epoch()
    wait(device)
    barrier.wait()


if __name__ == "__main__":
    main()
