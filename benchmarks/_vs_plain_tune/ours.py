"""The search as a study of ``tune_reg``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from _vs_plain_tune.sweep import Numbers, Options, study_of


def ours(options: Options, *, asha: bool = False) -> Numbers:
    """The search as a study; its confirmation is made, too, but not counted."""
    from tune_reg.backends.ray.launch import run_study

    with tempfile.TemporaryDirectory() as directory:
        results = run_study(study_of(options, asha=asha), directory, data_root=options.data)
        searched = [row for row in results.epochs().to_pylist() if row["stage"] == "search"]
        trials = results.trials().to_pylist()
        provenance = results.provenance()
        return {
            "wall_s": end_times(Path(directory))[-1] - options.began,
            "epochs": len(searched),
            "epoch_s": sum(row["wall_s"] for row in searched) / len(searched),
            "trials": len(trials),
            "val_accuracy": max(row["value"] for row in trials if row["state"] == "complete"),
            "machine": {key: provenance[key] for key in ("hardware", "versions", "code")},
        }


def end_times(directory: Path) -> list[float]:
    """When the trials of a study ended, in seconds since 1970, in order: as its journal says, an Optuna storage."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(directory / "search.journal")))
    studies = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    ends = [trial.datetime_complete for study in studies for trial in study.get_trials(deepcopy=False)]
    return sorted(end.timestamp() for end in ends if end is not None)
