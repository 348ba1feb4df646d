"""How strong the attacks are beside those of a second library, on the same models, images and radii.

    pip install --no-deps adversarial-robustness-toolbox   # in an environment of its own, beside this project
    python benchmarks/attack_strength.py [--images 100] [--cnn-images 0] [--out FILE.json]

Two models: nn-2-small on scikit-learn's digits, and the thesis CNN on the same digits enlarged to 28 x 28. The other
library is ART, with the settings of ours: radii, steps, sizes of steps, one random start, searches of CW. FGSM has no
freedom, so the same images must fall; of the others the stronger one leaves fewer images right, or finds nearer wrong
ones. Carlini and Wagner's attack is also run with ART's own settings. Images that the model gets wrong count as
wrong, and at distance 0. results/attack_strength.json holds a run of the first model.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from _shared.command_line import CommandLine, write_json
from sklearn.datasets import load_digits
from torch import Tensor, nn

from tune_reg.data import Dataset, from_arrays
from tune_reg.evaluation import attacks, carlini_wagner, deepfool, fast_gradient, pgd
from tune_reg.training import Run, SerialEngine, TrainingSettings

RADII = {"linf": (0.02, 0.05, 0.1, 0.2), "l2": (0.25, 0.5, 1.0)}
SMALL = {"images": 4}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--images", type=int, default=100, help="digits attacked with nn-2-small; 0: without it")
    parser.add_argument("--cnn-images", type=int, default=0, help="digits attacked with the CNN, slow; 0: without it")
    parser.outputs()
    options = parser.read(arguments)
    try:
        import art
    except ImportError:
        raise SystemExit("ART is missing: pip install --no-deps adversarial-robustness-toolbox") from None
    torch.set_num_threads(1)
    command = f"attack_strength.py --images {options.images} --cnn-images {options.cnn_images}"
    versions = {"art": art.__version__, "torch": torch.__version__}
    models = []
    for name, size, count in (("nn-2-small", 8, options.images), ("small-cnn", 28, options.cnn_images)):
        if count == 0:
            continue
        models.append(compared(name, size, count))
        print(json.dumps(models[-1], indent=1), flush=True)
        # After each, for the second takes much longer.
        write_json(options.out, {"command": command, "versions": versions, "models": models})


def compared(name: str, size: int, count: int) -> dict[str, Any]:
    """Every attack of both libraries on one trained model, side by side."""
    model, images, labels = trained(name, digits(size), count)
    right = attacks.correct(model, images, labels)
    rows: list[dict[str, Any]] = []
    for norm, radii in RADII.items():
        for epsilon in radii:
            if norm == "linf":
                one = fast_gradient(model, images, labels, [epsilon])[0]
                rows.append(counted("fgsm", norm, epsilon, one, art_fgsm(model, images, labels, epsilon) & right))
            one = pgd(model, images, labels, [epsilon], norm=norm)[0]
            rows.append(counted("pgd", norm, epsilon, one, art_pgd(model, images, labels, epsilon, norm) & right))
    ours = deepfool(model, images, labels), carlini_wagner(model, images, labels)
    near = [
        measured("deepfool", ours[0], art_deepfool(model, images, labels), right),
        measured("cw", ours[1], art_cw(model, images, labels), right),
        measured("cw, ART's own settings", ours[1], art_cw(model, images, labels, defaults=True), right),
    ]
    clean = int(right.sum())
    return {"model": name, "size": size, "images": count, "right": clean, "accuracy": rows, "distance": near}


def counted(test: str, norm: str, epsilon: float, ours: Tensor, art: Tensor) -> dict[str, Any]:
    """How many images withstand the attack of each library, and at how many the two differ."""
    differ = int((ours != art).sum())
    return {
        "test": test,
        "norm": norm,
        "epsilon": epsilon,
        "ours": int(ours.sum()),
        "art": int(art.sum()),
        "differ": differ,
    }


def measured(test: str, ours: Tensor, art: Tensor, right: Tensor) -> dict[str, Any]:
    """Distances that each library finds on the images that are right without an attack."""
    ours, art = ours[right], art[right]
    return {
        "test": test,
        "ours_median": round(float(ours.median()), 4),
        "art_median": round(float(art.median()), 4),
        "ours_not_found": int(ours.isinf().sum()),
        "art_not_found": int(art.isinf().sum()),
        "ours_nearer": int((ours < art - 1e-3).sum()),
        "art_nearer": int((art < ours - 1e-3).sum()),
    }


def art_fgsm(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    from art.attacks.evasion import FastGradientMethod

    return _withstood(lambda net: FastGradientMethod(net, norm=np.inf, eps=epsilon), model, images, labels)


def art_pgd(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float, norm: str) -> Tensor:
    from art.attacks.evasion import ProjectedGradientDescentPyTorch

    settings = {"eps": epsilon, "eps_step": 2.5 * epsilon / attacks.PGD_STEPS, "max_iter": attacks.PGD_STEPS}
    settings |= {"norm": np.inf if norm == "linf" else 2, "num_random_init": 1, "verbose": False}
    return _withstood(lambda net: ProjectedGradientDescentPyTorch(net, **settings), model, images, labels)


def art_deepfool(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    from art.attacks.evasion import DeepFool

    settings = {"max_iter": 50, "epsilon": 0.02, "nb_grads": 10, "batch_size": 1, "verbose": False}
    return _distances(lambda net: DeepFool(net, **settings), model, images, labels)


def art_cw(model: nn.Module, images: Tensor, labels: Tensor, *, defaults: bool = False) -> Tensor:
    from art.attacks.evasion import CarliniL2Method

    settings = {"batch_size": 100, "verbose": False}
    if not defaults:
        settings |= {"binary_search_steps": attacks.CW_SEARCHES, "max_iter": attacks.CW_STEPS}
        settings |= {"learning_rate": attacks.CW_STEP_SIZE, "initial_const": attacks.CW_FIRST_CONSTANT}
    return _distances(lambda net: CarliniL2Method(net, **settings), model, images, labels)


def _attacked(make: Callable[[Any], Any], model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    from art.estimators.classification import PyTorchClassifier

    np.random.seed(0)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = PyTorchClassifier(
            model.eval(), nn.CrossEntropyLoss(), tuple(images.shape[1:]), 10, clip_values=(0.0, 1.0), device_type="cpu"
        )
        adversarial = make(net).generate(images.numpy(), nn.functional.one_hot(labels, 10).numpy())
    return torch.from_numpy(np.asarray(adversarial, dtype=np.float32)).clamp(0, 1)


def _withstood(make: Callable[[Any], Any], model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return attacks.correct(model, _attacked(make, model, images, labels), labels)


def _distances(make: Callable[[Any], Any], model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    adversarial = _attacked(make, model, images, labels)
    distance = (adversarial - images).flatten(1).double().norm(dim=1)
    return distance.where(~attacks.correct(model, adversarial, labels), math.inf)


def digits(size: int) -> Dataset:
    """scikit-learn's digits, the last 397 to test on, enlarged where ``size`` is not 8."""
    bunch = load_digits()
    images = torch.from_numpy(bunch.images).float()[:, None] * (255 / 16)
    if size != 8:
        images = nn.functional.interpolate(images, (size, size), mode="bilinear")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    images, labels = images[order, 0].round().to(torch.uint8), torch.from_numpy(bunch.target).long()[order]
    return from_arrays(f"digits-{size}", images[:1400], labels[:1400], images[1400:], labels[1400:])


def trained(name: str, dataset: Dataset, count: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A trained model, and the first ``count`` test images with their labels."""
    training = TrainingSettings(epochs=8, batch_size=32, learning_rate=0.02)
    engine = SerialEngine(Run(dataset.name, name, "weight-decay", {}, training), dataset=dataset)
    while not engine.finished:
        engine.train_epoch()
    return engine.model, *engine.batch("test", torch.arange(count))


if __name__ == "__main__":
    main()
