"""K networks of one architecture as one: their weights stacked in one flat tensor, the forward pass under vmap."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from tune_reg.errors import StudyError, one_line
from tune_reg.global_generators import current, same
from tune_reg.optimizers.rows import row_layout
from tune_reg.training.dropout_hook import DropoutHook
from tune_reg.training.lanes.convolutions import Formulation, LaneConvolutions, convolution_for
from tune_reg.training.lanes.linear import LaneLinear
from tune_reg.training.max_pool import Pool, max_pools, pool_for
from tune_reg.training.precision import forward_pass


@dataclass
class Stack:
    """The tensors of K lanes: trained weights [K, P], and what is not trained [K, ...] by name.

    Rows [K, P] are laid out by ``row_layout``; their padding is always 0.
    ``kept``: what the optimizer keeps for each weight, by name [K, P]; ``steps``: its steps so far, float64 [K, 1].
    ``memory``: numbers that the regularizer hands on from step to step [K, n].
    """

    weights: Tensor
    kept: dict[str, Tensor]
    steps: Tensor
    memory: Tensor
    buffers: dict[str, Tensor]

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors of the lanes."""
        return [self.weights, *self.kept.values(), self.steps, self.memory, *self.buffers.values()]

    def zeros(self, lanes: int) -> Stack:
        """A stack of zeros for another number of lanes of this architecture."""

        def zeros(like: Tensor) -> Tensor:
            return like.new_zeros(lanes, *like.shape[1:])

        kept = {name: zeros(tensor) for name, tensor in self.kept.items()}
        buffers = {name: zeros(tensor) for name, tensor in self.buffers.items()}
        return Stack(zeros(self.weights), kept, zeros(self.steps), zeros(self.memory), buffers)

    def take(self, lanes: Sequence[int], into: Stack) -> None:
        """Copy some lanes into another stack, in place."""
        index = torch.tensor(lanes, device=self.weights.device)
        for source, target in zip(self.tensors, into.tensors, strict=True):
            target.copy_(source.index_select(0, index))

    def put(self, lanes: Sequence[int], some: Stack) -> None:
        """Copy the lanes of ``some`` over the lanes of this stack with the numbers ``lanes``, in place."""
        index = torch.tensor(lanes, device=self.weights.device)
        for target, source in zip(self.tensors, some.tensors, strict=True):
            target.index_copy_(0, index, source)


