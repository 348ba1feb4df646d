"""MLflow: stock Ray Tune writes each trial as a run, with its configuration and the columns of each epoch.

pip install mlflow-skinny     # or mlflow; tune-reg does not install it
python examples/mlflow_runs.py
mlflow ui --backend-store-uri sqlite:///out/examples/mlflow.db    # needs the full mlflow
"""

import importlib.util
from pathlib import Path

from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback

from tune_reg import AdaDecayTrainable


def main(directory=Path("out/examples")):
    if importlib.util.find_spec("mlflow") is None:
        raise SystemExit("mlflow is not installed: pip install mlflow-skinny")
    directory.mkdir(parents=True, exist_ok=True)
    return tune.Tuner(
        AdaDecayTrainable,
        param_space={
            "dataset": "digits",
            "model": "nn-2-small",
            "epochs": 3,
            "batch_size": 64,
            "weight_decay": tune.grid_search([1e-4, 1e-2]),
        },
        tune_config=tune.TuneConfig(metric="val_accuracy", mode="max", reuse_actors=True),
        run_config=tune.RunConfig(
            name="mlflow",
            storage_path=str(directory.resolve()),
            callbacks=[
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{directory.resolve() / 'mlflow.db'}", experiment_name="adadecay"
                )
            ],
            verbose=0,
        ),
    ).fit()


if __name__ == "__main__":
    main()
