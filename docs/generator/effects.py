"""Figures of what a regularizer does, drawn by calling its own hooks on small, fixed inputs."""

import itertools
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from tune_reg.regularizers import Progress, Regularizer

_WIDTH, _HEIGHT = 6.0, 2.8  # inches
_COLOURS = ("#0b6bcb", "#c4490a", "#0a7d4b")
_STEPS = 200


def draw_effect(kind: type[Regularizer], path: Path) -> str:
    """Draw what the regularizer does into an SVG file; the caption in a sentence.

    What is drawn depends on the hook that the class fills; "" where there is no drawing of any of them.
    """
    draw = next((draw for hook, draw in _DRAWINGS.items() if kind.fills(hook)), None)
    if draw is None:
        return ""
    style = {"svg.hashsalt": kind.name, "svg.fonttype": "path", "font.size": 9, "axes.spines.top": False}
    with mpl.rc_context({**style, "axes.spines.right": False}):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        caption = draw(kind, figure)
        figure.savefig(path, metadata={"Date": None})
    return caption


def _progress(step: float, rate: float = 1.0) -> Progress:
    return Progress(*(torch.tensor(value, dtype=torch.float64) for value in (step, step, 0.1 * rate, rate)))


def _strengths(kind: type[Regularizer], **values: float) -> dict[str, Tensor]:
    numbers = {p.name: float(p.default) for p in kind.hyperparameters if not p.is_choice}
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in {**numbers, **values}.items()}


def _three(kind: type[Regularizer]) -> list[float]:
    """Three strengths: a third of the default, the default and three times the default, inside the hard bounds."""
    hyperparameter = kind.hyperparameter(kind.strength)
    assert hyperparameter is not None
    default = float(hyperparameter.default)
    return [min(max(default * factor, hyperparameter.low), hyperparameter.high) for factor in (1 / 3, 1, 3)]


def _gradient(kind: type[Regularizer], figure: Figure) -> str:
    """What is added to the gradient, or what is left of it."""
    axes = figure.subplots()
    torch.manual_seed(0)
    gradient = torch.randn(400, dtype=torch.float64).sort().values
    noise = torch.randn(400, dtype=torch.float64)
    weights = torch.linspace(-1, 1, 400, dtype=torch.float64)
    has_alpha = kind.hyperparameter("alpha") is not None
    name, numbers = ("alpha", [1.0, 4.0, 8.0]) if has_alpha else (kind.strength, _three(kind))
    for colour, number in zip(_COLOURS, numbers, strict=True):
        strengths = _strengths(kind, **{name: number})
        if has_alpha:
            one = torch.ones_like(gradient)
            added = kind().gradient(gradient, one, strengths, _progress(0.5), noise) - gradient
            x, y = gradient.abs(), added / strengths["weight_decay"]
        else:
            zero = torch.zeros_like(weights)
            x, y = weights, kind().gradient(zero, weights, strengths, _progress(0.5), None)
        axes.plot(x.numpy(), y.numpy(), ".", ms=3, color=colour, label=f"{name} {number:.3g}")
    axes.legend(frameon=False)
    if has_alpha:
        axes.set(xlabel="size of the gradient of a weight, in standard deviations", ylabel="decay / lambda")
        return (
            "The decay of 400 weights of one layer, as a multiple of that of constant weight decay, against the "
            "size of "
            "their gradients, at three slopes alpha."
        )
    axes.set(xlabel="weight", ylabel="added to its gradient")
    return "What is added to the gradient of a weight, against the weight, at three strengths."


def _decay(kind: type[Regularizer], figure: Figure) -> str:
    """The coefficient of weight decay as the learning rate falls, and a weight that nothing else moves."""
    left, right = figure.subplots(1, 2)
    share = np.linspace(0, 1, _STEPS, endpoint=False)
    rates = 0.5 * (1 + np.cos(np.pi * share))
    for colour, value in zip(_COLOURS, _three(kind), strict=True):
        strengths = _strengths(kind, **{kind.strength: value})
        made = kind()
        lambdas = [float(made.weight_decay(strengths, _progress(t, r))) for t, r in zip(share, rates, strict=True)]
        left.plot(share, lambdas, color=colour, label=f"{kind.strength} {value:.2g}")
        steps = 100 * 0.1 * rates * np.array(lambdas)  # a hundred steps of SGD for each point
        right.plot(share, np.exp(np.log1p(-steps).cumsum()), color=colour)
    left.set(xlabel="share of the training", ylabel="lambda", yscale="log")
    left.legend(frameon=False, fontsize=7)
    right.set(xlabel="share of the training", ylabel="weight without gradient")
    return (
        "Left: the coefficient over a training whose learning rate falls by a cosine from 0.1, at three "
        "strengths. Right: "
        "what is left of a weight of 1 that gets no other gradient in 20,000 steps of SGD."
    )


