"""Compiles Triton's kernels for compute capability 9.0, in bfloat16, and prints a line for each."""

import warnings

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from tune_reg.training.lanes.convolutions import triton_kernels

SIZES = {"C": 20, "H": 12, "W": 12, "O": 50, "P": 8, "Q": 8, "h": 5, "w": 5}
GEOMETRY = {"stride_y": 1, "stride_x": 1, "pad_y": 0, "pad_x": 0, "step_y": 1, "step_x": 1}
TILE = {"ROWS": 64, "COLUMNS": 64, "DEPTH": 32}
TYPES = {"FACTORS": tl.bfloat16, "SUMS": tl.float32, "PRECISION": "ieee"}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    constants = {**SIZES, **GEOMETRY, **TILE, **TYPES}
    for kernel in (triton_kernels.outputs_kernel, triton_kernels.images_kernel, triton_kernels.weights_kernel):
        signature = dict.fromkeys(kernel.arg_names, "i32") | dict.fromkeys(constants, "constexpr")
        signature |= dict.fromkeys(kernel.arg_names[:3], "*bf16")
        if "parts" in signature:
            signature["parts"] = "*fp32"
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm
        instruction = "tensor cores" if "mma" in compiled["ptx"] else "no tensor cores"
        print(f"{kernel.__name__}; {len(compiled['cubin'])}; {instruction}")
