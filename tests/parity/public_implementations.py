"""Writes ``public_implementations.json``: what public implementations of recent methods do in float64.

The packages are no dependency of this project. To make the file again, install them beside torch, and run this file:

    pip install --no-deps --target /tmp/packages pytorch_optimizer==4.1.0 pytorch_cpr==0.3.1 timm==1.0.31
    PYTHONPATH=/tmp/packages python tests/parity/public_implementations.py

Weights and gradients are sines and cosines, so that no random numbers are needed to have the same ones again.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SHAPES = ((3, 2), (4,), (2, 2, 2))
STEPS = 12
#: So small that it does not matter where a package adds it.
EPS = 1e-16
SETTINGS: dict[str, dict[str, float]] = {
    "sam": {"lr": 0.1, "momentum": 0.9, "rho": 0.3},
    "adamc": {"lr": 0.05, "weight_decay": 0.7},
    "sgdc": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.4},
    "cpr": {"lr": 0.2, "warm_start": 2, "rate": 2.0},
}


def start() -> list[Tensor]:
    """The weights before the first step."""
    return [wave(i, shape, torch.sin) for i, shape in enumerate(SHAPES)]


def wave(phase: float, shape: tuple[int, ...], of: Any = torch.cos) -> Tensor:
    """Numbers in [-1, 1], different for each phase: float64 of ``shape``."""
    count = torch.Size(shape).numel()
    made: Tensor = of(1 + 1.7 * phase + torch.arange(count, dtype=torch.float64)).view(shape)
    return made


def loss(weights: list[Tensor], step: int) -> Tensor:
    """A loss whose minimum moves from step to step, as from batch to batch."""
    return sum(
        ((i + 1) / 2 * (w - minimum(step, i)).square().sum() for i, w in enumerate(weights)),
        torch.zeros((), dtype=torch.float64),
    )


def minimum(step: int, i: int) -> Tensor:
    """Where the loss of a step is least, for tensor ``i``; further out from step to step."""
    return (0.5 + step / 4) * wave(0.2 * step + i, SHAPES[i])


def schedule(step: int) -> float:
    """The learning rate as a share of the first."""
    return 1 - 0.9 * step / STEPS


def trained(optimizer: Any, weights: list[Tensor], *, scheduled: bool = False, closure: bool = False) -> list[Any]:
    """The weights after all steps."""
    first = [group["lr"] for group in optimizer.param_groups]
    for step in range(STEPS):
        for group, lr in zip(optimizer.param_groups, first, strict=True):
            group["lr"] = lr * (schedule(step) if scheduled else 1)

        def evaluate(step: int = step) -> Tensor:
            optimizer.zero_grad()
            made = loss(weights, step)
            made.backward()  # type: ignore[no-untyped-call]
            return made

        evaluate()
        optimizer.step(evaluate) if closure else optimizer.step()
    return [w.detach().tolist() for w in weights]


def main() -> None:
    """Run each package and write what it gives."""
    from pytorch_cpr import AdamCPR
    from pytorch_optimizer import SAM, AdamC
    from timm.optim import SGDW

    def parameters() -> list[Tensor]:
        return [w.requires_grad_() for w in start()]

    made = {}
    s = SETTINGS["sam"]
    weights = parameters()
    sam = SAM(weights, torch.optim.SGD, rho=s["rho"], lr=s["lr"], momentum=s["momentum"])
    made["sam"] = trained(sam, weights, closure=True)
    s = SETTINGS["adamc"]
    weights = parameters()
    groups = [{"params": weights, "normalized": True}]
    adamc = AdamC(groups, lr=s["lr"], weight_decay=s["weight_decay"], betas=(0.9, 0.999), eps=EPS)
    made["adamc"] = trained(adamc, weights, scheduled=True)
    s = SETTINGS["sgdc"]
    weights = parameters()
    sgdc = SGDW(
        weights, lr=s["lr"], momentum=s["momentum"], weight_decay=s["weight_decay"], corrected_weight_decay=True
    )
    made["sgdc"] = trained(sgdc, weights, scheduled=True)
    s = SETTINGS["cpr"]
    weights = parameters()
    groups = [{"params": [w], "regularize": w.ndim > 1} for w in weights]
    cpr = AdamCPR(
        groups,
        lr=s["lr"],
        kappa_init_method="warm_start",
        kappa_init_param=int(s["warm_start"]),
        kappa_update=s["rate"],
        foreach=False,
    )
    made["cpr"] = trained(cpr, weights)
    names = ("pytorch-optimizer", "timm", "pytorch-cpr", "torch")
    versions = {name: importlib.metadata.version(name) for name in names}
    whole = {"versions": versions, "steps": STEPS, "weights": made}
    Path(__file__).with_suffix(".json").write_text(json.dumps(whole, indent=1) + "\n")
    print(versions, file=sys.stderr)


if __name__ == "__main__":
    main()