def _update(kind: type[Regularizer], figure: Figure) -> str:
    axes = figure.subplots()
    for colour, value in zip(_COLOURS, _three(kind), strict=True):
        weight, sizes = torch.ones(1, dtype=torch.float64), []
        for step in range(_STEPS):
            strengths = _strengths(kind, **{kind.strength: 100 * value})  # a hundred steps in one
            weight = kind().update(weight, torch.zeros(1, dtype=torch.float64), strengths, _progress(step / _STEPS))
            sizes.append(float(weight))
        axes.plot(100 * np.arange(1, _STEPS + 1), sizes, color=colour, label=f"{kind.strength} {value:.2g}")
    axes.set(xlabel="steps, at a learning rate of 0.1", ylabel="weight without gradient")
    axes.legend(frameon=False)
    return "What is left of a weight of 1 that gets no gradient, at three strengths and a learning rate of 0.1."


def _loss(kind: type[Regularizer], figure: Figure) -> str:
    left, right = figure.subplots(1, 2)
    share = np.linspace(0, 1, _STEPS, endpoint=False)
    for colour, width in zip(_COLOURS, (0.1, 0.5, 1.7), strict=True):
        made, strengths = kind(), _strengths(kind, b=width)
        left.plot(
            share,
            [float(made.current_strength(strengths, _progress(t))) for t in share],
            color=colour,
            label=f"b {width:g}",
        )
    left.set(xlabel="share of the training", ylabel="scale s", ylim=(0, 1.05))
    left.legend(frameon=False)
    logits, outputs = _outputs()
    for colour, scale in zip(_COLOURS, (0.0, 0.5, 1.0), strict=True):
        strengths, made = _strengths(kind, scale=scale), kind()
        targets = torch.zeros(1, dtype=torch.int64)
        losses = [float(made.loss(row[None], targets, strengths, _progress(0.75))) for row in outputs]
        right.plot(_probability(logits), losses, color=colour, label=f"s {scale:g}")
    right.set(xlabel="probability of the true class", ylabel="loss of an image")
    right.legend(frameon=False)
    return (
        "Left: how the smoothing is annealed, for three widths b. Right: the loss of one image of three classes "
        "against the "
        "probability of its class, at three scales s; s = 0 is mean squared error."
    )


def _outputs() -> tuple[Tensor, Tensor]:
    """Logits of the true class of three, and the outputs with them."""
    logits = torch.linspace(-4, 6, 101, dtype=torch.float64)
    rest = torch.tensor([0.5, -0.5], dtype=torch.float64).expand(101, 2)
    return logits, torch.cat([logits[:, None], rest], dim=1)


def _probability(logits: Tensor) -> np.ndarray:
    rest = float(np.exp(0.5) + np.exp(-0.5))
    exponent = np.exp(logits.numpy())
    return exponent / (exponent + rest)


def _penalty(kind: type[Regularizer], figure: Figure) -> str:
    """The penalty of one image under a linear network of three classes, against the probability of its class."""
    axes = figure.subplots()
    logits, outputs = _outputs()
    estimator = kind.hyperparameter("estimator")
    made = kind(estimator="exact") if estimator else kind()
    weights = torch.tensor([[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.8]], dtype=torch.float64)
    values = []
    for row in outputs:
        inputs = torch.zeros(1, 1, 1, 2, dtype=torch.float64, requires_grad=True)
        linear = inputs.flatten(1) @ weights.T + row
        targets = torch.zeros(1, dtype=torch.int64)
        strengths = _strengths(kind, **{kind.strength: 1.0})
        values.append(made.penalty(inputs, linear, targets, strengths, _progress(0.5), None).item())
    axes.plot(_probability(logits), values, color=_COLOURS[0])
    if min(values) >= 0:
        axes.set_ylim(bottom=0)
    axes.set(xlabel="probability of the true class", ylabel="penalty / strength")
    return (
        "The penalty of one image of three classes under a linear network, as a multiple of its strength, against the "
        "probability that the network gives to the true class."
    )


