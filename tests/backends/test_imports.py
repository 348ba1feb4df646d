"""What a process that trains has imported after its first epoch; what it does not need makes it start later."""

import subprocess
import sys

#: Packages whose import takes long, and modules of torch of which that is true.
HEAVY = (
    "IPython",
    "analysis",
    "foolbox",
    "matplotlib",
    "optuna",
    "pandas",
    "ray",
    "scipy",
    "sklearn",
    "statsmodels",
    "sympy",
    "torch._dynamo",
    "torch._inductor",
    "torchvision",
)

_EPOCHS = """
import sys
from pathlib import Path
import torch
from tune_reg.backends.lane_worker import LaneWorker
from tune_reg.backends.run_worker import RunWorker
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.execution.messages import RunOrder
from tune_reg.training import Run, TrainingSettings

folder, cpu = Path(sys.argv[1]), torch.device("cpu")

def order(seed, optimizer):
    training = TrainingSettings(epochs=2, optimizer=optimizer)
    run = Run("digits", "nn-2-small", "adadecay", training=training, seed=seed)
    return RunOrder(f"{optimizer}-{seed}", "search", run, str(folder / f"{optimizer}-{seed}"), RobustnessSettings())

lanes = LaneWorker([order(seed, "sgd") for seed in range(2)], cpu)
assert all(report.rows for report in lanes.step().reports.values())
for optimizer in ("sgd", "adam", "rmsprop", "adagrad", "accelerated-sgd", "entropy-sgd"):
    assert RunWorker(order(2, optimizer), cpu).step().rows
print(*sys.modules)
"""


def test_a_process_that_trains_imports_nothing_heavy_before_its_first_epoch(tmp_path):
    done = subprocess.run([sys.executable, "-c", _EPOCHS, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not set(HEAVY) & set(done.stdout.split())
