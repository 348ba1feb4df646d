"""Typed rows of Python to and from Parquet, where ``params`` is JSON and each hyperparameter has a column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

import pyarrow as pa

from tune_reg.errors import StoreError
from tune_reg.store.schema import ADDED_LATER, SCHEMAS, EpochRow, FinalRow, RobustnessRow, TableName, TrialRow


def to_arrow(table: TableName, rows: Sequence[Mapping[str, Any]], metadata: Mapping[str, str]) -> pa.Table:
    """Typed rows as a table of Arrow; columns that a row does not give are null.

    ``KeyError`` for a column that the schema lacks.
    """
    flat = [_with_param_columns(row) for row in rows]
    names = sorted({name for row in flat for name in row if name.startswith("param_")})
    fields = [*SCHEMAS[table], *(pa.field(name, _param_type([row.get(name) for row in flat])) for name in names)]
    schema = pa.schema(fields, metadata=dict(metadata))
    unknown = {name for row in flat for name in row} - set(schema.names)
    if unknown:
        raise KeyError(f"table {table} has no column {sorted(unknown)}")
    return pa.Table.from_pylist(flat, schema=schema)


@overload
def from_arrow(table: Literal["trials"], rows: pa.Table) -> list[TrialRow]: ...
@overload
def from_arrow(table: Literal["epochs"], rows: pa.Table) -> list[EpochRow]: ...
@overload
def from_arrow(table: Literal["final"], rows: pa.Table) -> list[FinalRow]: ...
@overload
def from_arrow(table: Literal["robustness"], rows: pa.Table) -> list[RobustnessRow]: ...
def from_arrow(table: TableName, rows: pa.Table) -> Any:
    """A table of Arrow as typed rows: ``params`` is a mapping, the columns ``param_<name>`` are left out.

    ``KeyError`` where a column is missing that stores of every release have; ``StoreError`` where ``params`` is not
    JSON.
    """
    typed: list[dict[str, Any]] = with_every_column(table, rows).to_pylist()
    for row in typed:
        if "params" in row:
            row["params"] = _params(row["params"])
    return typed


def with_every_column(table: TableName, rows: pa.Table) -> pa.Table:
    """The columns of the schema alone; null columns stand for those that an earlier release did not write.

    ``KeyError`` where a column is missing that stores of every release have.
    """
    for field in SCHEMAS[table]:
        if field.name in ADDED_LATER and field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(SCHEMAS[table].names)


def _with_param_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    params = row.get("params")
    if not isinstance(params, Mapping):
        return dict(row)
    flat = {f"param_{name}": value for name, value in params.items()}
    return {**row, **flat, "params": json.dumps(params, sort_keys=True)}


def _param_type(values: Sequence[object]) -> pa.DataType:
    """Arrow's type of a hyperparameter: float64 for numbers, so that the parts of all trials agree, else text."""
    numeric = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values if value is not None
    )
    return pa.float64() if numeric else pa.string()


def _params(text: str | None) -> dict[str, Any]:
    try:
        loaded: object = json.loads(text or "{}")
    except ValueError as error:
        raise StoreError(f"column params must be JSON, but got {text!r} ({error})") from None
    return dict(loaded) if isinstance(loaded, Mapping) else {}
