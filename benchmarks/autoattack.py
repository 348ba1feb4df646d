"""The four attacks of AutoAttack: what each leaves beside those of a second library, and what each costs.

    pip install --no-deps torchattacks   # in an environment of its own, beside this project
    python benchmarks/autoattack.py [--images 100] [--models nn-2 small-cnn] [--cost-images 4] [--out FILE.json]

The other library is torchattacks, whose code is that of AutoAttack's authors, with the standard settings of AutoAttack:
100 steps, nine targets, 5,000 queries, no restarts. Both attack nn-2-small on scikit-learn's digits, each attack all
images that the model gets right; FAB draws nothing at random, so that its distances can be compared one by one. Without
torchattacks this part is left out. The costs are of images that withstand all attacks, since the radius is next to
nothing; the attacks take turns, and the least processor times count. results/autoattack.json holds a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from _shared.command_line import CommandLine, write_json
from _shared.images import synthetic_images
from _shared.measuring import least_in_turn
from _shared.model_option import model_name
from torch import Tensor, nn

from tune_reg.data import Dataset
from tune_reg.evaluation import attacks, autoattack, pgd
from tune_reg.evaluation.autoattack import apgd, cross_entropy, fab, square, targeted_difference
from tune_reg.training import Run, SerialEngine, TrainingSettings
from tune_reg.training.seeding import generator

RADII = {"linf": (0.05, 0.1), "l2": (0.25, 0.5)}
#: Of the images whose cost is measured: no attack finds anything so near.
NEXT_TO_NOTHING = 1e-7
SMALL = {"images": 12, "models": ["nn-2-small"], "cost_images": 2}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--images", type=int, default=100, help="digits attacked by both libraries")
    parser.add_argument(
        "--models", type=model_name, nargs="+", default=["nn-2", "small-cnn"], metavar="NAME", help="those of the costs"
    )
    parser.add_argument("--cost-images", type=int, default=4, help="images of 28 x 28 whose cost is measured")
    parser.outputs()
    options = parser.read(arguments)
    torch.set_num_threads(1)
    named = " ".join(options.models)
    command = f"autoattack.py --images {options.images} --models {named} --cost-images {options.cost_images}"
    numbers: dict[str, Any] = {"command": command, "torch": torch.__version__}
    try:
        import torchattacks
    except ImportError:
        print("torchattacks is missing (pip install --no-deps torchattacks): nothing is compared with it")
    else:
        numbers |= {"torchattacks": torchattacks.__version__, "strength": strength(options.images)}
        write_json(options.out, numbers)
    numbers["costs"] = []
    for name in options.models:
        numbers["costs"] += costs(name, options.cost_images)
        write_json(options.out, numbers)


def costs(name: str, count: int) -> list[dict[str, Any]]:
    """Seconds of each attack for one image that withstands it, printed beside those of APGD on the cross-entropy."""
    dataset = synthetic_images(1000, count, brightest=256, noise=(-40, 40))
    model, images, labels = right_images(name, dataset, TrainingSettings(epochs=2, learning_rate=0.02), count)
    print(f"{name}, {len(images)} images of 28 x 28: seconds of an image that withstands, and beside APGD-CE")
    rows = []
    for norm in RADII:
        by_pgd = partial(pgd, model, images, labels, [NEXT_TO_NOTHING], norm=norm)
        by_pgd()  # loads foolbox
        with attacks.attackable(model):
            least = least_in_turn({"PGD": by_pgd, **parts(model, images, labels, NEXT_TO_NOTHING, norm)}, 2)
        for attack, seconds in least.items():
            of_image, ratio = seconds / len(images), seconds / least["APGD-CE"]
            rows.append({"model": name, "norm": norm, "attack": attack, "s_per_image": of_image, "ratio": ratio})
            print(f"  {norm:5} {attack:8} {of_image:8.4f} s  {ratio:6.2f}")
    return rows


def strength(count: int) -> dict[str, Any]:
    """How many images each attack of the two libraries leaves right, and how far FAB's distances differ, printed."""
    training = TrainingSettings(epochs=8, batch_size=32, learning_rate=0.02)
    model, images, labels = right_images("nn-2-small", "digits", training, count)
    print(f"nn-2-small, {len(images)} digits that are right: left by each attack, and images at which the two differ")
    rows, distances = [], []
    with attacks.attackable(model):
        for norm, radii in RADII.items():
            for epsilon in radii:
                others = theirs(model, images, labels, epsilon, norm)
                ours = {attack: ~run() for attack, run in parts(model, images, labels, epsilon, norm).items()}
                ours["all four"] = autoattack(model, images, labels, [epsilon], norm=norm)[0]
                others["all four"] = torch.stack(list(others.values())).all(0)
                rows += [counted(norm, epsilon, attack, ours[attack], others[attack]) for attack in ours]
            distances.append(compared_distances(model, images, labels, norm))
    return {"images": len(images), "left": rows, "fab_distances": distances}