class LaneNetworks:
    """K networks of one architecture: their forward pass, and how each is written into and read from a ``Stack``.

    ``network``: one network of the architecture, in the memory format of single runs, whose weights are overwritten
    from here on. ``memory``: how many numbers the regularizer of each lane hands on from step to step. ``kept``: the
    names of what the optimizer keeps for each weight. ``twice``: whether a penalty differentiates the gradient of the
    images once more. Raises StudyError for a network that cannot run under vmap or
    does not use all its parameters.
    """

    def __init__(
        self,
        network: nn.Module,
        lanes: int,
        name: str,
        image: tuple[int, ...],
        *,
        memory: int = 0,
        kept: Sequence[str] = (),
        twice: bool = False,
    ) -> None:
        self._network = network
        self._image = image
        trained = {key: value for key, value in network.named_parameters() if value.requires_grad}
        self._trained = list(trained.values())
        self._names = list(trained)
        self._layout = row_layout(self.shapes)
        frozen = {key: value for key, value in network.named_parameters() if not value.requires_grad}
        self._rest: dict[str, Tensor] = {**frozen, **dict(network.named_buffers())}
        self._dropout = DropoutHook()
        self._dropout.register(network)
        self._hidden: dict[int, list[torch.Size]] = {}
        like = self._trained[0].detach()
        self.stack = Stack(
            like.new_zeros(lanes, self._layout.width),
            {key: like.new_zeros(lanes, self._layout.width) for key in kept},
            like.new_zeros(lanes, 1, dtype=torch.float64),
            like.new_zeros(lanes, memory),
            {key: value.detach().expand(lanes, *value.shape).clone() for key, value in self._rest.items()},
        )
        for lane in range(lanes):
            self.write(lane, network.state_dict())
        self._convolution: Formulation | None = None
        self._max_pool: Pool | None = None
        self._check_forward_pass(name)
        self._convolution, self._max_pool = convolution_for(like.device, twice=twice), pool_for(like.device)

    @property
    def shapes(self) -> list[torch.Size]:
        """The shapes of the trained parameters of one network."""
        return [parameter.shape for parameter in self._trained]

    def split(self, flat: Tensor) -> list[Tensor]:
        """Rows [K, P] as one tensor [K, *shape] for each parameter, all of them views, without the padding."""
        return self._layout.split(flat)

    def outputs(
        self,
        parameters: Sequence[Tensor],
        buffers: dict[str, Tensor],
        images: Tensor,
        *,
        train: bool,
        masks: Sequence[Tensor] = (),
        precision: str = "float32",
    ) -> Tensor:
        """Logits [K, B, M] of images [K, B, C, H, W], or of images [B, C, H, W] that all lanes share.

        ``parameters``: as ``split`` gives them. In training mode the statistics in ``buffers`` are updated in place.
        ``masks``: [K, *hidden] for each call of a dropout layer, in the order of the calls; empty drops nothing.
        ``precision``: of products of matrices and convolutions, as in ``TrainingSettings``.
        """

        def one(tensors: dict[str, Tensor], images: Tensor, masks: list[Tensor]) -> Tensor:
            self._dropout.masks = iter(masks) if masks else None
            try:
                logits: Tensor = functional_call(self._network, tensors, (images,))
            finally:
                self._dropout.masks = None
            return logits

        self._network.train(train)
        stacked = {**dict(zip(self._names, parameters, strict=True)), **buffers}
        shared = images.ndim == len(self._image) + 1
        of_lanes = vmap(one, in_dims=(0, None if shared else 0, 0))
        # The precision comes last, so that convolutions see the dtypes that it gives them.
        linear = LaneLinear() if train else contextlib.nullcontext()
        with self._convolutions(), max_pools(self._max_pool, lanes=True), linear, forward_pass(precision):
            logits: Tensor = of_lanes(stacked, images, list(masks))
        return logits

    def _convolutions(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if self._convolution is None else LaneConvolutions(self._convolution)

    @torch.no_grad()
    def dropout_shapes(self, batch: int) -> list[torch.Size]:
        """The shapes of the inputs of one network's dropout layers for a batch size, in the order of the calls."""
        if batch not in self._hidden:
            images = self._trained[0].new_zeros(batch, *self._image)
            self._hidden[batch] = self._dropout.input_shapes(self._network, images)
        return self._hidden[batch]

    @torch.no_grad()
    def write(self, lane: int, state: dict[str, Any]) -> None:
        """Write a network's ``state_dict`` into a lane, in place, as the beginning of its training."""
        self._network.load_state_dict(state)
        for piece, parameter in zip(self.split(self.stack.weights), self._trained, strict=True):
            piece[lane] = parameter
        for tensor in (*self.stack.kept.values(), self.stack.steps, self.stack.memory):
            tensor[lane] = 0
        for key, value in self._rest.items():
            self.stack.buffers[key][lane] = value

    @torch.no_grad()
    def write_kept(self, lane: int, of_parameters: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Write what the optimizer has kept into a lane, in place; by the parameter's index and the name."""
        for key, flat in self.stack.kept.items():
            for i, piece in enumerate(self.split(flat)):
                value = of_parameters.get(i, {}).get(key)
                if value is not None:
                    piece[lane] = value

    @torch.no_grad()
    def read(self, lane: int) -> dict[str, Any]:
        """A copy of a lane's network: its ``state_dict``, in single runs' format."""
        for piece, parameter in zip(self.split(self.stack.weights), self._trained, strict=True):
            parameter.copy_(piece[lane])
        for key, value in self._rest.items():
            value.copy_(self.stack.buffers[key][lane])
        return {key: value.clone() for key, value in self._network.state_dict().items()}

    @torch.no_grad()
    def read_kept(self, lane: int) -> dict[int, dict[str, Tensor]]:
        """A copy of what a lane's optimizer keeps, by the parameter's index and the name."""
        pieces = {key: self.split(flat) for key, flat in self.stack.kept.items()}
        # The fused optimizer of a single run reads them by the strides of the weights.
        return {
            i: {key: torch.empty_like(like).copy_(of_all[i][lane]) for key, of_all in pieces.items()}
            for i, like in enumerate(self._trained)
        }

    def parameters(self, lane: int) -> list[Tensor]:
        """The trained parameters of a lane, as views."""
        return [piece[lane] for piece in self.split(self.stack.weights)]

    def _check_forward_pass(self, name: str) -> None:
        """Raise StudyError where the architecture ``name`` cannot run in lanes."""
        pieces = [piece.detach().clone().requires_grad_() for piece in self.split(self.stack.weights[:1])]
        buffers = {key: value[:1].clone() for key, value in self.stack.buffers.items()}
        before = current()
        try:
            outputs = self.outputs(pieces, buffers, pieces[0].new_zeros(1, 2, *self._image), train=True)
        except Exception as error:
            raise StudyError(
                f"lanes: model {name!r} must run under torch.func.vmap, but fails ({one_line(error)}); "
                "train its runs one by one"
            ) from error
        if not same(before, current()):  # torch's generators raise under vmap, those of numpy and random do not
            raise StudyError(
                f"lanes: model {name!r} must not draw random numbers from numpy or random, which all lanes would "
                "share; train its runs one by one"
            )
        gradients = torch.autograd.grad(outputs.sum(), pieces, allow_unused=True)
        for key, gradient in zip(self._names, gradients, strict=True):
            if gradient is None:
                raise StudyError(
                    f"lanes: model {name!r} must use all its parameters, but {key!r} has no part in its output; "
                    "train its runs one by one"
                )
