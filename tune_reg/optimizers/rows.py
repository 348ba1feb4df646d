"""How the tensors of a network lie one after the other in a row of numbers, each row that of one of many networks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

#: Each tensor of a row, and each row, begins at a multiple of so many numbers. Triton reads several numbers at once
#: where it knows that addresses and lengths are multiples of 16, and cuBLAS where they are multiples of 16 bytes.
MULTIPLE: Final = 16


class Piece(NamedTuple):
    """Where one tensor lies in a row: its shape, its first number, and how many it has, without and with padding."""

    shape: tuple[int, ...]
    begin: int
    size: int
    padded: int


class RowLayout(NamedTuple):
    """The tensors of a row, in their order, and the number of numbers of a row, with padding. All padding is 0."""

    pieces: tuple[Piece, ...]
    width: int

    def split(self, rows: Tensor) -> list[Tensor]:
        """Rows [K, P] as one tensor [K, *shape] for each piece, all of them views, without the padding."""
        return [rows.narrow(1, p.begin, p.size).view(len(rows), *p.shape) for p in self.pieces]

    def join(self, tensors: Sequence[Tensor]) -> Tensor:
        """Tensors [K, *shape] as new rows [K, P].

        >>> row_layout([(2,), (1,)]).join([torch.tensor([[1, 2]]), torch.tensor([[3]])]).nonzero()[:, 1]
        tensor([ 0,  1, 16])
        """
        rows = tensors[0].new_zeros(len(tensors[0]), self.width)
        torch._foreach_copy_(self.split(rows), list(tensors))
        return rows


def row_layout(shapes: Iterable[Sequence[int]]) -> RowLayout:
    """The layout of a row that holds tensors of these shapes.

    >>> layout = row_layout([(4, 5), (4,)])
    >>> [(piece.begin, piece.size, piece.padded) for piece in layout.pieces], layout.width
    ([(0, 20, 32), (32, 4, 16)], 48)
    """
    pieces: list[Piece] = []
    end = 0
    for shape in shapes:
        size = math.prod(shape)
        padded = math.ceil(size / MULTIPLE) * MULTIPLE
        pieces.append(Piece(tuple(shape), end, size, padded))
        end += padded
    return RowLayout(tuple(pieces), end)
