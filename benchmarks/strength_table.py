"""Make a table of real learning curves: a regularizer's strengths x learning rates x seeds, all trained to the end.

    .venv/bin/python benchmarks/strength_table.py --dataset digits --test-images 800 --validation-images 400 \
        --images-per-class 20 --model nn-2-small --regularizer dropout --strengths 0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 \
        --learning-rates 0.003 0.01 0.03 0.1 0.3 --out /tmp/dropout.npz

``search_efficiency.py --table FILE.npz`` replays searches on it. The table of method M has ``M_S``, ``M_L``
[configurations], strength and learning rate; ``M_curves`` [seed, configuration, epoch], validation accuracy, NaN from
the epoch on at which the loss was not finite; ``M_test`` [seed, configuration], test accuracy after the last epoch,
NaN where there was none; and ``M_regularizer`` and ``M_hyperparameter``, the names of what was varied. A seed decides
the first weights, the order of the images, and which images train and validate; with ``--test-images`` also which
of all images test, so that their mean over seeds is no matter of a few test images. README.md in data/ has the
commands of the tables that are kept there. A file that exists is not written over.
"""

from __future__ import annotations

import itertools
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _shared.command_line import CommandLine
from _shared.model_option import model_name
from numpy.typing import NDArray

from tune_reg import data
from tune_reg.data import Dataset
from tune_reg.data.split import stratified
from tune_reg.errors import TuneRegError
from tune_reg.regularizers import regularizer
from tune_reg.training import Run, SerialEngine, TrainingSettings

SMALL = {"strengths": [1e-4, 1e-2], "learning_rates": [0.03, 0.1], "epochs": 2, "seeds": 2}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    torch.set_num_threads(1)
    try:
        table = make_table(options, data.load(options.dataset, options.data_root))
    except TuneRegError as error:
        sys.exit(f"strength_table.py: {error}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("xb") as file:
        np.savez_compressed(file, **table)


def _options(arguments: Sequence[str] | None) -> Namespace:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--dataset", default="digits", metavar="NAME", help="data set")
    parser.add_argument("--data-root", type=Path, metavar="FOLDER", help="where the files of the data set lie")
    parser.add_argument(
        "--test-images", type=int, metavar="N", help="each seed draws so many of all images for its test"
    )
    parser.add_argument(
        "--validation-images", type=int, default=400, metavar="N", help="images that each epoch is scored on"
    )
    parser.add_argument("--images-per-class", type=int, default=20, metavar="N", help="images of each class that train")
    parser.add_argument("--model", type=model_name, default="nn-2-small", metavar="NAME", help="network")
    parser.add_argument(
        "--regularizer", type=_regularizer_name, default="weight-decay", metavar="NAME", help="regularizer"
    )
    parser.add_argument("--hyperparameter", metavar="NAME", help="what is varied; without it, its strength")
    parser.add_argument(
        "--fixed", type=_setting, nargs="+", default=[], metavar="NAME=N", help="its other hyperparameters"
    )
    decay = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
    parser.add_argument(
        "--strengths", type=float, nargs="+", default=decay, metavar="N", help="values of what is varied"
    )
    parser.add_argument("--learning-rates", type=float, nargs="+", default=[0.1], metavar="N", help="learning rates")
    parser.add_argument("--epochs", type=int, default=27, help="epochs of each training")
    parser.add_argument("--batch-size", type=int, default=32, help="images of a step")
    parser.add_argument("--seeds", type=int, default=9, help="trainings of each configuration")
    parser.add_argument("--name", help="the name of the method in the table; without it, the regularizer's")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help="write the table to this new file")
    options = parser.read(arguments)
    if options.out.exists():
        parser.error(f"--out {options.out}: exists already; give the name of a new file")
    kind = regularizer(options.regularizer)
    options.hyperparameter = options.hyperparameter or kind.strength
    numbers = [h.name for h in kind.hyperparameters if not h.is_choice]
    if options.hyperparameter not in numbers:
        parser.error(
            f"argument --hyperparameter: {options.hyperparameter!r} is no number of {options.regularizer}; "
            f"choose from {', '.join(numbers)}"
        )
    return options


def _regularizer_name(name: str) -> str:
    try:
        regularizer(name)
    except TuneRegError as error:
        raise ArgumentTypeError(str(error)) from None
    return name


def _setting(text: str) -> tuple[str, float | str]:
    """A hyperparameter and its value, a number or a choice, from ``name=value``."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ArgumentTypeError(f"{text!r} is not of the form NAME=N")
    try:
        return name, float(value)
    except ValueError:
        return name, value


def make_table(options: Namespace, dataset: Dataset) -> dict[str, NDArray[Any]]:
    """The arrays of the table; progress is printed seed by seed."""
    configurations = list(itertools.product(options.strengths, options.learning_rates))
    shape = options.seeds, len(configurations)
    curves, tests = np.full((*shape, options.epochs), np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for seed in range(options.seeds):
        drawn = dataset if options.test_images is None else redrawn(dataset, options.test_images, seed)
        training = TrainingSettings(
            epochs=options.epochs,
            batch_size=options.batch_size,
            learning_rate_schedule="sigmoid",
            validation=options.validation_images / len(drawn.train_labels),
        )
        for number, (strength, learning_rate) in enumerate(configurations):
            params = dict(options.fixed) | {options.hyperparameter: strength, "learning_rate": learning_rate}
            run = Run(
                options.dataset,
                options.model,
                options.regularizer,
                params,
                training,
                images_per_class=options.images_per_class,
                seed=seed,
                split_seed=seed,
            )
            curve, tests[seed, number] = train(SerialEngine(run, dataset=drawn))
            curves[seed, number, : len(curve)] = curve
        print(f"seed {seed}: test accuracy {np.nanmin(tests[seed]):.3f} to {np.nanmax(tests[seed]):.3f}", flush=True)
    name = options.name or options.regularizer
    strengths, rates = np.array(configurations).T
    return {
        f"{name}_S": strengths,
        f"{name}_L": rates,
        f"{name}_curves": curves,
        f"{name}_test": tests,
        f"{name}_regularizer": np.array(options.regularizer),
        f"{name}_hyperparameter": np.array(options.hyperparameter),
    }


def redrawn(dataset: Dataset, test_images: int, seed: int) -> Dataset:
    """The images of both parts, split anew: ``test_images`` for the test, each class in proportion."""
    images = torch.cat([dataset.train_images, dataset.test_images])
    labels = torch.cat([dataset.train_labels, dataset.test_labels])
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(labels)))
    train, test = stratified(labels, test_images, order)
    return Dataset(dataset.name, images[train], labels[train], images[test], labels[test], dataset.classes)


def train(engine: SerialEngine) -> tuple[list[float], float]:
    """Validation accuracies until the end or until the loss was not finite, and test accuracy, NaN in that case."""
    curve: list[float] = []
    while not engine.finished:
        row = engine.train_epoch()
        if engine.diverged:
            return curve, float("nan")
        curve.append(row["val_accuracy"])
    return curve, engine.evaluate("test")[1]


if __name__ == "__main__":
    main()