def _inputs(kind: type[Regularizer], figure: Figure) -> str:
    from tune_reg.data import load

    image = load("digits").train_images[:1].movedim(-1, 1).double() / 255
    torch.manual_seed(0)
    noise = torch.randn_like(image)
    values = [0.0, *_three(kind)]
    for axes, value in zip(figure.subplots(1, 4), values, strict=True):
        noisy = kind().inputs(image, _strengths(kind, **{kind.strength: value}), _progress(0.5), noise)
        _show(axes, noisy[0, 0].numpy(), f"{kind.strength} {value:.2g}")
    return "An image of the data set digits as the network sees it, at four strengths."


def _mix(kind: type[Regularizer], figure: Figure) -> str:
    from tune_reg.data import load

    images = load("digits").train_images[:6].movedim(-1, 1).double() / 255
    one_hot = torch.eye(6, dtype=torch.float64)  # each image a class of its own, so that its part is seen
    shape = kind().noise_shape("mix", images.shape)
    assert shape is not None
    strengths = _strengths(kind, **({"probability": 1.0} if kind.hyperparameter("probability") else {}))
    before, after = figure.subplots(2, 6)
    for seed in itertools.count():  # the first draw in which both of two images can be seen
        noise = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        mixed, targets = kind().mix(images, one_hot, strengths, _progress(0.5), noise)
        if 0.55 < float(targets.diagonal().max()) < 0.8:
            break
    for place in range(6):
        _show(before[place], images[place, 0].numpy(), f"image {place + 1}")
        share = float(targets[place, place])
        _show(after[place], mixed[place, 0].numpy(), f"{share:.0%} its own")
    return (
        "Six images of the data set digits above, and below what the network sees of them, with the share of their own "
        "class in the target."
    )


def _show(axes: Axes, pixels: np.ndarray, title: str) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1)
    axes.set_title(title, fontsize=8)
    axes.set_axis_off()


def _targets(kind: type[Regularizer], figure: Figure) -> str:
    axes = figure.subplots()
    one_hot = torch.nn.functional.one_hot(torch.tensor([3]), 10).double()
    for place, (colour, value) in enumerate(zip(_COLOURS, _three(kind), strict=True)):
        smoothed = kind().targets(one_hot, _strengths(kind, **{kind.strength: value}), _progress(0.5))
        axes.bar(np.arange(10) + 0.27 * (place - 1), smoothed[0].numpy(), 0.25, color=colour, label=f"{value:.2g}")
    axes.set(xlabel="class", ylabel="target", xticks=range(10))
    axes.legend(frameon=False, title=kind.strength)
    return "The target of an image of class 3 of ten, at three strengths."


def _dropout(kind: type[Regularizer], figure: Figure) -> str:
    torch.manual_seed(0)
    for axes, value in zip(figure.subplots(1, 3), _three(kind), strict=True):
        rate = float(kind().dropout(_strengths(kind, **{kind.strength: value}), _progress(0.5)))
        units = torch.nn.functional.dropout(torch.ones(12, 12), rate)
        axes.imshow(units.numpy(), cmap="Blues", vmin=0, vmax=2)
        axes.set_title(f"{kind.strength} {rate:.2g}", fontsize=8)
        axes.set_axis_off()
    return "The factors of 144 hidden units in one step, at three rates: white is dropped, the others are scaled up."


def _sparsity(kind: type[Regularizer], figure: Figure) -> str:
    axes = figure.subplots()
    share = np.linspace(0, 1, _STEPS, endpoint=False)
    for colour, value in zip(_COLOURS, (0.25, 0.5, 0.9), strict=True):
        strengths = _strengths(kind, sparsity=value, begin=0.2, end=0.8)
        resting = [float(kind().sparsity(strengths, _progress(t))) for t in share]
        axes.plot(share, resting, color=colour, label=f"sparsity {value:g}")
    axes.set(xlabel="share of the training", ylabel="share of weights that rest", ylim=(0, 1))
    axes.legend(frameon=False)
    return "Which share of the weights gets no update over a training, for begin 0.2, end 0.8 and three sparsities."


#: What is drawn, by the first of these hooks that a class fills.
_DRAWINGS: dict[str, Callable[[type[Regularizer], Figure], str]] = {
    "sparsity": _sparsity,
    "loss": _loss,
    "penalty": _penalty,
    "inputs": _inputs,
    "mix": _mix,
    "targets": _targets,
    "dropout": _dropout,
    "gradient": _gradient,
    "update": _update,
    "weight_decay": _decay,
}
