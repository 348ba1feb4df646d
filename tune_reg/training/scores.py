"""Mean cross-entropy and accuracy of a network, batch by batch, by a step that can be captured."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tune_reg.data import gather, to_unit
from tune_reg.training.inputs import chunk_sizes, chunked

#: Images at a time.
_BATCH = 1000


class Scores:
    """Sums the cross-entropy and the right answers of ``model`` over the images at ``index`` int64 [n].

    ``images`` [N, ...] and ``labels`` int64 [N] lie on the device of the model, and ``index`` may lie elsewhere.
    """

    def __init__(self, model: nn.Module, images: Tensor, labels: Tensor, index: Tensor, dtype: torch.dtype) -> None:
        self._model, self._images, self._labels, self._dtype = model, images, labels, dtype
        self._n, batch = len(index), min(_BATCH, len(index))
        #: The batch size of each call; the last batch may be smaller.
        self.sizes = chunk_sizes(self._n, batch)
        self._index = chunked(index, batch).to(images.device)
        self._at = torch.zeros(1, dtype=torch.int64, device=images.device)
        #: The sums of the loss and of the right answers.
        self._sums = torch.zeros(2, dtype=torch.float64, device=images.device)

    @property
    def state(self) -> list[Tensor]:
        """The tensors that a call changes."""
        return [self._sums, self._at]

    def begin(self) -> None:
        """Begin anew."""
        for tensor in self.state:
            tensor.zero_()

    @torch.no_grad()
    def __call__(self, size: int) -> None:
        """Evaluate the next ``size`` images, in the mode in which the model is."""
        chunk = self._index.index_select(0, self._at).squeeze(0)[:size]
        outputs = self._model(to_unit(gather(self._images, chunk), self._dtype))
        targets = self._labels[chunk]
        loss, correct = self._sums.unbind()
        loss += nn.functional.cross_entropy(outputs, targets, reduction="sum").double()
        correct += (outputs.argmax(1) == targets).sum()
        self._at.add_(1)

    def read(self) -> tuple[float, float]:
        """Mean cross-entropy and accuracy."""
        loss, correct = self._sums.tolist()
        return loss / self._n, correct / self._n
