"""The one schema: what a study leaves behind, as Parquet tables and JSON beside them.

A directory DIR, or a folder of an object store, holds ``study.toml``, ``provenance.json``, ``search.journal``,
``checkpoints/``, ``report/`` and ``tables/{trials,epochs,final,robustness}/*.parquet``. A part is one finished run,
named by its key, so that writing it twice leaves it once. Every file is whole or absent.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tune_reg.errors import StoreError, UnreachableError, one_line
from tune_reg.picking import Candidate, pick
from tune_reg.storage.paths import StoragePath, to_path, read_all, write_whole

SCHEMA_VERSION: Final = 1

_RUN: Final = [
    ("study", pa.string()),
    ("dataset", pa.string()),
    ("model", pa.string()),
    ("protocol", pa.string()),
    ("regularizer", pa.string()),
    ("images_per_class", pa.int64()),  # of the training set, where the study gives that in place of a fraction
]

#: Columns of each table. ``params`` is JSON; each parameter also has a column ``param_<name>`` of its own.
SCHEMAS: Final[dict[str, pa.Schema]] = {
    "trials": pa.schema(
        [
            *_RUN,
            ("fraction", pa.float64()),  # share of the training images that the trial saw
            ("trial", pa.int64()),  # number of the trial within (regularizer, fraction)
            ("params", pa.string()),
            ("seed", pa.int64()),  # the first one, where a trial is trained on several
            ("seeds", pa.int64()),  # that the value is the mean of
            ("state", pa.string()),  # complete, pruned, diverged, failed
            ("reason", pa.string()),  # why it diverged or failed, else null
            ("value", pa.float64()),  # last validation accuracy; null where diverged or failed
            ("robust_accuracy", pa.float64()),  # on validation images, where that is a second objective
            ("n_val", pa.int64()),  # validation images behind ``value``
            ("epochs_trained", pa.int64()),
            ("wall_s", pa.float64()),
        ]
    ),
    "epochs": pa.schema(
        [
            *_RUN,
            ("stage", pa.string()),  # search or confirm
            ("fraction", pa.float64()),
            ("search_fraction", pa.float64()),  # the fraction at which the strengths were picked
            ("trial", pa.int64()),  # in stage confirm the number of the winning trial
            ("seed", pa.int64()),
            ("epoch", pa.int64()),  # from 1
            ("learning_rate", pa.float64()),
            ("strength", pa.float64()),  # of the regularizer, in this epoch
            ("train_loss", pa.float64()),
            ("val_loss", pa.float64()),
            ("val_accuracy", pa.float64()),
            ("wall_s", pa.float64()),
        ]
    ),
    "final": pa.schema(
        [
            *_RUN,
            ("fraction", pa.float64()),
            ("search_fraction", pa.float64()),
            ("trial", pa.int64()),  # number of the winning trial
            ("params", pa.string()),
            ("seed", pa.int64()),
            ("state", pa.string()),  # complete, diverged, failed
            ("reason", pa.string()),
            ("n_train", pa.int64()),  # training images
            ("n_test", pa.int64()),  # test images
            ("train_accuracy", pa.float64()),
            ("val_accuracy", pa.float64()),
            ("test_accuracy", pa.float64()),
            ("test_loss", pa.float64()),  # mean cross-entropy
            ("test_ece", pa.float64()),  # expected calibration error, 15 bins of equal width
            ("generalization_gap", pa.float64()),  # train_accuracy - test_accuracy
            ("max_over_epochs", pa.float64()),  # of val_accuracy; that is the test set in protocol "paper"
            ("mean_last_10pct", pa.float64()),  # of val_accuracy over the last tenth of the epochs
            ("epochs", pa.int64()),
            ("wall_s", pa.float64()),
        ]
    ),
    "robustness": pa.schema(
        [
            *_RUN,
            ("fraction", pa.float64()),
            ("search_fraction", pa.float64()),
            ("seed", pa.int64()),
            ("test", pa.string()),  # fgsm, pgd-linf, gaussian-noise, jpeg, ...
            ("norm", pa.string()),  # linf, l2, or null
            ("epsilon", pa.float64()),  # radius of an attack or std of noise, on images in [0, 1]
            ("severity", pa.int64()),  # of a corruption, 1 to 5
            ("accuracy", pa.float64()),
            ("median_distance", pa.float64()),  # to the nearest wrong image found, by attacks that look for it
            ("n", pa.int64()),  # test images
            ("warning", pa.string()),  # what a check of the attack against itself found wrong, or null
        ]
    ),
}

TABLES: Final = tuple(SCHEMAS)

#: What a second objective is made of.
_SECOND: Final = ("robust_accuracy", "n_val", "epochs_trained", "wall_s")

#: Begins the name of a file that holds many parts; the name of no part begins so.
_PACK: Final = "_pack-"
_PARTS: Final = "tune_reg.parts"


class Store:
    """Writes the tables of one results directory. Only one process writes at a time."""

    def __init__(self, directory: StoragePath, *, study_hash: str) -> None:
        self.directory = directory
        self._metadata = {"tune_reg.schema": str(SCHEMA_VERSION), "tune_reg.study": study_hash}
        self._packed: dict[str, dict[str, StoragePath]] = {}
        for table in TABLES:
            folder = directory / "tables" / table
            folder.mkdir(parents=True, exist_ok=True)
            self._packed[table] = {key: pack for pack in _packs(folder) for key in _keys_of(pack)}
            for key in self.unpacked(table) & set(self._packed[table]):
                # Packed, but the process was killed before it removed the part itself.
                self._part(table, key).unlink(missing_ok=True)

    def pack(self, table: str, keys: Collection[str]) -> None:
        """Put the parts ``keys`` of a table together in one file; to read thousands of small files takes long.

        Packed parts are there as before, but are not written or dropped any more.
        """
        folder = self.directory / "tables" / table
        there = sorted(self.unpacked(table) & set(keys))
        parts = dict(zip(there, _read_parts([self._part(table, key) for key in there]), strict=True))
        if not parts:
            return
        joined = pa.concat_tables(_agreed(list(parts.values())), promote_options="permissive")
        counts = json.dumps({key: part.num_rows for key, part in parts.items()}).encode()
        sink = pa.BufferOutputStream()
        pq.write_table(joined.replace_schema_metadata({**self._metadata, _PARTS: counts}), sink)
        path = folder / f"{_PACK}{len(_packs(folder)) + 1:05d}.parquet"
        write_whole(path, sink.getvalue().to_pybytes())
        for key in parts:
            self._part(table, key).unlink()
            self._packed[table][key] = path

    def write(self, table: str, key: str, rows: Sequence[Mapping[str, Any]], **metadata: str) -> None:
        """Store ``rows`` as the part ``key`` of ``table``; a part of that key is replaced as a whole.

        A row has the columns of ``SCHEMAS[table]`` (missing ones are null); ``params`` is a mapping. ``metadata`` is
        kept with the part.
        """
        columns = SCHEMAS[table]
        flat = [_flatten(row) for row in rows]
        names = sorted({name for row in flat for name in row if name.startswith("param_")})
        fields = [*columns, *(pa.field(name, _type([row.get(name) for row in flat])) for name in names)]
        kept = {f"tune_reg.{name}": value for name, value in metadata.items()}
        schema = pa.schema(fields, metadata={**self._metadata, **kept})
        unknown = {name for row in flat for name in row} - set(schema.names)
        if unknown:
            raise KeyError(f"table {table} has no column {sorted(unknown)}")
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(flat, schema=schema), sink)
        write_whole(self._part(table, key), sink.getvalue().to_pybytes())

    def has(self, table: str, key: str) -> bool:
        """Whether the part ``key`` of ``table`` is stored."""
        return key in self._packed[table] or self._part(table, key).exists()

    def keys(self, table: str) -> set[str]:
        """The keys of the parts of ``table``."""
        return set(self._packed[table]) | set(self.unpacked(table))

    def unpacked(self, table: str) -> set[str]:
        """Those that have a file of their own."""
        parts = (self.directory / "tables" / table).glob("*.parquet")
        return {part.stem for part in parts if not part.name.startswith(_PACK)}

    def rows(self, table: str, key: str) -> list[dict[str, Any]]:
        """The rows of a part."""
        pack = self._packed[table].get(key)
        part = _read_part(self._part(table, key)) if pack is None else _part_of(pack, key)
        rows: list[dict[str, Any]] = part.to_pylist()
        return rows

    def metadata(self, table: str, key: str, name: str) -> str | None:
        """What ``write`` was given as ``metadata`` under ``name``, or None."""
        kept = _read_part(self._part(table, key)).schema.metadata.get(f"tune_reg.{name}".encode())
        return None if kept is None else str(kept.decode())

    def drop(self, table: str, key: str) -> None:
        """Remove a part, if it is there."""
        self._part(table, key).unlink(missing_ok=True)

    def _part(self, table: str, key: str) -> StoragePath:
        return self.directory / "tables" / table / f"{key}.parquet"


def _flatten(row: Mapping[str, Any]) -> dict[str, Any]:
    params = row.get("params")
    if not isinstance(params, Mapping):
        return dict(row)
    flat = {f"param_{name}": value for name, value in params.items()}
    return {**row, **flat, "params": json.dumps(params, sort_keys=True)}


def _type(values: Sequence[object]) -> pa.DataType:
    """Numbers are stored as float64, so that the parts of all trials agree; all else as text."""
    numeric = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values if value is not None
    )
    return pa.float64() if numeric else pa.string()


@dataclass(frozen=True)
class Results:
    """The results of one study, read from its directory. Each table is a ``pyarrow.Table``."""

    directory: StoragePath

    def trials(self) -> pa.Table:
        """One row a configuration tried."""
        return self._read("trials")

    def epochs(self) -> pa.Table:
        """One row an epoch of a trial or a confirmed run."""
        return self._read("epochs")

    def final(self) -> pa.Table:
        """One row a confirmed run: the winner of a regularizer, trained anew on a fresh seed and tested once."""
        return self._read("final")

    def robustness(self) -> pa.Table:
        """One row a confirmed run under one attack or corruption."""
        return self._read("robustness")

    def study(self) -> dict[str, Any]:
        """The study as it was run, every default written out."""
        return self._parsed("study.toml", tomllib.loads)

    def provenance(self) -> dict[str, Any]:
        """Where the results come from: code, package versions, data, hardware, command, methods.

        Empty where the study was stopped before it was written.
        """
        if not (self.directory / "provenance.json").exists():
            return {}
        return self._parsed("provenance.json", json.loads)

    def best(self, regularizer: str, *, fraction: float | None = None) -> dict[str, Any]:
        """The winning hyperparameters of ``regularizer``, by validation accuracy.

        ``fraction``: the training fraction searched; the largest one searched if None. Ties go to the trial
        asked first, as in the search. Raises ``StoreError`` where no trial of it ended with a value.
        """
        rows = self._complete(regularizer)
        if fraction is None:
            fraction = max((row["fraction"] for row in rows), default=None)
        rows = [row for row in rows if row["fraction"] == fraction]
        if not rows:
            raise StoreError(f"best({regularizer!r}): no complete trial of it in {self.directory}")
        won = winner(rows, self.study())
        params: dict[str, Any] = next(json.loads(row["params"]) for row in rows if row["trial"] == won)
        return params

    def best_trials(self, regularizer: str, count: int) -> list[dict[str, Any]]:
        """The hyperparameters of the ``count`` best complete trials of ``regularizer``, the best first."""
        return [json.loads(row["params"]) for row in self._complete(regularizer)[:count]]

    def _complete(self, regularizer: str) -> list[dict[str, Any]]:
        """The complete trials of ``regularizer``, those of the highest accuracy first."""
        trials = self.trials()
        # A store of an earlier release lacks some, which its study does not ask for.
        columns = ["regularizer", "fraction", "trial", "state", "value", "params"]
        columns += [name for name in _SECOND if name in trials.column_names]
        rows = [
            row
            for row in trials.select(columns).to_pylist()
            if row["regularizer"] == regularizer and row["state"] == "complete"
        ]
        return sorted(rows, key=lambda row: (-row["value"], row["trial"]))

    def _parsed(self, name: str, parse: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        path = self.directory / name
        try:
            return parse(path.read_text(encoding="utf-8"))
        except UnreachableError:
            raise
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} cannot be read ({one_line(error)}); bring it back from a copy") from None

    def _read(self, table: str) -> pa.Table:
        folder = self.directory / "tables" / table
        found: list[StoragePath] = [*folder.glob("*.parquet")]
        found.sort(key=lambda part: part.name)
        read = dict(zip(found, _read_parts(found), strict=True))
        packed = {key for part, rows in read.items() if part.name.startswith(_PACK) for key in _counts(rows)}
        tables = [rows for part, rows in read.items() if part.stem not in packed]
        if not tables:
            return SCHEMAS[table].empty_table()
        joined = pa.concat_tables(_agreed(tables), promote_options="permissive")
        return joined.replace_schema_metadata(None)


def second_value(row: Mapping[str, Any], kind: str) -> float | None:
    """The second objective of a complete trial, from its row: ``kind`` "robust_accuracy" or "epoch_time" (seconds)."""
    if kind == "robust_accuracy" or not row["epochs_trained"]:
        value: float | None = row["robust_accuracy"]
        return value
    seconds: float = row["wall_s"] / row["epochs_trained"]
    return seconds


def winner(rows: Sequence[Mapping[str, Any]], study: Mapping[str, Any]) -> int | None:
    """The number of the winning trial among the complete trials of one search; see ``picking.pick``.

    ``rows``: of the table "trials". ``study``: as plain tables, as ``Results.study`` gives it.
    """
    kind = study.get("search", {}).get("second_objective", {}).get("kind")
    sign = -1 if kind == "epoch_time" else 1
    candidates = []
    for row in rows:
        second = None if kind is None else second_value(row, kind)
        candidates.append(Candidate(row["trial"], row["value"], None if second is None else sign * second))
    return pick(candidates, images=rows[0]["n_val"] if rows and kind is not None else 1)


def _packs(folder: StoragePath) -> list[StoragePath]:
    return sorted(folder.glob(f"{_PACK}*.parquet"))


def _counts(pack: pa.Table) -> dict[str, int]:
    """How many rows each part of a pack has."""
    counts: dict[str, int] = json.loads(pack.schema.metadata[_PARTS.encode()])
    return counts


def _keys_of(pack: StoragePath) -> list[str]:
    return list(_counts(_read_part(pack)))


def _part_of(pack: StoragePath, key: str) -> pa.Table:
    """The rows of one part of a pack, which stand in the order of its keys."""
    rows = _read_part(pack)
    counts = _counts(rows)
    before = list(counts)[: list(counts).index(key)]
    return rows.slice(sum(counts[other] for other in before), counts[key])


def _agreed(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """A parameter that is a number in one part and text in another becomes text in all."""
    kinds: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for column in table.schema:
            kinds.setdefault(column.name, set()).add(column.type)
    mixed = {name for name, types in kinds.items() if name.startswith("param_") and len(types) > 1}
    return [
        table.cast(pa.schema([c.with_type(pa.string()) if c.name in mixed else c for c in table.schema]))
        for table in tables
    ]


def _read_part(part: StoragePath) -> pa.Table:
    return _read_parts([part])[0]


def _read_parts(parts: Sequence[StoragePath]) -> list[pa.Table]:
    try:
        contents = read_all(parts)
    except UnreachableError:
        raise
    except OSError as error:
        raise _unreadable(error.filename, error) from None
    return [_parquet(part, content) for part, content in zip(parts, contents, strict=True)]


def _unreadable(part: StoragePath | str, error: Exception) -> StoreError:
    return StoreError(
        f"{part} cannot be read as Parquet ({one_line(error)}); bring it back from a copy, "
        "or move it away to go on without"
    )


def _parquet(part: StoragePath, content: bytes) -> pa.Table:
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(part, error) from None
    version = int((table.schema.metadata or {}).get(b"tune_reg.schema", b"0"))
    if version != SCHEMA_VERSION:
        rule = f"this tune-reg reads version {SCHEMA_VERSION}: use the release that wrote it"
        raise StoreError(f"{part} has schema version {version}; {rule}")
    return table


def load(directory: str | StoragePath) -> Results:
    """Open the results of a study; ``StoreError`` where the directory holds none.

    ``directory``: a path or the URL of an object store, as ``tune-reg run --out`` takes it.

    >>> import tune_reg
    >>> best = tune_reg.load("out/digits").best("adadecay")  # doctest: +SKIP
    """
    path = to_path(directory)
    if not (path / "study.toml").is_file():
        raise StoreError(f"{path} holds no study: study.toml is missing; run `tune-reg run STUDY --out {path}` first")
    return Results(path)
