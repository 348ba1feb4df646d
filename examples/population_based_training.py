"""Population based training: stock Ray Tune changes strengths and learning rate in the middle of a run.

python examples/population_based_training.py

Every two epochs the weakest trial copies the weights and the momentum of the strongest one. It goes on with the
strengths of that trial, multiplied by 0.8 or 1.2, or with new random ones. These factors ignore limits: a momentum of
0.9 would become 1.08, which is refused and ends the trial. Give such a number as a list, [0.8, 0.9, 0.95]; then it
moves along the list.
"""

from pathlib import Path

from ray import tune
from ray.tune.schedulers import PopulationBasedTraining

from tune_reg import AdaDecayTrainable

EPOCHS = 8
STRENGTHS = {
    "learning_rate": tune.loguniform(0.01, 0.5),
    "weight_decay": tune.loguniform(1e-6, 1e-2),
    "alpha": tune.uniform(-1, 8),
}


class Rows(tune.Callback):
    """Keeps every epoch of every trial. Tune's own progress.csv loses epochs of trials that are paused and resumed."""

    def __init__(self):
        self.rows = []

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.rows.append({"trial": trial.trial_id, **result})


def main(directory=Path("out/examples")):
    callback = Rows()
    grid = tune.Tuner(
        AdaDecayTrainable,
        param_space={
            "dataset": "digits",
            "model": "nn-2-small",
            "epochs": EPOCHS,
            "batch_size": 64,
            **STRENGTHS,
        },
        tune_config=tune.TuneConfig(
            metric="val_accuracy",
            mode="max",
            num_samples=4,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",  # the default is seconds
                perturbation_interval=2,
                hyperparam_mutations=STRENGTHS,
                synch=True,  # compare trials at the same epoch
            ),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="population-based-training",
            storage_path=str(directory.resolve()),
            callbacks=[callback],
            verbose=0,
        ),
    ).fit()
    print("trial  epoch  learning rate  weight decay  alpha  validation accuracy")
    for row in sorted(callback.rows, key=lambda row: (row["trial"], row["time_total_s"])):
        print(
            f"{row['trial'][-5:]}{row['epoch']:7}{row['learning_rate']:15.3f}{row['strength']:14.2e}"
            f"{row['config']['alpha']:7.2f}{row['val_accuracy']:21.3f}"
        )
    return grid, callback.rows


if __name__ == "__main__":
    main()
