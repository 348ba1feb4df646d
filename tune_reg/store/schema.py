"""The one schema of the store: each table is declared once, as the typed row of it.

From these declarations come the Parquet schemas (``SCHEMAS``), the rows that readers and writers exchange, and the
reference of all columns in ``docs/columns.md`` (``python -m tune_reg.store.reference``).

A field is ``Annotated[type, "what the column holds, with its unit"]``; ``| None`` says that the column may be null.
In Python a row's ``params`` is a mapping, and so is ``ranges``. In Parquet both columns are JSON, and every
hyperparameter also has a column ``param_<name>`` of its own.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    TypeAlias,
    TypedDict,
    get_args,
    get_origin,
    get_type_hints,
)

import pyarrow as pa

SCHEMA_VERSION: Final = 1

#: The names of the tables.
TableName: TypeAlias = Literal["trials", "expected", "epochs", "final", "robustness", "decisions"]
#: How a run came to its end.
RunState: TypeAlias = Literal["complete", "pruned", "diverged", "failed"]
#: Which part of a study trained an epoch.
Stage: TypeAlias = Literal["search", "confirm"]
#: What a look at the confirmed runs says of a method against the baseline.
Decision: TypeAlias = Literal["superior", "inferior", "equivalent", "undecided"]
#: Hyperparameters by name.
Params: TypeAlias = Mapping[str, Any]
#: How a hyperparameter is stored in its column ``param_<name>``: as float64, or as text.
ParameterKind: TypeAlias = Literal["number", "text"]


_Fraction: TypeAlias = Annotated[float, "share of the training images that the run saw, in (0, 1]"]
_SearchFraction: TypeAlias = Annotated[float, "fraction at which the hyperparameters were picked"]
_ParamsColumn: TypeAlias = Annotated[Params, "hyperparameters: JSON, and each one also in a column `param_<name>`"]
_Seed: TypeAlias = Annotated[int, "seed of the run"]
_Code: TypeAlias = Annotated[
    str | None, "digest of the user's code (model, regularizer, space) that the run was trained with; null without any"
]


class RunColumns(TypedDict):
    """Columns that every table begins with: which study, data and method a row belongs to."""

    study: Annotated[str, "name of the study"]
    dataset: Annotated[str, "name of the data set"]
    model: Annotated[str, "name of the model"]
    protocol: Annotated[str, "validation, or paper, where strengths are picked on the test set"]
    regularizer: Annotated[str, "name of the regularizer, as in the study"]
    images_per_class: Annotated[
        int | None, "training images of each class, where the study gives that in place of a fraction"
    ]


class TrialRow(RunColumns):
    """One row of the table ``trials``: a configuration that the search tried."""

    fraction: _Fraction
    trial: Annotated[int, "number of the trial within its regularizer and fraction, from 0"]
    params: _ParamsColumn
    seed: Annotated[int, "seed of the run; the first one, where a trial is trained on several"]
    seeds: Annotated[int | None, "number of seeds that `value` is the mean of"]
    state: Annotated[RunState, "complete, pruned, diverged or failed"]
    reason: Annotated[str | None, "why the trial diverged or failed, or was pruned before training"]
    value: Annotated[
        float | None,
        "last validation value of the study's metric, of the accuracy a share in [0, 1]; null where diverged or failed",
    ]
    robust_accuracy: Annotated[
        float | None, "accuracy under attack on validation images, a share in [0, 1], where that is a second objective"
    ]
    n_val: Annotated[int | None, "number of validation images behind `value`"]
    epochs_trained: Annotated[int, "number of epochs trained, over all seeds of the trial"]
    wall_s: Annotated[float, "seconds of training, over all seeds of the trial"]
    ranges: Annotated[
        Params | None,
        "JSON: the range of each hyperparameter in this trial, where the search space is a function and may ask for "
        "other ranges in other trials",
    ]
    retries: Annotated[int | None, "number of the failed trial that this one tries again, which then no longer counts"]
    code: _Code
    shared_from: Annotated[
        str | None,
        "method whose winner's values of shared hyperparameters the trial has; null where the search itself chose it",
    ]
    picked_from: Annotated[
        str | None,
        '"space" where the trial is at the best point of the whole space by the model, tried once the search was over',
    ]


class ExpectedRow(RunColumns):
    """One row of the table ``expected``: what the model of a search that is over expects of one of its trials."""

    fraction: _Fraction
    trial: Annotated[int, "number of the trial, as in `trials`"]
    expected_value: Annotated[
        float,
        "expected validation value of the study's metric at the end of a training, over seeds: of the accuracy, a "
        "share in [0, 1]",
    ]
    expected_deviation: Annotated[float, "standard deviation of what `expected_value` estimates"]


class EpochValues(TypedDict):
    """What an engine reports of one epoch of training."""

    epoch: Annotated[int, "number of the epoch, from 1"]
    learning_rate: Annotated[float, "learning rate in this epoch"]
    strength: Annotated[float, "strength of the regularizer in this epoch"]
    train_loss: Annotated[
        float | None, "mean loss of the training batches; null where a training loop of the user's does not give it"
    ]
    val_loss: Annotated[
        float | None,
        "mean loss on the validation images, of the house's own training the cross-entropy; null where a training loop "
        "of the user's does not give it, and after epochs that were not validated",
    ]
    val_accuracy: Annotated[
        float | None,
        "accuracy on the validation images, a share in [0, 1]; null where a loop of the user's does not give it, and "
        "after epochs that were not validated",
    ]
    val_metric: Annotated[
        float | None,
        "the study's metric on the validation images, in its own unit, where it is neither the accuracy nor the loss",
    ]
    wall_s: Annotated[float, "seconds that the epoch took"]


class _EpochRun(RunColumns):
    stage: Annotated[Stage, "search or confirm"]
    fraction: _Fraction
    search_fraction: _SearchFraction
    trial: Annotated[int, "number of the trial; in stage confirm that of the winning trial"]
    seed: _Seed


class EpochRow(_EpochRun, EpochValues):
    """One row of the table ``epochs``: an epoch of a trial or of a confirmed run."""


class FinalValues(TypedDict):
    """What the one look at the test set gives, when the training of a confirmed run is over."""

    n_train: Annotated[int | None, "number of training images"]
    n_test: Annotated[int | None, "number of test images"]
    train_accuracy: Annotated[float | None, "accuracy on the training images, a share in [0, 1]"]
    val_accuracy: Annotated[float | None, "validation accuracy after the last epoch, a share in [0, 1]"]
    test_accuracy: Annotated[float | None, "accuracy on the test images, a share in [0, 1]"]
    test_loss: Annotated[float | None, "mean loss on the test images: of the house's own training, cross-entropy"]
    test_ece: Annotated[float | None, "expected calibration error on the test images, 15 bins of equal width"]
    generalization_gap: Annotated[float | None, "train_accuracy - test_accuracy"]
    max_over_epochs: Annotated[
        float | None,
        "highest val_accuracy of any epoch, that of the test set in protocol paper; null unless each was validated",
    ]
    mean_last_10pct: Annotated[
        float | None, "mean val_accuracy over the last tenth of the epochs; null unless each epoch was validated"
    ]
    val_metric: Annotated[
        float | None, "the study's metric on the validation images after the last epoch, as in `epochs`"
    ]
    test_metric: Annotated[
        float | None,
        "the study's metric on the test images, in its own unit, where it is neither the accuracy nor the loss",
    ]
    test_class_accuracy: Annotated[
        list[float | None] | None,
        "accuracy on the test images of each class, by its label; an element is null where the class has no test image",
    ]
    test_class_images: Annotated[list[int] | None, "number of test images of each class, by its label"]


class _FinalRun(RunColumns):
    fraction: _Fraction
    search_fraction: _SearchFraction
    trial: Annotated[int, "number of the winning trial"]
    params: _ParamsColumn
    seed: _Seed
    state: Annotated[RunState, "complete, diverged or failed"]
    reason: Annotated[str | None, "why the run diverged or failed"]


class FinalRow(_FinalRun, FinalValues):
    """One row of the table ``final``: a winner, trained anew on a fresh seed and tested once."""

    epochs: Annotated[int, "number of epochs trained"]
    wall_s: Annotated[float, "seconds of training"]
    code: _Code


class RobustnessValues(TypedDict):
    """Accuracy of a trained network under one test of its robustness."""

    test: Annotated[str, "name of the test: fgsm, pgd-linf, gaussian-noise, jpeg, ...; clean for clean images"]
    norm: Annotated[str | None, "linf or l2, of an attack"]
    epsilon: Annotated[
        float | None, "radius of an attack or standard deviation of noise, on images in [0, 1]; 0 is clean"
    ]
    severity: Annotated[int | None, "severity of a corruption, 1 to 5"]
    accuracy: Annotated[float | None, "accuracy under the test, a share in [0, 1]"]
    median_distance: Annotated[
        float | None, "median distance to the nearest wrong image that was found, of attacks that look for it"
    ]
    n: Annotated[int, "number of test images"]
    warning: Annotated[str | None, "what a check of the attack against itself found wrong"]


class _RobustnessRun(RunColumns):
    fraction: _Fraction
    search_fraction: _SearchFraction
    seed: _Seed


class RobustnessRow(_RobustnessRun, RobustnessValues):
    """One row of the table ``robustness``: a confirmed run under one attack, noise or corruption."""


class DecisionRow(RunColumns):
    """One row of the table ``decisions``: a look at the confirmed runs of a method, in pairs with the baseline."""

    fraction: _Fraction
    search_fraction: _SearchFraction
    look: Annotated[int, "number of the look, from 1; confirmation in rounds has looks at 5, 8, 12 and 20 seeds"]
    n: Annotated[int, "number of pairs: seeds up to this look on which method and baseline both have a value"]
    methods: Annotated[int, "number of methods that are compared with the baseline, which share the level"]
    level: Annotated[float, "nominal two-sided level of this look"]
    estimate: Annotated[float | None, "mean of the paired differences, method - baseline; null without pairs"]
    low: Annotated[float | None, "lower end of the `1 - level` interval; null where there are too few pairs for one"]
    high: Annotated[float | None, "upper end of the `1 - level` interval; null where there are too few pairs for one"]
    decision: Annotated[
        Decision,
        "superior, inferior, equivalent (inside the margin of the study) or undecided: then more seeds are trained, "
        "but after the last look, and where there is no pair",
    ]
    measure: Annotated[str, "what is compared: test_accuracy, or `test_` and the study's metric"]


#: The typed row of each table.
ROWS: Final[Mapping[TableName, type]] = {
    "trials": TrialRow,
    "expected": ExpectedRow,
    "epochs": EpochRow,
    "final": FinalRow,
    "robustness": RobustnessRow,
    "decisions": DecisionRow,
}

#: Columns that stores of an earlier release may lack; readers take them as null.
ADDED_LATER: Final = frozenset(
    {
        "images_per_class",
        "seeds",
        "robust_accuracy",
        "n_val",
        "ranges",
        "test_ece",
        "warning",
        "retries",
        "shared_from",
        "picked_from",
        "code",
        "val_metric",
        "test_metric",
        "test_class_accuracy",
        "test_class_images",
    }
)


class Column(NamedTuple):
    """One column of a table, as its row declares it."""

    name: str
    type: pa.DataType
    nullable: bool
    meaning: str


def columns(row: type) -> tuple[Column, ...]:
    """The columns that a typed row declares, in the order of the Parquet schema.

    >>> [column.name for column in columns(EpochValues)][:3]
    ['epoch', 'learning_rate', 'strength']
    """
    return tuple(_column(name, hint) for name, hint in get_type_hints(row, include_extras=True).items())


def _column(name: str, annotated: Any) -> Column:
    declared, meaning = get_args(annotated)
    return Column(name, _arrow_type(declared), get_origin(declared) is types.UnionType, meaning)


def _arrow_type(declared: Any) -> pa.DataType:
    nullable = get_origin(declared) is types.UnionType
    (kind,) = [part for part in get_args(declared) if part is not types.NoneType] if nullable else [declared]
    if get_origin(kind) is list:
        return pa.list_(pa.field("element", _arrow_type(*get_args(kind))))  # the name that Parquet gives elements
    if kind is int:
        return pa.int64()
    if kind is float:
        return pa.float64()
    if kind is str or get_origin(kind) in (Literal, Mapping):  # a mapping is stored as JSON
        return pa.string()
    raise TypeError(f"a column must hold int, float, str, a Literal of str, a mapping or a list, but got {kind!r}")


def _schema(row: type) -> pa.Schema:
    return pa.schema([(column.name, column.type) for column in columns(row)])


#: The Parquet schema of each table, without the columns ``param_<name>``.
SCHEMAS: Final[Mapping[TableName, pa.Schema]] = {name: _schema(row) for name, row in ROWS.items()}


def table_schema(table: TableName, parameters: Mapping[str, ParameterKind]) -> pa.Schema:
    """The Parquet schema of a table in a study with these hyperparameters.

    >>> table_schema("trials", {"alpha": "number"}).field("param_alpha").type
    DataType(double)
    """
    schema = SCHEMAS[table]
    if "params" not in schema.names:
        return schema
    types = {"number": pa.float64(), "text": pa.string()}
    return pa.schema([*schema, *(pa.field(f"param_{name}", types[parameters[name]]) for name in sorted(parameters))])


TABLES: Final[tuple[TableName, ...]] = tuple(ROWS)
