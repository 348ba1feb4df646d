"""The suites can fail: each fault here, put into a method on purpose, turns them red."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: What is run, and the fault in it, as a pytest plugin.
FAULTS = {
    "hsfob without its second term": (
        "tests/parity/test_gradient_penalties.py",
        """
from tune_reg.regularizers import gradient_penalties as p
def wrong(inputs, outputs, targets, probes=None):
    z = p.torch.softmax(outputs, -1)
    rows = [p._squared(p._gradient(outputs[..., c].sum(), inputs), outputs) for c in range(outputs.shape[-1])]
    return (z * p.torch.stack(rows, -1)).sum(-1)
p.PENALTIES["hsfob"] = wrong
""",
    ),
    "AdaDecay by the sample standard deviation": (
        "tests/parity/test_adadecay.py",
        """
import torch
from tune_reg.regularizers import adadecay as a
def wrong(gradient, alpha):
    size = gradient.abs()
    if size.numel() < 2:
        return torch.full_like(size, 0.5)
    return torch.sigmoid(torch.nan_to_num(alpha * (size - size.mean()) / size.std(correction=1)))
a._half_factor = wrong
""",
    ),
    "decoupled decay without the learning rate": (
        "tests/parity/test_simple_methods.py",
        """
from tune_reg.regularizers.decoupled_weight_decay import DecoupledWeightDecay as D
D.update = lambda self, w, g, strengths, progress: w * (1 - strengths["weight_decay"])
""",
    ),
    "a strength that does not act": (
        "tests/regularizers/test_conformance.py",
        """
from tune_reg.regularizers.l1 import L1
L1.gradient = lambda self, g, w, strengths, progress, noise: g
""",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.slow
def test_a_fault_turns_the_suite_red(fault, tmp_path):
    suite, plugin = FAULTS[fault]
    (tmp_path / "fault.py").write_text(plugin)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "pytest", "-p", "fault", "-p", "no:cacheprovider", "-x", suite]
    only = ["-k", "l1"] if "conformance" in suite else []
    ran = subprocess.run(
        [*command, *only], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert ran.returncode == 1, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert "AssertionError" in ran.stdout or "assert" in ran.stdout
