"""Typed rows of Python to and from Parquet, where ``params`` is JSON and each hyperparameter has a column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, overload

import pyarrow as pa

from tune_reg.errors import StoreError
from tune_reg.store.schema import (
    ADDED_LATER,
    SCHEMAS,
    DecisionRow,
    EpochRow,
    ExpectedRow,
    FinalRow,
    ParameterKind,
    RobustnessRow,
    TableName,
    TrialRow,
    table_schema,
)

#: Columns that are mappings in Python, and JSON in Parquet.
_JSON: Final = ("params", "ranges")


def to_arrow(
    table: TableName,
    rows: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, ParameterKind],
    metadata: Mapping[str, str],
) -> pa.Table:
    """Typed rows as a table of Arrow; columns that a row does not give are null.

    ``parameters``: every hyperparameter of the study. ``KeyError`` for a column that the schema lacks.
    """
    schema = table_schema(table, parameters)
    flat = [_with_param_columns(row, parameters) for row in rows]
    unknown = {name for row in flat for name in row} - set(schema.names)
    if unknown:
        raise KeyError(f"table {table} has no column {sorted(unknown)}")
    return pa.Table.from_pylist(flat, schema=schema.with_metadata(dict(metadata)))


def parameters_of_values(configurations: Iterable[Mapping[str, object]]) -> dict[str, ParameterKind]:
    """How the hyperparameters of some configurations are stored; text where one of its values is no number.

    >>> parameters_of_values([{"alpha": 4, "mode": "coupled"}, {"alpha": 0.5}])
    {'alpha': 'number', 'mode': 'text'}
    """
    kinds: dict[str, ParameterKind] = {}
    for configuration in configurations:
        for name, value in configuration.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None:
                kinds[name] = "number" if number and kinds.get(name) != "text" else "text"
    return kinds


def parameters_of_table(rows: pa.Table) -> dict[str, ParameterKind]:
    """How the hyperparameters are stored that a table of Arrow has columns for."""
    return {
        field.name.removeprefix("param_"): "number" if field.type == pa.float64() else "text"
        for field in rows.schema
        if field.name.startswith("param_")
    }


def joined(*kinds: Mapping[str, ParameterKind]) -> dict[str, ParameterKind]:
    """All hyperparameters of several mappings; text where one of them says so.

    >>> joined({"b": "number"}, {"b": "text"}, {"a": "number"})
    {'b': 'text', 'a': 'number'}
    """
    result: dict[str, ParameterKind] = {}
    for each in kinds:
        for name, kind in each.items():
            result[name] = "text" if "text" in (kind, result.get(name)) else "number"
    return result


def with_schema(table: TableName, rows: pa.Table, parameters: Mapping[str, ParameterKind]) -> pa.Table:
    """Stored rows in the schema of the study: columns in its order, null where they were not written.

    Columns that no release before this one wrote stay, at the end. The metadata of the table is kept.
    """
    schema = table_schema(table, parameters)
    if rows.schema.equals(schema):
        return rows
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    more = [field for field in rows.schema if field.name not in schema.names]
    columns += [rows[field.name] for field in more]
    return pa.table(columns, schema=pa.schema([*schema, *more], metadata=rows.schema.metadata))


@overload
def from_arrow(table: Literal["trials"], rows: pa.Table) -> list[TrialRow]: ...
@overload
def from_arrow(table: Literal["expected"], rows: pa.Table) -> list[ExpectedRow]: ...
@overload
def from_arrow(table: Literal["epochs"], rows: pa.Table) -> list[EpochRow]: ...
@overload
def from_arrow(table: Literal["final"], rows: pa.Table) -> list[FinalRow]: ...
@overload
def from_arrow(table: Literal["robustness"], rows: pa.Table) -> list[RobustnessRow]: ...
@overload
def from_arrow(table: Literal["decisions"], rows: pa.Table) -> list[DecisionRow]: ...
def from_arrow(table: TableName, rows: pa.Table) -> Any:
    """A table of Arrow as typed rows: ``params`` is a mapping, the columns ``param_<name>`` are left out.

    ``KeyError`` where a column is missing that stores of every release have; ``StoreError`` where ``params`` is not
    JSON.
    """
    typed: list[dict[str, Any]] = with_every_column(table, rows).to_pylist()
    for row in typed:
        for name in _JSON:
            if name in row and (name == "params" or row[name] is not None):
                row[name] = _from_json(name, row[name])
    return typed


def with_every_column(table: TableName, rows: pa.Table) -> pa.Table:
    """The columns of the schema alone; null columns stand for those that an earlier release did not write.

    ``KeyError`` where a column is missing that stores of every release have.
    """
    for field in SCHEMAS[table]:
        if field.name in ADDED_LATER and field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(SCHEMAS[table].names)


def _with_param_columns(row: Mapping[str, Any], parameters: Mapping[str, ParameterKind]) -> dict[str, Any]:
    params = row.get("params")
    if not isinstance(params, Mapping):
        return dict(row)
    flat = {
        f"param_{name}": _text(value) if parameters.get(name) == "text" else value for name, value in params.items()
    }
    as_json = {name: json.dumps(row[name], sort_keys=True) for name in _JSON if row.get(name) is not None}
    return {**row, **flat, **as_json}


def _text(value: object) -> str | None:
    """A value in a column of text; numbers as Arrow writes them, so that rows look alike whenever they were written."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return str(pa.scalar(value, pa.float64()).cast(pa.string()).as_py())


def _from_json(column: str, text: str | None) -> dict[str, Any]:
    try:
        loaded: object = json.loads(text or "{}")
    except ValueError as error:
        raise StoreError(f"column {column} must be JSON, but got {text!r} ({error})") from None
    return dict(loaded) if isinstance(loaded, Mapping) else {}
