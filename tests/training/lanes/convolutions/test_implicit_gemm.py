"""Triton's kernels: right in its interpreter, and compiled for an H100, both without a GPU."""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from interpreted_kernels import needs_loops_to_loaded_bounds, needs_triton

HERE = Path(__file__).parent
ROOT = HERE.parents[3]

pytestmark = needs_triton

#: How far results may be from those in float64: rounding, that of each result of bfloat16 included.
BOUNDS = {"torch.float64": 1e-13, "torch.float32": 1e-5, "torch.bfloat16": 2e-2}


def lines_of(program, folder, **variables):
    """What a program beside this file prints, a line at a time; its parts are separated by semicolons."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests/support")])
    environment = {**os.environ, "PYTHONPATH": path, "TRITON_CACHE_DIR": str(folder), "HOME": str(folder), **variables}
    done = subprocess.run(
        [sys.executable, HERE / program], env=environment, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [line.split("; ") for line in done.stdout.splitlines()]


def test_the_kernels_are_separate_convolutions_in_values_and_derivatives(tmp_path):
    needs_loops_to_loaded_bounds()
    lines = lines_of("interpreted.py", tmp_path, TRITON_INTERPRET="1")
    compared = {tuple(line[:3]): float(line[3]) for line in lines if len(line) == 4}
    names = ("one channel", "odd", "strides skip pixels", "one by one")
    assert {(name, shared) for name, _, shared in compared} == {
        *product(names, ("False", "True")),
        ("several tiles", "False"),
    }
    assert {dtype for _, dtype, _ in compared} == set(BOUNDS)
    assert {place: far for place, far in compared.items() if not far < BOUNDS[place[1]]} == {}
    assert [line[1:] for line in lines if line[0] == "finite differences"] == [
        ["first order", "True"],
        ["second order", "True"],
    ]


@pytest.mark.slow
def test_the_kernels_compile_for_an_h100(tmp_path):
    """A binary for compute capability 9.0, with products on tensor cores; it cannot be run here."""
    lines = lines_of("compiled.py", tmp_path)
    assert [(kernel, dtype, instruction) for kernel, dtype, size, instruction in lines if int(size) > 0] == [
        (kernel, dtype, "tensor cores") for kernel in ("outputs_kernel", "weights_kernel") for dtype in ("bf16", "fp32")
    ]
