"""Compiles the kernels of updates for compute capability 9.0, in float32, and prints a line for each.

The name, the bytes of the binary, and how many numbers each of its vector loads takes from memory at once, and each of
its vector stores. The first line of a kernel is for a layer whose size is a multiple of 16, the second for another.
"""

import re
import warnings

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from tune_reg.optimizers import adadecay_kernel, sgd_kernel

CONSTANTS = {"DECAYS": True, "MASKS": True, "BLOCK": 1024, "BLOCKS": 128, "EPS": 1e-7}
INTEGERS = {"sizes": "*i64", "firsts": "*i64"}
SIZES = dict.fromkeys(("begin", "size", "padded", "width", "first", "blocks", "layer", "layers"), "i32")
#: What is a multiple of 16 in all launches, apart from addresses: where layers of a row begin, with padding.
ALWAYS = ("begin", "padded", "width")


def compiled(kernel, *, whole, **constants):
    values = {**CONSTANTS, **constants}
    constexprs = {name: values[name] for name in kernel.arg_names if name in values}
    types = {**INTEGERS, **SIZES, **dict.fromkeys(constexprs, "constexpr")}
    signature = {name: types.get(name, "*fp32") for name in kernel.arg_names}
    multiples = {*ALWAYS, *(["size"] if whole else [])}
    attributes = {
        (i,): [["tt.divisibility", 16]]
        for i, (name, type_) in enumerate(signature.items())
        if name in multiples or type_.startswith("*")
    }
    source = ASTSource(fn=kernel, signature=signature, constexprs=constexprs, attrs=attributes)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm


def at_once(ptx, operation):
    """How many numbers each vector operation takes, "ld" or "st"."""
    return [int(n) for n in re.findall(rf"{operation}\.global(?:\.\w+)*?\.v(\d)\.b32", ptx)]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for kernel, constants in (
        (sgd_kernel._kernel, {}),
        (adadecay_kernel._block_statistics, {}),
        (adadecay_kernel._layer_statistics, {}),
        (adadecay_kernel._step, {"NOISE": False}),
        (adadecay_kernel._step, {"NOISE": True}),
    ):
        for whole in (True, False):
            binary = compiled(kernel, whole=whole, **constants)
            loads, stores = at_once(binary["ptx"], "ld"), at_once(binary["ptx"], "st")
            print(f"{kernel.__name__}; {len(binary['cubin'])}; {loads}; {stores}")
