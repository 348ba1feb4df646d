"""Optuna's own tools on the journal of a study: every figure that applies, and which hyperparameters matter.

tune-reg run studies/digits.toml --out out/digits
python examples/optuna_tools.py out/digits
optuna-dashboard out/digits/search.journal     # the journal in a browser; pip install optuna-dashboard

The journal holds one Optuna study for each regularizer and share of the training images. Importances (PED-ANOVA) are
computed from the trials that were trained to the end, without those that the pruner stopped. From few trials they say
little.
"""

import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import optuna
from matplotlib import pyplot
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.visualization import matplotlib as figures

PLOTS = (
    figures.plot_contour,
    figures.plot_edf,
    figures.plot_intermediate_values,
    figures.plot_optimization_history,
    figures.plot_parallel_coordinate,
    figures.plot_param_importances,
    figures.plot_rank,
    figures.plot_slice,
    figures.plot_terminator_improvement,
    figures.plot_timeline,
)


def main(directory):
    journal = directory / "search.journal"
    if not journal.is_file():
        raise SystemExit(f"{journal} is no file; give the directory of a study that has been run")
    matplotlib.use("agg")
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # its figures in matplotlib
    storage = JournalStorage(JournalFileBackend(str(journal)))
    files = []
    for name in sorted(optuna.get_all_study_names(storage)):
        study = optuna.load_study(study_name=name, storage=storage)
        complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
        if len(complete) < 2:
            print(f"{name}: {len(complete)} of {len(study.trials)} trials complete, and Optuna's tools want 2")
            continue
        print(f"{name}: best {study.best_value:.3f} of {len(complete)} complete trials, {len(study.trials)} in all")
        for hyperparameter, importance in optuna.importance.get_param_importances(study).items():
            print(f"  importance of {hyperparameter}: {importance:.2f}")
        folder = directory / "optuna" / name
        folder.mkdir(parents=True, exist_ok=True)
        for plot in PLOTS:
            with matplotlib.rc_context():  # plots change the style of all later figures
                figure = np.ravel(plot(study))[0].figure
                files.append(folder / f"{plot.__name__.removeprefix('plot_')}.png")
                figure.set_size_inches(12, 8)
                figure.savefig(files[-1], bbox_inches="tight")
                pyplot.close(figure)
    return files


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: python {sys.argv[0]} DIR")
    main(Path(sys.argv[1]))
