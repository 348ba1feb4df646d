"""Triton's kernels by its interpreter on the CPU."""

import importlib
import sys

import pytest

from tune_reg.training.lanes.convolutions.implicit_gemm import is_available

needs_triton = pytest.mark.skipif(not is_available(), reason="Triton is not installed; it has wheels for Linux alone")

KERNELS = (
    "tune_reg.optimizers.sgd_kernel",
    "tune_reg.optimizers.adadecay_kernel",
    "tune_reg.training.max_pool_kernel",
)


def interpreted(monkeypatch, module, function):
    """A function of a module of kernels, for one test: what is interpreted is settled when the module is imported."""
    import triton.language
    from triton.language import standard
    from triton.runtime.interpreter import InterpretedFunction
    from triton.runtime.jit import JITFunction

    monkeypatch.setenv("TRITON_INTERPRET", "1")
    # Some of Triton's own functions are written in its language, and were to be compiled when Triton was imported.
    compiled = {name: value for name, value in vars(standard).items() if isinstance(value, JITFunction)}
    for name, value in compiled.items():
        interpreted = InterpretedFunction(value.fn)
        monkeypatch.setattr(standard, name, interpreted)
        if hasattr(triton.language, name):
            monkeypatch.setattr(triton.language, name, interpreted)
    with monkeypatch.context() as patched:
        for name in KERNELS:
            patched.delitem(sys.modules, name, raising=False)
        kernel = getattr(importlib.import_module(module), function)
        for name in KERNELS:
            sys.modules.pop(name, None)
    return kernel


def needs_loops_to_loaded_bounds():
    """Skip where Triton's interpreter cannot loop to a bound that was read from memory."""
    triton = pytest.importorskip("triton")
    if tuple(map(int, triton.__version__.split(".")[:2])) < (3, 7):
        pytest.skip(f"the interpreter of Triton {triton.__version__} has no loops to bounds from memory; 3.7 has")
