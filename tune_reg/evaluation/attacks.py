"""Attacks on images in [0, 1], by foolbox. Normalisation is inside the model, so radii are in image units.

Every function takes ``model``: logits [N, M] of images; ``images``: float [N, C, H, W] in [0, 1], on the model's
device; ``labels``: int64 [N] there. The model is attacked in evaluation mode, with constant parameters, and
left as it was. Images that it gets wrong without an attack count as wrong, and are not attacked.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from tune_reg.training.seeding import derive, generator

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # foolbox imports what its dependencies deprecate
    from foolbox.attacks.carlini_wagner import L2CarliniWagnerAttack
    from foolbox.attacks.deepfool import L2DeepFoolAttack
    from foolbox.attacks.fast_gradient_method import L2FastGradientAttack, LinfFastGradientAttack
    from foolbox.attacks.projected_gradient_descent import (
        L2ProjectedGradientDescentAttack,
        LinfProjectedGradientDescentAttack,
    )
    from foolbox.models.pytorch import PyTorchModel

Norm = Literal["linf", "l2"]

PGD_STEPS: Final = 40

#: Of Carlini and Wagner's attack. foolbox's own 9 searches of 10,000 steps of 0.01 are out of reach on a CPU. With few
#: steps they must be longer: pixels at exactly 0 or 1 lie far out in the space of the search, and at steps of
#: 0.01 would hardly move (benchmarks/attacks.py prints the distances that both find).
CW_SEARCHES: Final = 5
CW_STEPS: Final = 200
CW_STEP_SIZE: Final = 0.05
CW_FIRST_CONSTANT: Final = 0.1

#: Images at a time, by device. On a CPU the activations of more images do not stay in the cache; a GPU wants many.
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
    kinds = {"linf": LinfFastGradientAttack, "l2": L2FastGradientAttack}
    return _withstood(kinds[norm](), model, images, labels, epsilons)


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
    kinds = {"linf": _LinfFromStarts, "l2": _L2FromStarts}
    attack = kinds[norm](rel_stepsize=2.5 / steps, steps=steps)
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
    return _distances(L2DeepFoolAttack(), model, images, labels)


def correct(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Which images the model gets right, bool [N], on the CPU; in evaluation mode."""
    with attackable(model), torch.no_grad():
        return torch.cat([(model(batch).argmax(1) == targets).cpu() for batch, targets in _batches(images, labels)])


def gradient_norms(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """L2 norm of the cross-entropy's gradient by each image, float64 [N], on the CPU."""
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
    """In evaluation mode, with constant parameters, and torch's own generators seeded; all put back at the end.

    Without gradients of the parameters the backward pass is shorter. The generators matter to foolbox, and to models
    that draw numbers: two runs must see the same ones, and training must not notice.
    """
    was_training = [module for module in model.modules() if module.training]
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    cuda = sorted({parameter.device.index for parameter in model.parameters() if parameter.is_cuda})
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(derive(0, "attack"))
        for device in cuda:
            torch.cuda.default_generators[device].manual_seed(derive(0, "attack"))
        model.eval()
        for parameter in learning:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in learning:
                parameter.requires_grad_(True)
            for module in was_training:
                module.training = True


class _FromStarts:
    """foolbox's descent, from starts that were drawn for all images at once: batches do not change them."""

    starts: Tensor
    """Of the batch that is attacked, in the unit ball."""

    def get_random_start(self, x0: Any, epsilon: float) -> Any:
        """The start of each image, ``epsilon`` times its point in the unit ball."""
        return x0 + epsilon * type(x0)(self.starts)


class _LinfFromStarts(_FromStarts, LinfProjectedGradientDescentAttack):
    pass


class _L2FromStarts(_FromStarts, L2ProjectedGradientDescentAttack):
    pass


def _starts(images: Tensor, norm: Norm, seed: int) -> Tensor:
    """A point uniform in the unit ball for each image."""
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
    """Which images are still right at each radius, bool [epsilons, N]."""

    def run(attacked: PyTorchModel, batch: Tensor, targets: Tensor, index: Tensor) -> Tensor:
        if starts is not None:
            attack.starts = starts[index]
        success: Tensor = attack(attacked, batch, targets, epsilons=list(epsilons))[2]
        return ~success.T

    withstood = torch.zeros(len(images), len(epsilons), dtype=torch.bool)
    return _on_right_ones(run, withstood, model, images, labels).T


def _distances(attack: Any, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The L2 distances that an attack which minimises them finds, float64 [N]."""

    def run(attacked: PyTorchModel, batch: Tensor, targets: Tensor, _: Tensor) -> Tensor:
        found, _, success = attack(attacked, batch, targets, epsilons=None)
        # foolbox gives a black image where Carlini and Wagner's attack found nothing.
        success = success & (found != 0).flatten(1).any(1)
        distance: Tensor = (found - batch).flatten(1).double().norm(dim=1)
        return distance.where(success, math.inf)

    return _on_right_ones(run, torch.zeros(len(images), dtype=torch.float64), model, images, labels)


def _on_right_ones(
    run: Callable[[PyTorchModel, Tensor, Tensor, Tensor], Tensor],
    into: Tensor,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
) -> Tensor:
    """What ``run`` says of each image that the model gets right, written ``into`` its row."""
    index = correct(model, images, labels).nonzero().flatten()
    with attackable(model):
        attacked = PyTorchModel(model, bounds=(0, 1), device=images.device)
        for (chunk,) in _batches(index, device=images.device) if len(index) else ():
            there = chunk.to(images.device)
            into[chunk] = run(attacked, images[there], labels[there], there).cpu()
    return into


def _batches(*tensors: Tensor, device: torch.device | None = None) -> Iterator[tuple[Tensor, ...]]:
    """The tensors in step, as many rows at a time as suit ``device``, which is that of the first if None."""
    size = _BATCH.get((device or tensors[0].device).type, 100)
    return zip(*(torch.split(tensor, size) for tensor in tensors), strict=True)
