"""How a model is declared: its name, one line for people, and how its net is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class ModelEntry:
    """A model that a study can name."""

    name: str
    #: One line for people.
    title: str
    #: (channels, (height, width), classes) -> net.
    build: Callable[[int, tuple[int, int], int], nn.Module]
    #: Smaller images get a black border up to this side.
    smallest: int = 1
    #: Whether the net has dropout layers.
    dropout: bool = False
    #: Whether the net takes examples of any shape, which it flattens; else images alone.
    flattens: bool = False
