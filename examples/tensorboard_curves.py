"""TensorBoard: stock Ray Tune writes every column of an epoch, strengths included, as a curve of each trial.

python examples/tensorboard_curves.py
tensorboard --logdir out/examples/tensorboard    # pip install tensorboard
"""

from pathlib import Path

from ray import tune
from ray.tune.logger import TBXLoggerCallback

from tune_reg import trainable_for


def main(directory=Path("out/examples")):
    return tune.Tuner(
        trainable_for("weight-decay"),
        param_space={
            "dataset": "digits",
            "model": "nn-2-small",
            "epochs": 3,
            "batch_size": 64,
            "weight_decay_schedule": "cosine",
            "weight_decay_start": 1e-6,
            "weight_decay_end": tune.grid_search([1e-3, 1e-2]),
        },
        tune_config=tune.TuneConfig(metric="val_accuracy", mode="max", reuse_actors=True),
        run_config=tune.RunConfig(
            name="tensorboard",
            storage_path=str(directory.resolve()),
            # Tune adds this one itself where no callbacks are given.
            callbacks=[TBXLoggerCallback()],
            verbose=0,
        ),
    ).fit()


if __name__ == "__main__":
    main()
