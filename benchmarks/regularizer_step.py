"""What each regularizer costs beside the plain step, in the same process, on one thread.

    .venv/bin/python benchmarks/regularizer_step.py [--model nn-2 small-cnn] [--batch 128] [--json FILE]

An epoch of each regularizer is timed in turn, several times over, and the least times are compared; synthetic images,
since only their shape matters. Memory is what a process grows by in some steps, each in a process of its own. Nothing
here fails on a time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from pathlib import Path

import torch

from tune_reg import models
from tune_reg.data import Dataset
from tune_reg.regularizers import regularizers
from tune_reg.training import Run, SerialEngine, TrainingSettings

EXACT = {"jac", "fob", "hsfob", "hsfob-db1", "hsfob-db2"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["nn-2", "lenet-4", "small-cnn"])
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--exact", action="store_true", help="the exact forms of the penalties, too; slow")
    options = parser.parse_args()
    torch.set_num_threads(1)
    drawn = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (options.images + 100, 28, 28, 1), dtype=torch.uint8, generator=drawn)
    labels = torch.arange(options.images + 100) % 10
    dataset = Dataset("synthetic", images, labels, images[:100], labels[:100], classes=10)
    written = {}
    for model in options.model:
        engines = {"plain": engine_of(dataset, model, options.batch, "weight-decay", {"weight_decay": 0.0})}
        for name, kind in regularizers().items():
            if kind.fills("dropout") and not models.supports_dropout(model):
                continue
            engines[name] = engine_of(dataset, model, options.batch, name, {})
            if options.exact and name in EXACT:
                engines[f"{name} exact"] = engine_of(dataset, model, options.batch, name, {"estimator": "exact"})
        grown = {name: growth(engine) for name, engine in engines.items()}
        least = dict.fromkeys(engines, float("inf"))
        for _ in range(options.repeats):
            for name, engine in engines.items():
                least[name] = min(least[name], seconds(engine))
        step_ms = 1000 * least["plain"] / engines["plain"].steps(0)
        print(f"{model}, batch {options.batch}: plain step {step_ms:.2f} ms, {grown['plain']:.0f} MiB")
        print(f"  {'':24} time  memory")
        ratios = {name: (least[name] / least["plain"], grown[name] / grown["plain"]) for name in engines}
        for name, (in_time, in_memory) in ratios.items():
            print(f"  {name:24} {in_time:.2f}  {in_memory:.2f}")
        written[model] = {
            "batch": options.batch,
            "plain_step_ms": step_ms,
            "plain_mib": grown["plain"],
            "ratios": {name: {"time": in_time, "memory": in_memory} for name, (in_time, in_memory) in ratios.items()},
        }
    if options.json:
        host = {"processor": platform.processor() or platform.machine(), "torch": torch.__version__, "threads": 1}
        options.json.write_text(
            json.dumps({"host": host, "repeats": options.repeats, "models": written}, indent=1) + "\n"
        )


def engine_of(dataset: Dataset, model: str, batch: int, name: str, params: dict[str, float | str]) -> SerialEngine:
    training = TrainingSettings(epochs=1000, batch_size=batch, learning_rate=1e-4)
    return SerialEngine(Run("synthetic", model, name, params, training), dataset=dataset)


def growth(engine: SerialEngine) -> float:
    """MiB that a process needs for a short epoch beyond what it had before, measured in a child."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        engine.plan.train_index = engine.train_index[: 4 * engine.settings.batch_size]
        seconds(engine)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        os.write(write, str((after - before) / 1024).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        return float(pipe.read())


def seconds(engine: SerialEngine) -> float:
    """Of one epoch of training, validation left out."""
    engine._begin_epoch(engine.plan.epoch_settings(0))
    begin = time.perf_counter()
    engine._train()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
