from pathlib import Path
from typing import Annotated, TypedDict

import pyarrow as pa
import pytest

from tune_reg.store import SCHEMAS, EpochRow, EpochValues, FinalRow, FinalValues, RobustnessRow, RobustnessValues
from tune_reg.store.reference import reference
from tune_reg.store.schema import ADDED_LATER, ROWS, columns

COLUMNS = Path(__file__).parents[2] / "docs" / "columns.md"


def test_the_columns_are_those_of_the_first_release_in_their_order_and_later_ones():
    begin = ["study", "dataset", "model", "protocol", "regularizer", "images_per_class"]
    assert SCHEMAS["trials"].names == [
        *begin,
        *("fraction", "trial", "params", "seed", "seeds", "state", "reason", "value", "robust_accuracy", "n_val"),
        *("epochs_trained", "wall_s", "ranges", "retries", "code", "shared_from", "picked_from"),
    ]
    assert SCHEMAS["epochs"].names == [
        *begin,
        *("stage", "fraction", "search_fraction", "trial", "seed", "epoch", "learning_rate", "strength", "train_loss"),
        *("val_loss", "val_accuracy", "val_metric", "wall_s"),
    ]
    assert SCHEMAS["final"].names == [
        *begin,
        *("fraction", "search_fraction", "trial", "params", "seed", "state", "reason", "n_train", "n_test"),
        *("train_accuracy", "val_accuracy", "test_accuracy", "test_loss", "test_ece", "generalization_gap"),
        *("max_over_epochs", "mean_last_10pct", "val_metric", "test_metric", "test_class_accuracy"),
        *("test_class_images", "epochs", "wall_s", "code"),
    ]
    assert SCHEMAS["robustness"].names == [
        *begin,
        *("fraction", "search_fraction", "seed", "test", "norm", "epsilon", "severity", "accuracy"),
        *("median_distance", "n", "warning"),
    ]
    assert SCHEMAS["decisions"].names == [
        *begin,
        *("fraction", "search_fraction", "look", "n", "methods", "level", "estimate", "low", "high", "decision"),
        "measure",
    ]


def test_the_types_are_those_of_the_first_release():
    whole = {"images_per_class", "trial", "seed", "seeds", "n_val", "epochs_trained", "epoch", "n_train", "n_test"}
    whole |= {"epochs", "severity", "n", "retries", "look", "methods"}
    text = {"study", "dataset", "model", "protocol", "regularizer", "params", "state", "reason", "stage", "test"}
    text |= {"norm", "warning", "ranges", "code", "decision", "measure", "shared_from", "picked_from"}
    lists = {"test_class_accuracy": pa.list_(pa.float64()), "test_class_images": pa.list_(pa.int64())}
    for schema in SCHEMAS.values():
        for field in schema:
            wanted = lists.get(field.name, pa.float64())
            wanted = pa.int64() if field.name in whole else pa.string() if field.name in text else wanted
            assert field.type == wanted, field.name
            assert field.nullable


def test_what_an_engine_and_an_evaluation_report_is_a_part_of_the_rows():
    for values, row in ((EpochValues, EpochRow), (FinalValues, FinalRow), (RobustnessValues, RobustnessRow)):
        assert {column.name for column in columns(values)} < {column.name for column in columns(row)}


def test_every_column_says_what_it_holds():
    for row in ROWS.values():
        for column in columns(row):
            assert len(column.meaning) > 5, column.name
    assert {name for schema in SCHEMAS.values() for name in schema.names} > ADDED_LATER


def test_a_type_that_the_store_cannot_hold_is_refused():
    class Wrong(TypedDict):
        images: Annotated[bytes, "pixels"]

    with pytest.raises(TypeError, match="must hold int, float, str"):
        columns(Wrong)


def test_the_reference_of_the_columns_is_up_to_date():
    assert COLUMNS.read_text(encoding="utf-8") == reference(), (
        "run `python -m tune_reg.store.reference > docs/columns.md`"
    )
