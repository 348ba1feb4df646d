"""HyperBand: stock Ray Tune pauses trials at checkpoints, and resumes the better ones of each bracket.

python examples/hyperband.py
"""

from pathlib import Path

from ray import tune
from ray.tune.schedulers import HyperBandScheduler

from tune_reg import trainable_for

EPOCHS = 4


def main(directory=Path("out/examples")):
    grid = tune.Tuner(
        trainable_for("residual-smoothing"),
        param_space={
            "dataset": "digits",
            "model": "nn-2-small",
            "epochs": EPOCHS,
            "batch_size": 64,
            "annealing": "laplace",
            "b": tune.uniform(0.1, 1.7),
            "alpha": tune.uniform(0.1, 1.0),
        },
        tune_config=tune.TuneConfig(
            metric="val_accuracy",
            mode="max",
            num_samples=7,  # brackets of 4 from epoch 1, and of 3 from epoch 2
            scheduler=HyperBandScheduler(max_t=EPOCHS, reduction_factor=2),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(name="hyperband", storage_path=str(directory.resolve()), verbose=0),
    ).fit()
    print("epochs  validation accuracy     b  alpha")
    for result in sorted(grid, key=lambda result: -result.metrics["epoch"]):
        row, config = result.metrics, result.config
        print(f"{row['epoch']:6}{row['val_accuracy']:21.3f}{config['b']:6.2f}{config['alpha']:7.2f}")
    return grid


if __name__ == "__main__":
    main()
