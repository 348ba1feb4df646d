"""Asynchronous successive halving: stock Ray Tune stops the weaker half of the trials at epochs 1, 2 and 4.

python examples/asha.py
"""

from pathlib import Path

from ray import tune
from ray.tune.schedulers import ASHAScheduler

from tune_reg import AdaDecayTrainable

EPOCHS = 8


def main(directory=Path("out/examples")):
    grid = tune.Tuner(
        AdaDecayTrainable,
        param_space={
            "dataset": "digits",
            "model": "nn-2-small",
            "epochs": EPOCHS,
            "batch_size": 64,
            "learning_rate": tune.loguniform(0.01, 0.5),
            "weight_decay": tune.loguniform(1e-6, 1e-2),
            "alpha": tune.uniform(-1, 8),
        },
        tune_config=tune.TuneConfig(
            metric="val_accuracy",
            mode="max",
            num_samples=8,
            scheduler=ASHAScheduler(max_t=EPOCHS, grace_period=1, reduction_factor=2),
            reuse_actors=True,  # a process trains one trial after the other
        ),
        run_config=tune.RunConfig(name="asha", storage_path=str(directory.resolve()), verbose=0),
    ).fit()
    print("epochs  validation accuracy  weight decay  alpha")
    for result in sorted(grid, key=lambda result: -result.metrics["epoch"]):
        row, config = result.metrics, result.config
        print(f"{row['epoch']:6}{row['val_accuracy']:21.3f}{config['weight_decay']:14.2e}{config['alpha']:7.2f}")
    return grid


if __name__ == "__main__":
    main()
