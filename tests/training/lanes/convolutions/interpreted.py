"""Triton's kernels in its interpreter, beside separate convolutions in float64: prints a line for each comparison.

The interpreter must be asked for before Triton is imported: TRITON_INTERPRET=1 python interpreted.py
"""

from itertools import product

import torch
from convolution_layers import LAYERS, derivatives, distance, separate, tensors_of

from tune_reg.training.lanes.convolutions.geometry import Geometry
from tune_reg.training.lanes.convolutions.implicit_gemm import (
    implicit_gemm,
    implicit_gemm_with_grouped_image_gradients,
)

#: More entries than a tile holds, in each direction of each kernel, so that there are several tiles.
LARGE = 1, (4, 15, 8, 9), (65, 15, 3, 3), Geometry((1, 2), (1, 1))

if __name__ == "__main__":
    torch.set_num_threads(1)
    LAYERS["several tiles"] = LARGE
    for name, (*_, geometry) in LAYERS.items():
        if geometry.groups > 1:
            continue
        formulations = [implicit_gemm]
        if name != "several tiles":  # it has the same kernels
            formulations.append(implicit_gemm_with_grouped_image_gradients)
        for dtype, shared in product((torch.float64, torch.float32, torch.bfloat16), (False, True)):
            small = dtype == torch.float64 and not (shared and name == "several tiles")
            if small or (name == "odd" and not shared):
                tensors = tensors_of(name, shared, dtype)
                exact = [tensor.detach().double().requires_grad_() for tensor in tensors]
                reference = derivatives(separate, exact, geometry)
                far = max(distance(derivatives(one, tensors, geometry), reference) for one in formulations)
                print(f"{name}; {dtype}; {shared}; {far}", flush=True)
    pair, geometry = tensors_of("strides skip pixels")[:2], LAYERS["strides skip pixels"][-1]
    finite = {"fast_mode": True, "inputs": pair, "func": lambda *pair: implicit_gemm(*pair, None, geometry)}
    print(f"finite differences; first order; {torch.autograd.gradcheck(**finite)}")
    print(f"finite differences; second order; {torch.autograd.gradgradcheck(**finite)}")
