"""Attacks on images in [0, 1], run by foolbox or here.

Normalisation is inside the model, so that radii are in units of the images.

Every function takes ``model``: logits [N, M] of images; ``images``: float [N, C, H, W] in [0, 1], on the model's
device; ``labels``: int64 [N], on the model's device. The model is attacked in evaluation mode, with constant
parameters, and left as it was. Images that the model gets wrong without an attack count as wrong, and are not attacked.

``ATTACKS`` lists all attacks that a study can ask for; each carries its name, its description and its source.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from tune_reg.evaluation.autoattack import apgd, cross_entropy, fab, square, targeted_difference
from tune_reg.evaluation.captured_model import CapturedModel
from tune_reg.training.cuda_graphs import graphs_for
from tune_reg.training.precision import products
from tune_reg.training.seeding import derive, generator

Norm = Literal["linf", "l2"]

PGD_STEPS: Final = 40

#: Constants of Carlini and Wagner's attack. foolbox's own 9 searches of 10,000 steps of 0.01 are out of reach on a CPU.
#: Fewer steps must be longer: pixels at exactly 0 or 1 lie far out in the space of the search, and steps of 0.01
#: would hardly move them (benchmarks/attacks.py prints the distances that both find).
CW_SEARCHES: Final = 5
CW_STEPS: Final = 200
CW_STEP_SIZE: Final = 0.05
CW_FIRST_CONSTANT: Final = 0.1

#: Constants of the standard version of AutoAttack: steps of each ascent of APGD and each search of FAB, targets of each
#: image, queries of Square.
APGD_STEPS: Final = 100
FAB_STEPS: Final = 100
TARGETS: Final = 9
SQUARE_QUERIES: Final = 5000

#: Images at a time, by device. On a CPU the activations of more images do not stay in the cache; a GPU needs many.
_BATCH: Final = {"cpu": 100, "cuda": 1000}


def fast_gradient(
    model: nn.Module, images: Tensor, labels: Tensor, epsilons: Sequence[float], *, norm: Norm = "linf"
) -> Tensor:
    """The fast gradient sign method: ``clip(x + epsilon sign(grad CE), 0, 1)``, in one step.

    With ``norm="l2"`` the step is ``epsilon grad / |grad|_2``. ``epsilons``: radii. Returns bool [epsilons, N], on the
    CPU: which images are still right; their mean is the accuracy under attack.

    Source: Goodfellow, Shlens and Szegedy, Explaining and Harnessing Adversarial Examples, ICLR 2015.

    >>> from tune_reg.evaluation import fast_gradient
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2))
    >>> _ = model[1].weight.data.copy_(torch.tensor([[0.0], [1.0]])), model[1].bias.data.copy_(torch.tensor([0.5, 0.0]))
    >>> images = torch.tensor([0.6, 0.9]).reshape(2, 1, 1, 1)  # class 1 from 0.5 on
    >>> fast_gradient(model, images, torch.tensor([1, 1]), [0.05, 0.2, 0.5])
    tensor([[ True,  True],
            [False,  True],
            [False, False]])
    """
    from tune_reg.evaluation.foolbox_attacks import FAST_GRADIENT

    return _withstood(FAST_GRADIENT[norm](), model, images, labels, epsilons)


def pgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilons: Sequence[float],
    *,
    norm: Norm = "linf",
    steps: int = PGD_STEPS,
    seed: int = 0,
) -> Tensor:
    """Projected gradient descent on the cross-entropy: ``steps`` of ``2.5 epsilon / steps``, from one random start.

    Steps go along ``sign(grad CE)`` in ``linf`` and along ``grad CE / |grad CE|_2`` in ``l2``; after each, the image
    is put back into the ball of radius epsilon about ``x`` and into [0, 1]. The start is uniform in the ball; it
    depends on ``seed`` and the shape of ``images`` alone, scales with epsilon, and is the same on every device.
    Returns bool [epsilons, N], on the CPU: which images are still right; their mean is the accuracy under attack.

    Source: Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018.

    >>> from tune_reg.evaluation import pgd
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2))
    >>> _ = model[1].weight.data.copy_(torch.tensor([[0.0], [1.0]])), model[1].bias.data.copy_(torch.tensor([0.5, 0.0]))
    >>> images = torch.tensor([0.6, 0.9]).reshape(2, 1, 1, 1)  # class 1 from 0.5 on
    >>> pgd(model, images, torch.tensor([1, 1]), [0.05, 0.2, 0.5]).double().mean(1)
    tensor([1.0000, 0.5000, 0.0000], dtype=torch.float64)
    """
    from tune_reg.evaluation.foolbox_attacks import DESCENT

    attack = DESCENT[norm](rel_stepsize=2.5 / steps, steps=steps)
    return _withstood(attack, model, images, labels, epsilons, starts=_starts(images, norm, seed))


def carlini_wagner(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """L2 distance of each image to the nearest wrong one that Carlini and Wagner's attack finds, float64 [N], CPU.

    It minimises ``|x' - x|_2^2 + c max(0, margin(x'))`` over ``x' = (tanh(w) + 1) / 2`` by Adam, and searches ``c``
    for each image (``CW_SEARCHES`` x ``CW_STEPS`` steps). 0 where the model is wrong without an attack, infinite
    where nothing was found. The true distance can only be smaller.

    Source: Carlini and Wagner, Towards Evaluating the Robustness of Neural Networks, IEEE S&P 2017.

    >>> from tune_reg.evaluation import carlini_wagner
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2))
    >>> _ = model[1].weight.data.copy_(torch.tensor([[0.0], [1.0]])), model[1].bias.data.copy_(torch.tensor([0.5, 0.0]))
    >>> images = torch.tensor([0.4, 0.6, 0.9]).reshape(3, 1, 1, 1)  # class 1 from 0.5 on
    >>> [round(distance, 2) for distance in carlini_wagner(model, images, torch.tensor([1, 1, 1])).tolist()]
    [0.0, 0.1, 0.4]
    """
    from tune_reg.evaluation.foolbox_attacks import L2CarliniWagnerAttack

    # Stopping early would look at the loss of the whole batch, and results would depend on its size.
    attack = L2CarliniWagnerAttack(
        binary_search_steps=CW_SEARCHES,
        steps=CW_STEPS,
        stepsize=CW_STEP_SIZE,
        initial_const=CW_FIRST_CONSTANT,
        abort_early=False,
    )
    return _distances(attack, model, images, labels)


def deepfool(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """L2 distance of each image to the nearest wrong one that DeepFool finds, float64 [N], CPU.

    At each of up to 50 steps the model is replaced by its tangent, of the 10 likeliest classes, and the image moved to
    the nearest boundary and 2 % beyond. 0 where the model is wrong without an attack, infinite where nothing was
    found. The true distance can only be smaller.

    Source: Moosavi-Dezfooli, Fawzi and Frossard, DeepFool: a Simple and Accurate Method to Fool Deep Neural
    Networks, CVPR 2016.

    >>> from tune_reg.evaluation import deepfool
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2))
    >>> _ = model[1].weight.data.copy_(torch.tensor([[0.0], [1.0]])), model[1].bias.data.copy_(torch.tensor([0.5, 0.0]))
    >>> images = torch.tensor([0.4, 0.6, 0.9]).reshape(3, 1, 1, 1)  # class 1 from 0.5 on
    >>> [round(distance, 2) for distance in deepfool(model, images, torch.tensor([1, 1, 1])).tolist()]
    [0.0, 0.1, 0.41]
    """
    from tune_reg.evaluation.foolbox_attacks import L2DeepFoolAttack

    return _distances(L2DeepFoolAttack(), model, images, labels)


def autoattack(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilons: Sequence[float],
    *,
    norm: Norm = "linf",
    seed: int = 0,
) -> Tensor:
    """AutoAttack: APGD on the cross-entropy, APGD and FAB towards each of nine classes, and Square.

    Each of the four attacks the images that are left of the one before; what is wrong within a radius is wrong within
    every larger one. APGD takes ``APGD_STEPS`` steps from the random start of ``pgd``; its targets are the classes of
    the largest logits, one after the other, by the difference of logits ratio. FAB takes ``FAB_STEPS`` steps towards
    the same classes; a wrong image that it finds counts where it lies within the radius. Square makes
    ``SQUARE_QUERIES`` queries.
    Returns bool [epsilons, N], on the CPU: which images are still right; their mean is the accuracy under attack.

    Source: Croce and Hein, Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free
    Attacks, ICML 2020.

    >>> from tune_reg.evaluation import autoattack
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2))
    >>> _ = model[1].weight.data.copy_(torch.tensor([[0.0], [1.0]])), model[1].bias.data.copy_(torch.tensor([0.5, 0.0]))
    >>> images = torch.tensor([0.6, 0.9]).reshape(2, 1, 1, 1)  # class 1 from 0.5 on
    >>> autoattack(model, images, torch.tensor([1, 1]), [0.05, 0.2, 0.5])
    tensor([[ True,  True],
            [False,  True],
            [False, False]])
    """
    right, starts = correct(model, images, labels), _starts(images, norm, seed)
    withstood = torch.zeros(len(epsilons), len(images), dtype=torch.bool)
    with attackable(model):
        for i in sorted(range(len(epsilons)), key=lambda i: epsilons[i]):
            for (chunk,) in _batches(right.nonzero().flatten(), device=images.device) if right.any() else ():
                index = chunk.to(images.device)
                of_chunk = model, images[index], labels[index], starts[index]
                right[chunk] = ~_fooled_by_ensemble(*of_chunk, epsilons[i], norm=norm, seed=seed).cpu()
            withstood[i] = right
    return withstood


def _fooled_by_ensemble(
    model: nn.Module, images: Tensor, labels: Tensor, starts: Tensor, epsilon: float, *, norm: Norm, seed: int
) -> Tensor:
    """Which images become wrong within ``epsilon`` under one of the attacks of the ensemble: bool [B]."""
    with torch.no_grad():
        ranked = model(images).argsort(1, descending=True)
    others = ranked[ranked != labels.unsqueeze(1)].view(len(images), -1)
    fooled = torch.zeros(len(images), dtype=torch.bool, device=images.device)

    def attack(run: Callable[[Tensor], Tensor]) -> None:
        left = (~fooled).nonzero().flatten()
        if len(left):
            fooled[left] = run(left)

    def ascend(left: Tensor, loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        of_left = images[left], labels[left], starts[left]
        return apgd(model, *of_left, epsilon, norm=norm, loss=loss, steps=APGD_STEPS)

    def ascend_towards(target: int, left: Tensor) -> Tensor:
        return ascend(left, lambda z, y, index: targeted_difference(z, y, others[left][index, target]))

    def search_towards(target: int, left: Tensor) -> Tensor:
        captured = CapturedModel(model, graphs_for(images.device))
        return fab(captured, images[left], labels[left], others[left, target], norm=norm, steps=FAB_STEPS) <= epsilon

    attack(lambda left: ascend(left, lambda z, y, _: cross_entropy(z, y)))
    targets = range(min(TARGETS, others.shape[1]))
    for target in targets:
        attack(partial(ascend_towards, target))
    for target in targets:
        attack(partial(search_towards, target))
    source = generator(seed, f"square-{norm}")
    search = partial(square, model, norm=norm, queries=SQUARE_QUERIES, source=source)
    attack(lambda left: search(images=images[left], labels=labels[left], epsilon=epsilon))
    return fooled


@dataclass(frozen=True)
class Attack:
    """An attack that a study can ask for: a ``RadiusAttack`` or a ``DistanceAttack``."""

    #: The name of the attack's rows in the table "robustness".
    name: str
    norm: Norm
    #: One line for people.
    description: str
    #: What a report calls the method where it cites it.
    method: str
    #: The key of the publication in ``references.bib``.
    citation: str
    #: How often an image passes through the network, forwards and backwards, at most; at each radius, where there is
    #: one.
    passes: int
    #: The key of ``RobustnessSettings`` that says how many images are attacked.
    images: str = field(default="images", kw_only=True)
    #: What a report calls each attack of an ensemble that has a publication of its own, and its key there.
    parts: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)

    @property
    def key(self) -> str:
        """The key of ``RobustnessSettings`` that gives the radii."""
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class RadiusAttack(Attack):
    """An attack that looks for a wrong image within each radius: ``run(model, images, labels, epsilons, seed)``.

    ``run`` returns bool [epsilons, N]: which images are still right.
    """

    run: Callable[[nn.Module, Tensor, Tensor, Sequence[float], int], Tensor]
    #: How a result is checked: by its gradients; by a single step, by fewer steps and by AutoAttack; not at all.
    checked: Literal["by gradients", "by other attacks", "not"]


@dataclass(frozen=True)
class DistanceAttack(Attack):
    """An attack that looks for the nearest wrong image: ``run(model, images, labels)``.

    ``run`` returns the distance of each image to the nearest wrong one, float64 [N], infinite where none was found.
    """

    run: Callable[[nn.Module, Tensor, Tensor], Tensor]


FGSM: Final = RadiusAttack(
    "fgsm",
    "linf",
    "the fast gradient sign method: one step along the sign of the gradient",
    "FGSM",
    "goodfellow2015explaining",
    1,
    lambda model, images, labels, epsilons, _: fast_gradient(model, images, labels, epsilons),
    checked="by gradients",
)
PGD_LINF: Final = RadiusAttack(
    "pgd-linf",
    "linf",
    f"projected gradient descent in Linf: {PGD_STEPS} steps from a random start",
    "PGD",
    "madry2018towards",
    PGD_STEPS,
    lambda model, images, labels, epsilons, seed: pgd(model, images, labels, epsilons, norm="linf", seed=seed),
    checked="by other attacks",
)
PGD_L2: Final = RadiusAttack(
    "pgd-l2",
    "l2",
    f"projected gradient descent in L2: {PGD_STEPS} steps from a random start",
    "PGD",
    "madry2018towards",
    PGD_STEPS,
    lambda model, images, labels, epsilons, seed: pgd(model, images, labels, epsilons, norm="l2", seed=seed),
    checked="by other attacks",
)
CW_L2: Final = DistanceAttack(
    "cw-l2",
    "l2",
    "Carlini and Wagner's attack: the nearest wrong image in L2 by minimising distance and margin",
    "Carlini and Wagner's attack",
    "carlini2017towards",
    CW_SEARCHES * CW_STEPS,
    carlini_wagner,
)
DEEPFOOL_L2: Final = DistanceAttack(
    "deepfool-l2",
    "l2",
    "DeepFool: the nearest wrong image in L2 by steps to the boundary of the linearised model",
    "DeepFool",
    "moosavidezfooli2016deepfool",
    50 * 10,  # a gradient of each of 10 classes in each of 50 steps
    deepfool,
)
# Each step of FAB takes a gradient, and looks at where it leads.
_ENSEMBLE_PASSES: Final = (1 + TARGETS) * (APGD_STEPS + 1) + TARGETS * 2 * FAB_STEPS + SQUARE_QUERIES + 1
_ENSEMBLE: Final = (
    f"APGD on the cross-entropy, APGD and FAB towards {TARGETS} classes, {APGD_STEPS} steps each, and Square"
)
_PARTS: Final = (
    ("FAB, an attack of AutoAttack", "croce2020minimally"),
    ("Square, an attack of AutoAttack", "andriushchenko2020square"),
)
AUTOATTACK_LINF: Final = RadiusAttack(
    "autoattack-linf",
    "linf",
    f"AutoAttack in Linf: {_ENSEMBLE} with {SQUARE_QUERIES:,} queries",
    "AutoAttack",
    "croce2020reliable",
    _ENSEMBLE_PASSES,
    lambda model, images, labels, epsilons, seed: autoattack(model, images, labels, epsilons, norm="linf", seed=seed),
    checked="not",
    images="autoattack_images",
    parts=_PARTS,
)
AUTOATTACK_L2: Final = RadiusAttack(
    "autoattack-l2",
    "l2",
    f"AutoAttack in L2: {_ENSEMBLE} with {SQUARE_QUERIES:,} queries",
    "AutoAttack",
    "croce2020reliable",
    _ENSEMBLE_PASSES,
    lambda model, images, labels, epsilons, seed: autoattack(model, images, labels, epsilons, norm="l2", seed=seed),
    checked="not",
    images="autoattack_images",
    parts=_PARTS,
)

#: All attacks, in the order of their rows.
ATTACKS: Final[tuple[RadiusAttack | DistanceAttack, ...]] = (
    FGSM,
    PGD_LINF,
    PGD_L2,
    CW_L2,
    DEEPFOOL_L2,
    AUTOATTACK_LINF,
    AUTOATTACK_L2,
)


def correct(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Which images the model gets right in evaluation mode: bool [N], on the CPU."""
    with attackable(model), torch.no_grad():
        return torch.cat([(model(batch).argmax(1) == targets).cpu() for batch, targets in _batches(images, labels)])


