"""What the attacks cost, and PGD beside the same attack called on foolbox directly; one process, one thread.

    .venv/bin/python benchmarks/attacks.py [--model small-cnn] [--images 300] [--repeats 2]

The model is trained on synthetic images, since only their shape matters to the time of PGD. The ways are
timed in turn, several times over, and the least times are compared. Nothing here fails on a time. The last lines say
how close Carlini and Wagner's attack comes with few long steps and with more short ones, on trained digits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from foolbox.attacks import L2CarliniWagnerAttack, LinfPGD
from foolbox.models import PyTorchModel

from tune_reg.data import Dataset
from tune_reg.evaluation import RobustnessSettings, attacks, carlini_wagner, deepfool, fast_gradient, pgd, robustness
from tune_reg.evaluation.corruptions import CORRUPTIONS, corrupt
from tune_reg.training import Run, SerialEngine, TrainingSettings

EPSILON = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="small-cnn")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, images, labels = trained(options.model, options.images)
    right = int(attacks.correct(model, images, labels).sum())
    print(f"{options.model}, {options.images} images of 28 x 28, {right} of them right")

    ways: dict[str, Callable[[], object]] = {
        "foolbox directly, batches as here": lambda: direct(model, images, labels, attacks._BATCH["cpu"]),
        "foolbox directly, one batch": lambda: direct(model, images, labels, len(images)),
        "pgd()": lambda: pgd(model, images, labels, [EPSILON]),
        "pgd rows of a study, with their checks": lambda: robustness(
            model, images, labels, RobustnessSettings(pgd_linf=[EPSILON])
        ),
    }
    least = in_turn(ways, options.repeats)
    base = min(least["foolbox directly, batches as here"], least["foolbox directly, one batch"])
    print("PGD-40, one radius, against the faster of the direct calls:")
    for name, value in least.items():
        print(f"  {name:40} {value:7.2f} s  {value / base:.2f}")

    costs = {
        "clean": lambda: attacks.correct(model, images, labels),
        "fgsm": lambda: fast_gradient(model, images, labels, [EPSILON]),
        "pgd-linf": lambda: pgd(model, images, labels, [EPSILON]),
        "pgd-l2": lambda: pgd(model, images, labels, [0.5], norm="l2"),
        "deepfool-l2": lambda: deepfool(model, images, labels),
        **{name: lambda name=name: corrupt(images, name, 3) for name in CORRUPTIONS},
    }
    print("seconds per 100 images; attacks a radius, corruptions a severity and without the forward pass:")
    for name, value in in_turn(costs, 1).items():
        print(f"  {name:40} {100 * value / len(images):8.4f}")
    few = images[:50]
    (value,) = in_turn({"cw-l2": lambda: carlini_wagner(model, few, labels[:50])}, 1).values()
    print(f"  {'cw-l2':40} {100 * value / len(few):8.4f}")
    distances()


def distances() -> None:
    """Mean distances that the attacks find on digits, and what each took."""
    engine = SerialEngine(
        Run("digits", "nn-2-small", "weight-decay", {}, TrainingSettings(epochs=8, batch_size=32, learning_rate=0.02))
    )
    while not engine.finished:
        engine.train_epoch()
    images, labels = engine.batch("test", torch.arange(100))
    model = engine.model
    usual = L2CarliniWagnerAttack(binary_search_steps=9, steps=1000, abort_early=False)
    ways = {
        "deepfool()": lambda: deepfool(model, images, labels),
        "carlini_wagner()": lambda: carlini_wagner(model, images, labels),
        "9 x 1000 steps of 0.01": lambda: attacks._distances(usual, model, images, labels),
    }
    print("L2 distances found, digits, nn-2-small, 100 images:")
    for name, way in ways.items():
        begin = time.process_time()
        found = way()
        print(f"  {name:40} median {found.median():.4f} mean {found.mean():.4f}  {time.process_time() - begin:.1f} s")


def direct(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, batch: int) -> None:
    """As foolbox's own example calls it: only the images that are right, parameters as they are."""
    model.eval()
    with torch.no_grad():
        right = model(images).argmax(1) == labels
    attacked = PyTorchModel(model, bounds=(0, 1), device="cpu")
    attack = LinfPGD(rel_stepsize=2.5 / 40, steps=40)
    for chunk, targets in zip(images[right].split(batch), labels[right].split(batch), strict=True):
        attack(attacked, chunk, targets, epsilons=[EPSILON])


def in_turn(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The least processor time of each, in seconds: on one thread it is the time of an idle machine."""
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(repeats):
        for name, way in ways.items():
            begin = time.process_time()
            way()
            least[name] = min(least[name], time.process_time() - begin)
    return least


def trained(name: str, n: int) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """A model that gets most of ``n`` noisy images of ten patterns right."""
    drawn = torch.Generator().manual_seed(0)
    patterns = torch.randint(0, 256, (10, 28, 28, 1), generator=drawn)
    labels = torch.arange(1000 + n) % 10
    noise = torch.randint(-40, 40, (1000 + n, 28, 28, 1), generator=drawn)
    images = (patterns[labels] + noise).clamp(0, 255).to(torch.uint8)
    dataset = Dataset("synthetic", images[:1000], labels[:1000], images[1000:], labels[1000:], classes=10)
    training = TrainingSettings(epochs=2, batch_size=32, learning_rate=0.02)
    engine = SerialEngine(Run("synthetic", name, "weight-decay", {}, training), dataset=dataset)
    while not engine.finished:
        engine.train_epoch()
    return engine.model, *engine.batch("test", torch.arange(n))


if __name__ == "__main__":
    main()