def counted(norm: str, epsilon: float, attack: str, ours: Tensor, others: Tensor) -> dict[str, Any]:
    """How many images withstand the attack of each library, printed."""
    left, other, differ = int(ours.sum()), int(others.sum()), int((ours != others).sum())
    print(f"  {norm:5} {epsilon:5} {attack:8} ours {left:3}  torchattacks {other:3}  differ {differ:3}")
    return {"norm": norm, "epsilon": epsilon, "attack": attack, "ours": left, "torchattacks": other, "differ": differ}


def compared_distances(model: nn.Module, images: Tensor, labels: Tensor, norm: attacks.Norm) -> dict[str, Any]:
    """The distances that FAB of each library finds, the least over the targets, printed."""
    import torchattacks

    attack = torchattacks.FAB(model, steps=attacks.FAB_STEPS, **_settings(norm, epsilon=1e9), multi_targeted=True)
    found = []
    for target in range(attacks.TARGETS):
        attack.target_class = target + 2  # 1 is the label itself
        moved = (attack.attack_single_run_targeted(images, labels) - images).flatten(1)
        distance = moved.abs().amax(1) if norm == "linf" else moved.norm(dim=1)
        found.append(distance.where(distance > 0, torch.inf))  # the image itself stands for nothing found
    ours, others = fab_distances(model, images, labels, norm), torch.stack(found).amin(0)
    farthest = float(((ours - others) / others).abs().max())
    print(f"  {norm:5} FAB: median distance ours {ours.median():.4f}, torchattacks {others.median():.4f}; ", end="")
    print(f"of one image they differ by at most {farthest:.1e} of it")
    medians = {"ours_median": float(ours.median()), "torchattacks_median": float(others.median())}
    return {"norm": norm, **medians, "largest_relative_difference": farthest}


def parts(
    model: nn.Module, images: Tensor, labels: Tensor, epsilon: float, norm: attacks.Norm
) -> dict[str, Callable[[], Tensor]]:
    """The four attacks, each of them on all images: functions that give which become wrong within ``epsilon``."""
    starts, targets = attacks._starts(images, norm, 0), targets_of(model, images, labels)

    def ascend(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        return apgd(model, images, labels, starts, epsilon, norm=norm, loss=loss, steps=attacks.APGD_STEPS)

    def ascend_towards(target: Tensor) -> Tensor:
        return ascend(lambda z, y, index: targeted_difference(z, y, target[index]))

    def search() -> Tensor:
        source = generator(0, f"square-{norm}")
        return square(model, images, labels, epsilon, norm=norm, queries=attacks.SQUARE_QUERIES, source=source)

    return {
        "APGD-CE": lambda: ascend(lambda z, y, _: cross_entropy(z, y)),
        "APGD-T": lambda: torch.stack([ascend_towards(target) for target in targets]).any(0),
        "FAB-T": lambda: fab_distances(model, images, labels, norm) <= epsilon,
        "Square": search,
    }


def fab_distances(model: nn.Module, images: Tensor, labels: Tensor, norm: attacks.Norm) -> Tensor:
    """The distance of each image to the nearest wrong one that FAB finds on the way to any of the targets: [N]."""
    found = [
        fab(model, images, labels, target, norm=norm, steps=attacks.FAB_STEPS)
        for target in targets_of(model, images, labels)
    ]
    return torch.stack(found).amin(0)


def targets_of(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The classes with the largest logits beside the right one: [targets, N]."""
    with torch.no_grad():
        others = model(images).scatter(1, labels.unsqueeze(1), -torch.inf)
    return others.argsort(1, descending=True)[:, : attacks.TARGETS].T


def theirs(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float, norm: str) -> dict[str, Tensor]:
    """Which images withstand each attack of torchattacks: bool [N]."""
    import torchattacks

    settings = _settings(norm, epsilon)
    made = {
        "APGD-CE": torchattacks.APGD(model, steps=attacks.APGD_STEPS, loss="ce", **settings),
        "APGD-T": torchattacks.APGDT(model, steps=attacks.APGD_STEPS, n_classes=10, **settings),
        "FAB-T": torchattacks.FAB(model, steps=attacks.FAB_STEPS, multi_targeted=True, n_classes=10, **settings),
        "Square": torchattacks.Square(model, n_queries=attacks.SQUARE_QUERIES, **settings),
    }
    return {name: attacks.correct(model, attack(images, labels), labels) for name, attack in made.items()}


def _settings(norm: str, epsilon: float) -> dict[str, Any]:
    return {"norm": {"linf": "Linf", "l2": "L2"}[norm], "eps": epsilon, "n_restarts": 1, "seed": 0}


def right_images(
    name: str, dataset: Dataset | str, training: TrainingSettings, count: int
) -> tuple[nn.Module, Tensor, Tensor]:
    """A trained model in evaluation mode, those of the first ``count`` test images that it gets right, their labels."""
    named = dataset if isinstance(dataset, str) else dataset.name
    engine = SerialEngine(Run(named, name, "weight-decay", {}, training), dataset=None if named == dataset else dataset)
    while not engine.finished:
        engine.train_epoch()
    images, labels = engine.batch("test", torch.arange(count))
    right = attacks.correct(engine.model, images, labels)
    return engine.model.eval(), images[right], labels[right]


if __name__ == "__main__":
    main()
