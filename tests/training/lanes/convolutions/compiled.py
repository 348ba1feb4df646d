"""Compiles Triton's kernels for compute capability 9.0, by precision, and prints a line for each."""

import warnings

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from tune_reg.training.lanes.convolutions import triton_kernels

#: Of 50 kernels of 20 x 5 x 5 on images of 12 x 12.
SIZES = {"E": 500, "O": 50, "AREA": 64}
TILE = {"CHANNELS": 64, "DEPTH": 32}
KERNELS = {
    triton_kernels.outputs_kernel: {"BIASED": True, "PIXELS": 128},
    triton_kernels.weights_kernel: {"EVEN": True, "ENTRIES": 128},
}
PRECISIONS = {"bf16": (tl.bfloat16, "ieee"), "fp32": (tl.float32, "tf32x3")}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for kernel, of_kernel in KERNELS.items():
        for dtype, (factors, precision) in PRECISIONS.items():
            types = {"FACTORS": factors, "SUMS": tl.float32, "PRECISION": precision}
            constants = {**SIZES, **TILE, **of_kernel, **types}
            signature = dict.fromkeys(kernel.arg_names, "i32") | dict.fromkeys(constants, "constexpr")
            signature |= {
                name: f"*{dtype}" for name in ("images", "weights", "bias", "outputs", "gradients") if name in signature
            }
            signature |= dict.fromkeys(("entries", "corners"), "*i32")
            if "parts" in signature:
                signature["parts"] = "*fp32"
            source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
            compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm
            instruction = "tensor cores" if "mma" in compiled["ptx"] else "no tensor cores"
            print(f"{kernel.__name__}; {dtype}; {len(compiled['cubin'])}; {instruction}")
