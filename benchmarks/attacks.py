"""What the attacks cost, and PGD beside the same attack called on foolbox directly; one process, one thread.

    .venv/bin/python benchmarks/attacks.py [--model small-cnn] [--images 300] [--repeats 2]

The model is trained on synthetic images, since only their shape matters to the time of PGD. The ways are
timed in turn, several times over, and the least times are compared. Nothing here fails on a time. The last lines say
how close Carlini and Wagner's attack comes with few long steps and with more short ones, on trained digits alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from _shared.command_line import CommandLine, write_json
from _shared.images import synthetic_images
from _shared.measuring import least_in_turn
from _shared.model_option import model_name
from torch import Tensor, nn

from tune_reg.evaluation import RobustnessSettings, attacks, carlini_wagner, deepfool, fast_gradient, pgd, robustness
from tune_reg.evaluation.corruptions import CORRUPTIONS, corrupt
from tune_reg.training import Run, SerialEngine, TrainingSettings

EPSILON = 0.02
#: Of the digits.
DISTANCE_IMAGES = 100
SMALL = {"model": "nn-2-small", "images": 4, "repeats": 1, "steps": 2}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--model", type=model_name, default="small-cnn", metavar="NAME", help="the model attacked")
    parser.add_argument("--images", type=int, default=300, help="images attacked")
    parser.add_argument("--repeats", type=int, default=2, help="times that each way is timed; the quickest counts")
    parser.add_argument("--steps", type=int, default=1000, help="steps of the long Carlini-Wagner attack")
    parser.outputs()
    options = parser.read(arguments)
    torch.set_num_threads(1)
    model, images, labels = trained(options.model, options.images)
    right = int(attacks.correct(model, images, labels).sum())
    print(f"{options.model}, {options.images} images of 28 x 28, {right} of them right")
    pgd_s = beside_direct(model, images, labels, options.repeats)
    costs_s = costs(model, images, labels)
    distances_l2 = distances(options.steps)
    numbers = {"model": options.model, "images": options.images, "pgd_s": pgd_s, "s_per_100": costs_s}
    write_json(options.out, {**numbers, "distances": distances_l2})


def beside_direct(model: nn.Module, images: Tensor, labels: Tensor, repeats: int) -> dict[str, float]:
    """Seconds of PGD called in several ways, printed beside the faster of the direct calls."""
    batch = attacks._BATCH["cpu"]
    direct_calls: dict[str, Callable[[], object]] = {
        "foolbox directly, batches as here": lambda: direct(model, images, labels, batch),
        "foolbox directly, one batch": lambda: direct(model, images, labels, len(images)),
    }
    own_calls: dict[str, Callable[[], object]] = {
        "pgd()": lambda: pgd(model, images, labels, [EPSILON]),
        "pgd rows of a study, with their checks": lambda: robustness(
            model, images, labels, RobustnessSettings(pgd_linf=[EPSILON])
        ),
    }
    least = least_in_turn(direct_calls | own_calls, repeats)
    base = min(least[name] for name in direct_calls)
    print("PGD-40, one radius, against the faster of the direct calls:")
    for name, value in least.items():
        print(f"  {name:40} {value:7.2f} s  {value / base:.2f}")
    return least


def costs(model: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Seconds per 100 images of each attack and corruption, printed."""
    few = min(50, len(images))
    calls: dict[str, Callable[[], object]] = {
        "clean": lambda: attacks.correct(model, images, labels),
        "fgsm": lambda: fast_gradient(model, images, labels, [EPSILON]),
        "pgd-linf": lambda: pgd(model, images, labels, [EPSILON]),
        "pgd-l2": lambda: pgd(model, images, labels, [0.5], norm="l2"),
        "deepfool-l2": lambda: deepfool(model, images, labels),
        **{name: lambda name=name: corrupt(images, name, 3) for name in CORRUPTIONS},
        "cw-l2": lambda: carlini_wagner(model, images[:few], labels[:few]),
    }
    least = least_in_turn(calls, 1)
    print("seconds per 100 images; attacks a radius, corruptions a severity and without the forward pass:")
    seconds = {name: 100 * value / (few if name == "cw-l2" else len(images)) for name, value in least.items()}
    for name, value in seconds.items():
        print(f"  {name:40} {value:8.4f}")
    return seconds


def distances(steps: int) -> dict[str, dict[str, float]]:
    """Distances that the attacks find on digits, and seconds that each takes, printed."""
    training = TrainingSettings(epochs=8, batch_size=32, learning_rate=0.02)
    engine = SerialEngine(Run("digits", "nn-2-small", "weight-decay", {}, training))
    while not engine.finished:
        engine.train_epoch()
    images, labels = engine.batch("test", torch.arange(DISTANCE_IMAGES))
    model = engine.model
    from tune_reg.evaluation.foolbox_attacks import L2CarliniWagnerAttack

    long = L2CarliniWagnerAttack(binary_search_steps=9, steps=steps, abort_early=False)
    calls = {
        "deepfool()": lambda: deepfool(model, images, labels),
        "carlini_wagner()": lambda: carlini_wagner(model, images, labels),
        f"9 x {steps} steps of 0.01": lambda: attacks._distances(long, model, images, labels),
    }
    print(f"L2 distances found, digits, nn-2-small, {DISTANCE_IMAGES} images:")
    numbers = {}
    for name, call in calls.items():
        begin = time.process_time()
        distance = call()
        seconds = time.process_time() - begin
        numbers[name] = {"median": float(distance.median()), "mean": float(distance.mean()), "s": seconds}
        print(f"  {name:40} median {distance.median():.4f} mean {distance.mean():.4f}  {seconds:.1f} s")
    return numbers


def direct(model: nn.Module, images: Tensor, labels: Tensor, batch: int) -> None:
    """PGD as foolbox's own example calls it: only the images that are right, parameters as they are."""
    from tune_reg.evaluation.foolbox_attacks import LinfProjectedGradientDescentAttack, PyTorchModel

    model.eval()
    with torch.no_grad():
        right = model(images).argmax(1) == labels
    attacked = PyTorchModel(model, bounds=(0, 1), device="cpu")
    attack = LinfProjectedGradientDescentAttack(rel_stepsize=2.5 / 40, steps=40)
    for chunk, targets in zip(images[right].split(batch), labels[right].split(batch), strict=True):
        attack(attacked, chunk, targets, epsilons=[EPSILON])


def trained(name: str, count: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A model that gets most of ``count`` noisy images of ten patterns right, these images and their labels."""
    dataset = synthetic_images(1000, count, brightest=256, noise=(-40, 40))
    training = TrainingSettings(epochs=2, batch_size=32, learning_rate=0.02)
    engine = SerialEngine(Run("synthetic", name, "weight-decay", {}, training), dataset=dataset)
    while not engine.finished:
        engine.train_epoch()
    return engine.model, *engine.batch("test", torch.arange(count))


if __name__ == "__main__":
    main()
