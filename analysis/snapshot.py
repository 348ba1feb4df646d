"""The tables of one study, read once as typed rows, in an order that does not depend on how they were stored."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, wraps
from typing import Any, Final, TypeAlias, TypeVar, cast, final

import pyarrow as pa
import pyarrow.compute as pc

from tune_reg.errors import StoreError
from tune_reg.store import (
    DecisionRow,
    ExpectedRow,
    FinalRow,
    Metric,
    Results,
    RobustnessRow,
    Stage,
    TableName,
    TrialRow,
    metric_of,
)
from tune_reg.store.lost_parts import LostPart
from tune_reg.store.retried import without_retried
from tune_reg.store.rows import from_arrow, with_every_column
from tune_reg.store.winner import expected_values

T = TypeVar("T")

#: Columns that a table is sorted by before all others.
_SORT_KEYS: Final[Mapping[TableName, tuple[str, ...]]] = {
    "trials": ("regularizer", "fraction", "trial", "seed"),
    "expected": ("regularizer", "fraction", "trial"),
    "epochs": ("regularizer", "search_fraction", "fraction", "stage", "trial", "seed", "epoch"),
    "final": ("regularizer", "search_fraction", "fraction", "seed"),
    "robustness": ("regularizer", "search_fraction", "fraction", "test", "norm", "epsilon", "severity", "seed"),
    "decisions": ("regularizer", "search_fraction", "fraction", "look"),
}

#: Columns of the epochs of the search that are read.
_OF_SEARCH: Final = ["regularizer", "fraction", "trial", "seed", "epoch"]


@final
class Snapshot:
    """What one results directory holds, each table read at most once.

    Every public function of ``analysis`` takes ``Results`` or a ``Snapshot``; give them one ``Snapshot``
    where several are called on a large study. Raises ``StoreError``, in one line, for files that cannot be read.

    >>> from pathlib import Path
    >>> Snapshot(Results(Path("nowhere"))).final
    []
    """

    def __init__(self, results: Results) -> None:
        self._results = results
        self.memo: dict[object, object] = {}  # see ``once``

    @cached_property
    def study(self) -> Mapping[str, Any]:
        """The study as it was run."""
        return self._results.study()

    @cached_property
    def metric(self) -> Metric:
        """What the study is judged by."""
        return metric_of(self.study)

    @cached_property
    def provenance(self) -> Mapping[str, Any]:
        """Where the results come from; empty where the study stopped before it was written."""
        return mapping(self._results.provenance())

    @cached_property
    def trials(self) -> list[TrialRow]:
        """Rows of the table ``trials``, without failed ones that were tried again."""
        return without_retried(from_arrow("trials", _sorted("trials", self._results.trials)))

    @cached_property
    def expected(self) -> list[ExpectedRow]:
        """Rows of the table ``expected``."""
        return from_arrow("expected", _sorted("expected", self._results.expected))

    @cached_property
    def final(self) -> list[FinalRow]:
        """Rows of the table ``final``; ``search_fraction`` is never null."""
        rows = from_arrow("final", _sorted("final", self._results.final))
        for row in rows:
            row["search_fraction"] = _search_fraction(row)
        return rows

    @cached_property
    def robustness(self) -> list[RobustnessRow]:
        """Rows of the table ``robustness``; ``search_fraction`` is never null."""
        rows = from_arrow("robustness", _sorted("robustness", self._results.robustness))
        for row in rows:
            row["search_fraction"] = _search_fraction(row)
        return rows

    @cached_property
    def decisions(self) -> list[DecisionRow]:
        """Rows of the table ``decisions``, look by look; none where the study is not confirmed in rounds."""
        return from_arrow("decisions", _sorted("decisions", self._results.decisions))

    @cached_property
    def confirm_epochs(self) -> pa.Table:
        """Rows of the table ``epochs`` that are of confirmed runs, sorted, in columns.

        Epochs of the search can be a million, of which only the values of the metric are read.
        """
        return _sorted("epochs", lambda: _of_stage(self._epochs, "confirm"))

    @cached_property
    def search_epochs(self) -> pa.Table:
        """The metric after each epoch of the search: regularizer, fraction, trial, seed, epoch, and its column."""
        epochs = _of_stage(self._epochs, "search")
        return with_every_column("epochs", epochs).select([*_OF_SEARCH, self.metric.validation_column])

    @cached_property
    def _epochs(self) -> pa.Table:
        return self._results.epochs()

    @cached_property
    def left_out(self) -> tuple[str, ...]:
        """One sentence for every file that is not counted, as it is a copy of another one."""
        for _ in (self.trials, self.expected, self.confirm_epochs, self.final, self.robustness, self.decisions):
            pass  # each table is read once
        return self._results.left_out()

    @cached_property
    def lost(self) -> tuple[LostPart, ...]:
        """The parts that the tables must hold and have lost."""
        for _ in (self.trials, self.confirm_epochs, self.final, self.robustness):
            pass  # each table is read once
        return self._results.lost()

    @cached_property
    def journal_problem(self) -> str | None:
        """Why the journal cannot be read, in one line; None where nothing is wrong."""
        return self._results.journal_problem()

    @cached_property
    def images_per_class(self) -> dict[float, int]:
        """Training images of each class by data fraction, where the study gave those in place of fractions."""
        rows = (row for table in (self.trials, self.final, self.robustness) for row in table)
        return {row["fraction"]: row["images_per_class"] for row in rows if row["images_per_class"] is not None}

    @cached_property
    def regularizers(self) -> tuple[str, ...]:
        """Names in the order of every table and figure: the baseline, then as in the study, then any others."""
        asked_for = list(mapping(self.study.get("regularizers")))
        stored = sorted({row["regularizer"] for row in [*self.trials, *self.final, *self.robustness]})
        names = list(dict.fromkeys([*asked_for, *stored]))
        wanted = self.study.get("baseline")
        baseline = wanted if wanted in names else next(iter(names), None)
        return tuple(sorted(names, key=lambda name: name != baseline))

    @property
    def baseline(self) -> str | None:
        """The regularizer that the others are compared with: the one that the study names, else the first."""
        return next(iter(self.regularizers), None)

    @property
    def picked_on_test(self) -> bool:
        """Whether strengths were picked on the test set, as in the papers."""
        return self.study.get("protocol") == "paper" or any(row["protocol"] == "paper" for row in self.final)

    def method(self, regularizer: str) -> Mapping[str, Any]:
        """Space, formula, reference and strength parameter of ``regularizer``; empty where unknown."""
        return mapping(mapping(self.provenance.get("regularizers")).get(regularizer))

    def passes(self, regularizer: str) -> int:
        """How often an epoch of ``regularizer`` passes over the training images; the budget counts it as often."""
        passes = self.method(regularizer).get("passes", 1)
        return passes if isinstance(passes, int) else 1

    def order(self, regularizer: str) -> int:
        """Place of ``regularizer`` in every table and figure."""
        return self.regularizers.index(regularizer)

    def trials_of(self, regularizer: str) -> list[TrialRow]:
        """The trials of one regularizer, of all fractions."""
        return [row for row in self.trials if row["regularizer"] == regularizer]

    def expected_of(self, regularizer: str, fraction: float) -> dict[int, float]:
        """What is expected of the trials of one search that is over, by trial; empty where no model was asked."""
        return expected_values(self.expected, regularizer, fraction)


Source: TypeAlias = Results | Snapshot


def snapshot(source: Source) -> Snapshot:
    """A ``Snapshot`` of ``source``: ``source`` itself where it is one, else a new one."""
    return source if isinstance(source, Snapshot) else Snapshot(source)


def once(compute: Callable[[Snapshot], T]) -> Callable[[Source], T]:
    """Compute a table or figure of a ``Snapshot`` once, however many others are made of it.

    >>> from pathlib import Path
    >>> calls = []
    >>> counted = once(lambda data: calls.append(data))
    >>> data = Snapshot(Results(Path("nowhere")))
    >>> counted(data), counted(data), len(calls)
    (None, None, 1)
    """

    @wraps(compute)
    def wrapper(source: Source) -> T:
        data = snapshot(source)
        if wrapper not in data.memo:
            data.memo[wrapper] = compute(data)
        return cast(T, data.memo[wrapper])

    return wrapper


def mapping(value: object) -> Mapping[str, Any]:
    """A mapping: ``value`` where it is one, else an empty one, since every part of the provenance may be absent.

    >>> mapping(None), mapping({"a": 1})
    ({}, {'a': 1})
    """
    return value if isinstance(value, Mapping) else {}


def finite(values: Iterable[float | None]) -> list[float]:
    """The values that are numbers: neither null nor NaN nor infinite.

    >>> finite([0.5, None, float("nan")])
    [0.5]
    """
    return [value for value in values if value is not None and math.isfinite(value)]


def finite_or_none(value: float | None) -> float | None:
    """A value that is a number, else None: also for NaN and infinity.

    >>> finite_or_none(0.5), finite_or_none(float("nan"))
    (0.5, None)
    """
    return value if value is not None and math.isfinite(value) else None


def _search_fraction(row: FinalRow | RobustnessRow) -> float:
    # Results of early releases leave it null where a strength was searched at the fraction itself.
    searched: float | None = row["search_fraction"]
    return row["fraction"] if searched is None else searched


def _of_stage(epochs: pa.Table, stage: Stage) -> pa.Table:
    return epochs.filter(pc.equal(epochs["stage"], stage))


def _sorted(table: TableName, read: Callable[[], pa.Table]) -> pa.Table:
    # All columns of the schema are sort keys but lists, the table's own keys first: even rows that share a key (a
    # part copied by hand) come out in one order.
    try:
        rows = with_every_column(table, read())
        keys = dict.fromkeys([*_SORT_KEYS[table], *rows.column_names])
        order = [(name, "ascending") for name in keys if not pa.types.is_list(rows.schema.field(name).type)]
        return rows.select([*keys]).sort_by(order)
    except (KeyError, pa.ArrowException) as error:
        raise StoreError(f"the parts of table {table} do not fit together or to this tune-reg ({error})") from None
