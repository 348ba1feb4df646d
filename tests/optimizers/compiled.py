"""Compiles the kernels of updates for compute capability 9.0, in float32, and prints a line for each."""

import warnings

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from tune_reg.optimizers import adadecay_kernel, sgd_kernel

CONSTANTS = {"DECAYS": True, "MASKS": True, "BLOCK": 1024, "BLOCKS": 128, "EPS": 1e-7}
INTEGERS = {"begins": "*i64", "ends": "*i64", "layers": "*i64", "firsts": "*i64"}
SIZES = {"n": "i32", "pieces": "i32", "number_of_layers": "i32"}


def compiled(kernel, **constants):
    values = {**CONSTANTS, **constants}
    constexprs = {name: values[name] for name in kernel.arg_names if name in values}
    types = {**INTEGERS, **SIZES, **dict.fromkeys(constexprs, "constexpr")}
    signature = {name: types.get(name, "*fp32") for name in kernel.arg_names}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constexprs)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for kernel, constants in (
        (sgd_kernel._kernel, {}),
        (adadecay_kernel._block_statistics, {}),
        (adadecay_kernel._layer_statistics, {}),
        (adadecay_kernel._step, {"NOISE": False}),
        (adadecay_kernel._step, {"NOISE": True}),
    ):
        binary = compiled(kernel, **constants)
        print(f"{kernel.__name__}; {len(binary['cubin'])}")
