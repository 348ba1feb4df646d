"""A program that trains the winner again, with its optimizer, loss and schedules, to start from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from analysis.report.verdict import verdict
from analysis.snapshot import Snapshot, Source, snapshot

#: The settings that stand in the program whatever they are.
_SAID: Final = ("epochs", "batch_size", "learning_rate", "learning_rate_schedule", "optimizer", "momentum", "loss")
#: Other settings, and what they are where a study says nothing.
_USUAL: Final = {"batch_size_schedule": "constant", "augment": "none", "precision": "float32", "validation": None}


def snippet(source: Source) -> str | None:
    """Python that trains the regularizer of the verdict as it was confirmed, on the first seed.

    None where there is no verdict, or a training loop of the user's own made the networks.
    """
    data = snapshot(source)
    judged, study = verdict(data), data.study
    if judged is None or not study.get("model"):
        return None
    row = next(row for row in judged.rows if row.regularizer == judged.regularizer)
    params = row.params[0] if row.params else {}
    in_python = [key for key in ("model", "dataset") if str(study[key]).startswith("python:")]
    training = _training(study["training"], params)
    run = {
        "dataset": study["dataset"],
        "model": study["model"],
        "regularizer": _parts(study, judged.regularizer),
        "params": dict(params),
        "fraction": row.fraction,
        **({"images_per_class": row.images_per_class} if row.images_per_class is not None else {}),
        "seed": _seed(data, judged.regularizer, row.fraction),
        **({"split_seed": study["seed"]} if study.get("seed") else {}),
        **({"protocol": study["protocol"]} if study.get("protocol", "validation") != "validation" else {}),
    }
    lines = ["from tune_reg.training import Run, SerialEngine, TrainingSettings", ""]
    if in_python:
        lines = [
            "from tune_reg import Study",
            *lines,
            f"Study.from_toml('study.toml')  # finds the {' and the '.join(in_python)} that were given in Python",
        ]
    lines += [
        "run = Run(",
        *(f"    {key}={value!r}," for key, value in run.items()),
        "    training=TrainingSettings(",
        *(f"        {key}={value!r}," for key, value in training.items()),
        "    ),",
        ")",
        "engine = SerialEngine(run)",
        "while not engine.finished:",
        "    engine.train_epoch()",
        f"{'loss, accuracy' if data.metric.is_accuracy else 'loss, _'} = engine.evaluate('test')",
        "network = engine.model  # a torch.nn.Module",
    ]
    return "\n".join(lines)


def _training(settings: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of ``[training]`` that matter for the winner; those that it brings stand in its hyperparameters."""
    said = {key: settings[key] for key in _SAID if key in settings and key not in params}
    return said | {key: settings[key] for key, usual in _USUAL.items() if settings.get(key, usual) != usual}


def _parts(study: Mapping[str, Any], name: str) -> str:
    """The regularizer of a method, or several joined by ``+``."""
    named = study["regularizers"][name].get("regularizer", name)
    return named if isinstance(named, str) else "+".join(named)


def _seed(data: Snapshot, regularizer: str, fraction: float) -> int:
    return min(row["seed"] for row in data.final if row["regularizer"] == regularizer and row["fraction"] == fraction)