def gradient_norms(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The L2 norm of the cross-entropy's gradient by each image: float64 [N], on the CPU."""
    with attackable(model):
        norms = []
        for batch, targets in _batches(images, labels):
            inputs = batch.detach().clone().requires_grad_()
            loss = nn.functional.cross_entropy(model(inputs), targets, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, inputs)
            norms.append(gradient.flatten(1).double().norm(dim=1).cpu())
    return torch.cat(norms)


@contextmanager
def attackable(model: nn.Module) -> Iterator[None]:
    """A context in which ``model`` can be attacked; at the end, model and random state are as before.

    The model is in evaluation mode, with constant parameters, which shortens the backward pass. Torch's own generators
    are seeded for foolbox, and for models that draw numbers: two runs must draw the same ones. Products are in float32.
    """
    was_training = [module for module in model.modules() if module.training]
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    cuda = sorted({parameter.device.index for parameter in model.parameters() if parameter.is_cuda})
    with torch.random.fork_rng(devices=cuda), products("float32"):
        torch.default_generator.manual_seed(derive(0, "attack"))
        for device in cuda:
            torch.cuda.default_generators[device].manual_seed(derive(0, "attack"))
        model.eval()
        for parameter in trainable:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in trainable:
                parameter.requires_grad_(True)
            for module in was_training:
                module.training = True


def _starts(images: Tensor, norm: Norm, seed: int) -> Tensor:
    """A random point for each image, uniform in the unit ball of the norm."""
    source = generator(seed, f"pgd-{norm}")
    shape = images.shape
    if norm == "linf":
        return torch.rand(shape, generator=source, dtype=torch.float32).mul_(2).sub_(1).to(images)
    direction = torch.randn(shape, generator=source, dtype=torch.float32).flatten(1)
    radius = torch.rand(len(images), 1, generator=source, dtype=torch.float64) ** (1 / direction.shape[1])
    starts: Tensor = direction / direction.norm(dim=1, keepdim=True) * radius
    return starts.reshape(shape).to(images)


def _withstood(
    attack: Any,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilons: Sequence[float],
    *,
    starts: Tensor | None = None,
) -> Tensor:
    """Which images are still right at each radius: bool [epsilons, N]."""

    def run(attacked: Any, batch: Tensor, targets: Tensor, index: Tensor) -> Tensor:
        if starts is not None:
            attack.starts = starts[index]
        success: Tensor = attack(attacked, batch, targets, epsilons=list(epsilons))[2]
        return ~success.T

    withstood = torch.zeros(len(images), len(epsilons), dtype=torch.bool)
    return _attack_right_images(run, withstood, model, images, labels).T


def _distances(attack: Any, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The L2 distance of each image to the wrong image that an attack finds: float64 [N], infinite for none."""

    def run(attacked: Any, batch: Tensor, targets: Tensor, _: Tensor) -> Tensor:
        adversarial, _, success = attack(attacked, batch, targets, epsilons=None)
        # foolbox gives a black image where Carlini and Wagner's attack finds nothing.
        success = success & (adversarial != 0).flatten(1).any(1)
        distance: Tensor = (adversarial - batch).flatten(1).double().norm(dim=1)
        return distance.where(success, math.inf)

    return _attack_right_images(run, torch.zeros(len(images), dtype=torch.float64), model, images, labels)


def _attack_right_images(
    run: Callable[[Any, Tensor, Tensor, Tensor], Tensor],
    into: Tensor,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
) -> Tensor:
    """Call ``run`` on batches of the images that the model gets right, and write its results into their rows."""
    from tune_reg.evaluation.foolbox_attacks import PyTorchModel

    index = correct(model, images, labels).nonzero().flatten()
    with attackable(model):
        captured = CapturedModel(model, graphs_for(images.device))
        attacked = PyTorchModel(captured, bounds=(0, 1), device=images.device)
        for (chunk,) in _batches(index, device=images.device) if len(index) else ():
            on_device = chunk.to(images.device)
            into[chunk] = run(attacked, images[on_device], labels[on_device], on_device).cpu()
    return into


def _batches(*tensors: Tensor, device: torch.device | None = None) -> Iterator[tuple[Tensor, ...]]:
    """The tensors in batches, of a size that suits ``device``; None: the device of the first tensor."""
    size = _BATCH.get((device or tensors[0].device).type, 100)
    return zip(*(torch.split(tensor, size) for tensor in tensors), strict=True)
