"""What each regularizer costs beside the plain step, in one process, on one thread.

    .venv/bin/python benchmarks/regularizer_step.py [--model nn-2 small-cnn] [--batch 128] [--out FILE.json]

An epoch of each regularizer is timed in turn, several times over, and the least times are compared; synthetic images,
since only their shape matters. An epoch ends with a validation on 100 images, for all of them. Memory is what a process
grows by in some steps, each in a process of its own; where the plain step's growth is below what can be seen, its
ratios are left out. Nothing here fails on a time.
"""

from __future__ import annotations

import contextlib
import functools
import platform
from collections.abc import Sequence

import torch
from _shared.command_line import CommandLine, write_json
from _shared.images import synthetic_images
from _shared.measuring import least_in_turn, memory_growth
from _shared.model_option import model_name

from tune_reg import models
from tune_reg.data import Dataset
from tune_reg.regularizers import regularizers
from tune_reg.training import Interrupted, Run, SerialEngine, TrainingSettings

#: Penalties that also have an exact form, in which they are slow.
EXACT = {"jac", "fob", "hsfob", "hsfob-db1", "hsfob-db2"}
#: Steps in which memory is measured.
STEPS = 4
SMALL = {"model": ["nn-2"], "images": 512, "repeats": 1}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    default = ["nn-2", "lenet-4", "small-cnn"]
    parser.add_argument("--model", nargs="+", type=model_name, default=default, metavar="NAME", help="the models")
    parser.add_argument("--images", type=int, default=4000, help="training images in an epoch")
    parser.add_argument("--repeats", type=int, default=5, help="epochs of each, of which the quickest counts")
    parser.add_argument("--batch", type=int, default=128, help="images in a step")
    parser.add_argument("--exact", action="store_true", help="the exact forms of the penalties, too; slow")
    parser.outputs()
    options = parser.read(arguments)
    torch.set_num_threads(1)
    dataset = synthetic_images(options.images, 100)
    measured = {}
    for model in options.model:
        engines = engines_of(dataset, model, options.batch, exact=options.exact)
        grown = {name: memory_growth(functools.partial(some_steps, engine)) for name, engine in engines.items()}
        least = least_in_turn({name: engine.train_epoch for name, engine in engines.items()}, options.repeats)
        measured[model] = {"batch": options.batch, **beside_plain(least, grown, engines["plain"].steps(0))}
        show(model, measured[model])
    host = {"processor": platform.processor() or platform.machine(), "torch": torch.__version__, "threads": 1}
    write_json(options.out, {"host": host, "repeats": options.repeats, "models": measured})


def engines_of(dataset: Dataset, model: str, batch: int, *, exact: bool) -> dict[str, SerialEngine]:
    """An engine for the plain step and one for each regularizer that the model can have."""

    def engine(name: str, **params: float | str) -> SerialEngine:
        training = TrainingSettings(epochs=1000, batch_size=batch, learning_rate=1e-4)
        # This protocol validates on the 100 test images, so that training is what takes the time.
        return SerialEngine(Run("synthetic", model, name, params, training, protocol="paper"), dataset=dataset)

    engines = {"plain": engine("weight-decay", weight_decay=0.0)}
    for name, kind in regularizers().items():
        if kind.fills("dropout") and not models.supports_dropout(model):
            continue
        engines[name] = engine(name)
        if exact and name in EXACT:
            engines[f"{name} exact"] = engine(name, estimator="exact")
    return engines


def some_steps(engine: SerialEngine) -> None:
    """Train for a few steps of an epoch."""
    left = iter(range(STEPS))
    with contextlib.suppress(Interrupted):
        engine.train_epoch(leave=lambda: next(left, None) is None)


def beside_plain(least: dict[str, float], grown: dict[str, float], steps: int) -> dict[str, object]:
    """Seconds and bytes of each regularizer over those of the plain step; None where the plain step has no bytes."""
    memory = {name: value / grown["plain"] if grown["plain"] > 0 else None for name, value in grown.items()}
    return {
        "plain_step_ms": 1000 * least["plain"] / steps,
        "plain_mib": grown["plain"] / 2**20,
        "ratios": {name: {"time": least[name] / least["plain"], "memory": memory[name]} for name in least},
    }


def show(model: str, measured: dict[str, object]) -> None:
    print(
        f"{model}, batch {measured['batch']}: plain step {measured['plain_step_ms']:.2f} ms, "
        f"{measured['plain_mib']:.0f} MiB"
    )
    print(f"  {'':24} time  memory")
    for name, ratio in measured["ratios"].items():
        memory = "-" if ratio["memory"] is None else f"{ratio['memory']:.2f}"
        print(f"  {name:24} {ratio['time']:.2f}  {memory:>6}")


if __name__ == "__main__":
    main()
