"""The reader of a store: the results of one study, as tables."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tune_reg.errors import StoreError, UnreachableError, one_line
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.store.identity import study_hashes
from tune_reg.store.journal_keys import JournalKeys, read_journal_keys
from tune_reg.store.lost_parts import Facts, LostPart, lost_parts, part_facts
from tune_reg.store.metric import metric_of
from tune_reg.store.parts import concatenated
from tune_reg.store.rows import from_arrow
from tune_reg.store.schema import SCHEMAS, TABLES, TableName, TrialRow
from tune_reg.store.seal import unsealed_json, unsealed_text
from tune_reg.store.table_folder import read_table_folder
from tune_reg.store.winner import expected_values, winner

#: What a user does about a part that was lost.
_MEND: Final = "; bring it back from a copy, or give the `run` command again, which trains it anew"


@dataclass(frozen=True)
class Results:
    """The results of one study, read from its directory. Each table is a ``pyarrow.Table``."""

    directory: StoragePath
    #: Of the tables that were read: the sentences of ``left_out``.
    _left_out: dict[TableName, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    #: Of the tables that were read: the facts of their parts.
    _facts: Facts = field(default_factory=dict, init=False, repr=False, compare=False)
    #: What the journal said when it was read, for who asks whether it can be.
    _journal: list[JournalKeys] = field(default_factory=list, init=False, repr=False, compare=False)

    def trials(self) -> pa.Table:
        """The table ``trials``: one row for each configuration that was tried."""
        return self._read("trials")

    def expected(self) -> pa.Table:
        """The table ``expected``: what the model of each search that is over expects of its trials."""
        return self._read("expected")

    def epochs(self) -> pa.Table:
        """The table ``epochs``: one row for each epoch of a trial or of a confirmed run."""
        return self._read("epochs")

    def final(self) -> pa.Table:
        """The table ``final``: one row for each winner that was trained anew on a fresh seed and tested once."""
        return self._read("final")

    def robustness(self) -> pa.Table:
        """The table ``robustness``: one row for each confirmed run under one attack, noise or corruption."""
        return self._read("robustness")

    def decisions(self) -> pa.Table:
        """The table ``decisions``: one row for each look at a method's confirmed runs, which go on until decided."""
        return self._read("decisions")

    def study(self) -> dict[str, Any]:
        """The study as it was run, every default written out."""
        return self._parsed("study.toml", lambda text: tomllib.loads(unsealed_text(text)))

    def provenance(self) -> dict[str, Any]:
        """Where the results come from: code, package versions, data, hardware, command, methods, citations.

        Empty where the study was stopped before it was written.
        """
        if not (self.directory / "provenance.json").exists():
            return {}
        return self._parsed("provenance.json", unsealed_json)

    def best(self, regularizer: str, *, fraction: float | None = None) -> dict[str, Any]:
        """The winning hyperparameters of ``regularizer``: of the best expected or, without a model, seen value.

        ``fraction``: the training fraction searched; the largest one searched if None. Ties go to the trial
        asked first, as in the search. Raises ``StoreError`` where no trial of it ended with a value, or one was lost.
        """
        rows = self._with_values(regularizer)
        if fraction is None:
            fraction = max((row["fraction"] for row in rows), default=None)
        rows = [row for row in rows if row["fraction"] == fraction]
        expected = expected_values(from_arrow("expected", self.expected()), regularizer, fraction)
        number = winner([row for row in rows if row["state"] == "complete"], self.study(), expected)
        if number is None:
            raise StoreError(f"best({regularizer!r}): no complete trial of it in {self.directory}")
        return next(dict(row["params"]) for row in rows if row["trial"] == number)

    def best_trials(self, regularizer: str, count: int) -> list[dict[str, Any]]:
        """The hyperparameters of the ``count`` best complete trials of ``regularizer``, the best first."""
        complete = [row for row in self._with_values(regularizer) if row["state"] == "complete"]
        metric = metric_of(self.study())
        best_first = sorted(complete, key=lambda row: (-metric.score(row["value"] or 0.0), row["trial"]))
        return [dict(row["params"]) for row in best_first[:count]]

    def _with_values(self, regularizer: str) -> list[TrialRow]:
        """The trials of ``regularizer`` that have a value, complete or not.

        ``StoreError`` where a trial of it was lost: it may have been the best one.
        """
        over = read_journal_keys(self.directory).over  # first: a study that runs writes it last
        trials = self.trials()
        begins = f"{regularizer}-at-"
        lost = sorted(key for key in over if key.startswith(begins) and key not in self._facts["trials"])
        if lost:
            raise StoreError(f"{self.directory}: {LostPart('trials', lost[0])}{_MEND}")
        valued = pc.and_(pc.equal(trials["regularizer"], regularizer), pc.is_valid(trials["value"]))
        return from_arrow("trials", trials.filter(valued))

    def _parsed(self, name: str, parse: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        path = self.directory / name
        try:
            return parse(path.read_text(encoding="utf-8"))
        except UnreachableError:
            raise
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} cannot be read ({one_line(error)}); bring it back from a copy") from None

    def left_out(self) -> tuple[str, ...]:
        """One sentence for every file of the tables that is not counted, as a copy of another one."""
        for table in TABLES:
            if table not in self._left_out:
                self._read(table)
        return tuple(sentence for table in TABLES for sentence in self._left_out[table])

    def lost(self) -> tuple[LostPart, ...]:
        """The parts that the tables must hold, as the journal and other tables have it, and do not hold.

        Nothing is known to be lost where the journal is not there, or cannot be read.
        """
        if not self._lost():
            return ()
        # A study that runs may have written between two tables: in this order it leaves nothing out.
        over = read_journal_keys(self.directory).over
        for table in ("trials", "final", "robustness", "epochs"):
            self._read(table)
        return self._lost(over)

    def _lost(self, over: frozenset[str] | None = None) -> tuple[LostPart, ...]:
        if over is None:
            self._journal.append(read_journal_keys(self.directory))
            if not self._journal[-1].exists:
                return ()
            over = self._journal[-1].over
        for table in TABLES:
            if table not in self._facts:
                self._read(table)
        return tuple(lost_parts(self._facts, over))

    def journal_problem(self) -> str | None:
        """Why the journal cannot be read, in one line; None where it can, or is not there."""
        if not self._journal:
            self._journal.append(read_journal_keys(self.directory))
        return self._journal[-1].problem

    def _read(self, table: TableName) -> pa.Table:
        folder = read_table_folder(self.directory / "tables" / table, table, study_hashes(self.provenance()))
        self._left_out[table] = tuple(
            f"tables/{table}/{entry.path.name} {entry.reason}, and is not counted." for entry in folder.left_out
        )
        self._facts[table] = part_facts(table, folder.files)
        if not folder.files:
            return SCHEMAS[table].empty_table()
        return concatenated([file.rows for file in folder.files]).replace_schema_metadata(None)


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
