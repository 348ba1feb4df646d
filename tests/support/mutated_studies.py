"""Study files with one thing changed at random: a key gone, another type, a number beyond reason, a strange name."""

import copy
import datetime
import random
from collections.abc import Iterator
from typing import Any

BASE: dict[str, Any] = {
    "name": "small",
    "dataset": "digits",
    "model": "nn-2-small",
    "baseline": "weight-decay",
    "fractions": [0.5, 1.0],
    "protocol": "validation",
    "seed": 0,
    "training": {
        "epochs": 4,
        "batch_size": 64,
        "learning_rate": 0.1,
        "momentum": 0.9,
        "optimizer": "sgd",
        "loss": "cross-entropy",
        "learning_rate_schedule": {"kind": "cosine", "start": 1.0, "end": 0.0},
        "batch_size_schedule": {"kind": "piecewise", "boundaries": [0.5], "values": [1, 2]},
        "validation": 0.25,
    },
    "search": {
        "trials": 4,
        "seeds": 1,
        "sampler": "tpe",
        "pruner": "asha",
        "reduction_factor": 3,
        "min_epochs": 1,
        "patience": 0,
        "fractions": [1.0],
        "learning_rate": {"low": 0.01, "high": 1.0, "log": True},
    },
    "confirm": {"seeds": 2},
    "robustness": {"fgsm": [0.1], "gaussian_noise": [0.1, 0.2], "corruptions": ["contrast"], "images": 100},
    "resources": {"cpus": 1, "gpus": 0.0, "share": 0.5, "lanes": "auto", "max_failures": 3},
    "regularizers": {
        "weight-decay": {"weight_decay": {"low": 1e-6, "high": 1e-2, "log": True}, "start": [{"weight_decay": 1e-3}]},
        "both": {"regularizer": ["l1", "dropout"], "rate": [0.1, 0.5], "batch_size": [32, 64]},
        "adadecay": {
            "alpha": {"low": 1, "high": 8, "integer": True},
            "alpha_schedule": ["cosine", "constant"],
            "alpha_start": {"low": 1.0, "high": 4.0, "when": {"alpha_schedule": "cosine"}},
        },
        "published": {"regularizer": "adadecay", "space": "paper"},
        "moving": {
            "regularizer": "weight-decay",
            "weight_decay": {"schedule": "cosine", "start": {"low": 1e-4, "high": 1e-2}, "end": 0.0},
        },
        "mine": {"regularizer": "weight-decay", "space": "my_mutated_spaces:space"},
    },
}

_STRANGE: tuple[Any, ...] = (
    -1,
    0,
    1,
    2**62,
    10**30,
    -(2**63) - 1,
    1e308,
    -0.0,
    5e-324,
    float("inf"),
    float("-inf"),
    float("nan"),
    "",
    " ",
    "\n",
    "x" * 300,
    "weigth-decay",
    "ümlaut ✓ 🎲",
    "../up",
    "a:b",
    ":",
    "os:getcwd",
    "[bold]",
    "\u202e",
    True,
    False,
    [],
    [[]],
    [{}],
    ["a", 1, 0.5],
    [1, 1],
    [0.1, 0.1],
    list(range(2000)),
    {},
    {"": 1},
    {"a": {"b": {"c": {}}}},
    {"low": 1, "high": 0},
    {"low": 0, "high": 1, "log": True},
    {"low": 0.1, "high": 0.2, "integer": True},
    {"low": "a", "high": "b"},
    {"low": 1, "high": 2**70, "integer": True},
    {"kind": "cosine"},
    {"kind": 5},
    {"kind": "piecewise", "boundaries": [2], "values": []},
    {"schedule": ["cosine", 5]},
    {"choices": [1], "when": {"nothing": 1}},
    {"choices": 1, "when": 1},
    datetime.date(2026, 1, 1),
    datetime.time(1),
)
#: Names that are right in some place of a study.
_KNOWN = ("adam", "gp", "qmc", "median", "none", "mse", "cosine", "paper", "l1", "nn-2", "all", "constant")
_NAMES = ("", " ", "batch_size", "momentum", "start", "space", "regularizer", "low", "ümlaut", "x" * 300, "a.b", "a\nb")


def mutated(seed: int) -> dict[str, Any]:
    """A study with one to three things changed."""
    rng = random.Random(seed)
    study = copy.deepcopy(BASE)
    for _ in range(rng.choice((1, 1, 2, 3))):
        _mutate(study, rng)
    return study


def _mutate(study: dict[str, Any], rng: random.Random) -> None:
    holder, key = rng.choice(list(_places(study)))
    way = rng.randrange(10)
    number = isinstance(holder[key], int | float) and not isinstance(holder[key], bool)
    if way > 6 and number:
        holder[key] = rng.choice((holder[key] * 2, holder[key] / 2, holder[key] + 1, holder[key] // 2, -holder[key]))
    elif way > 6:
        holder[key] = rng.choice(_KNOWN)
    elif way == 0:
        del holder[key]
    elif way == 1 and isinstance(holder, dict):
        holder[rng.choice(_NAMES)] = holder.pop(key)
    elif way == 2 and isinstance(holder, dict):
        holder[rng.choice(_NAMES)] = rng.choice(_STRANGE)
    elif way == 3:
        holder[key] = [copy.deepcopy(holder[key])]
    elif way == 4:
        holder[key] = {str(rng.choice(_NAMES)): copy.deepcopy(holder[key])}
    elif way == 5:
        other, name = rng.choice(list(_places(study)))
        holder[key] = copy.deepcopy(other[name])
    else:
        holder[key] = copy.deepcopy(rng.choice(_STRANGE))


def _places(table: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(table) if isinstance(table, dict) else range(len(table)):
        yield table, key
        if isinstance(table[key], dict | list):
            yield from _places(table[key])
