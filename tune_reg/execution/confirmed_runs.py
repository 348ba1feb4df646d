"""The confirmed runs of a study: which are stored, which are asked for, and which have had their robustness tests.

In rounds it depends on the stored ones which are asked for. All is a function of the tables, so that a study that goes
on comes to the same looks and decisions, in whatever order its runs end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from tune_reg.decisions import Look, looks_at
from tune_reg.execution.recorder import Recorder
from tune_reg.execution.rounds import NewestLook, of_first_seeds, seeds_asked, seeds_at_most
from tune_reg.execution.study_run import checkpoint_directory, confirm_key
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.trial import Trial
from tune_reg.storage.paths import StoragePath
from tune_reg.study import Confirmation, StudyPlan
from tune_reg.training import checkpoint as checkpoints

#: The winner of each task whose search is over, by the task's name; None for one that ended without.
_Winners: TypeAlias = Mapping[str, Trial | None]


class ConfirmedCounts(NamedTuple):
    """How many confirmations there are."""

    stored: int
    asked: int
    at_most: int  # asked for if no later look decides anything
    without_winner: int  # of those asked for: their search ended without a winner


class ConfirmedRuns:
    """Compares the confirmed runs that a plan asks for with those that are stored.

    ``retried``: the keys of stored runs that count as missing; each stays until it is stored anew.
    """

    def __init__(
        self,
        plan: StudyPlan,
        search: AskTell,
        recorder: Recorder,
        directory: StoragePath,
        *,
        retried: Collection[str] = (),
    ) -> None:
        self._plan = plan
        self._search = search
        self._recorder = recorder
        self._directory = directory
        self._retried = set(retried)
        self._stored = recorder.confirmed_keys() - self._retried
        #: Stored runs that need no robustness tests any more: they have had them, or cannot.
        self._tested = {key for key in self._stored if recorder.needs_no_tests(key)}
        #: The test values of stored runs of primary comparisons, as far as they were read.
        self._values: dict[str, float | None] = {}
        self._stored_changed = 0  # how often
        self._looks: dict[str, tuple[object, list[Look]]] = {}  # with what they were taken of
        for confirmation in plan.confirmations:
            self._drop_superseded(confirmation)

    def looks(self, regularizer: str) -> list[Look]:
        """The looks so far at the paired differences of a method to the baseline, on the largest training set.

        A look is taken when all runs up to its seed are stored. None where the number of seeds is fixed, or where a
        search of the two is not over.
        """
        return self._looks_at(regularizer, self._winners())

    def missing(self) -> Iterator[tuple[Confirmation, Trial | None]]:
        """Confirmations that are asked for and not stored, with the winner where its search is over.

        In rounds those are asked for whose seeds come before the next look. Confirmations of a task that ended without
        a winner are left out: they never come.
        """
        winners = self._winners()
        return self._missing(self._asked(winners), winners)

    def counts(self) -> ConfirmedCounts:
        """How many confirmations are stored, asked for, and asked for if no later look decides anything."""
        winners = self._winners()
        asked = self._asked(winners)
        without = {name for name, winner in winners.items() if winner is None}
        lost = sum(confirmation.task.name in without for confirmation in asked)
        missing = sum(1 for _ in self._missing(asked, winners))
        most = sum(1 for _ in of_first_seeds(self._plan, seeds_at_most(self._plan, self._newest_looks(winners))))
        return ConfirmedCounts(len(asked) - missing - lost, len(asked), most, lost)

    def untested(self) -> Iterator[tuple[Confirmation, Trial]]:
        """Stored runs whose robustness tests are not those of the study."""
        if self._tested >= self._stored:
            return
        for confirmation in self._plan.confirmations:
            winner = self._search.winner(confirmation.task)
            if winner is not None and self._key(winner, confirmation) in self._stored - self._tested:
                yield confirmation, winner

    def add(self, winner: Trial, confirmation: Confirmation) -> None:
        """A confirmed run is stored, with its robustness tests; the runs of an earlier winner go."""
        key = self._key(winner, confirmation)
        self._stored.add(key)
        self._retried.discard(key)
        self._tested.add(key)
        self._values.pop(key, None)
        self._stored_changed += 1
        self._drop_superseded(confirmation)
        self._keep_or_remove(key)

    def drop_beyond(self) -> None:
        """Where nothing is missing: remove the runs of earlier winners on seeds that the present ones do not need."""
        winners = self._winners()
        seeds = seeds_asked(self._plan, self._newest_looks(winners))
        if any(True for _ in self._missing(of_first_seeds(self._plan, seeds), winners)):
            return
        for confirmation in self._plan.confirmations:
            winner = winners.get(confirmation.task.name)
            if winner is not None and self._plan.seed_number(confirmation) >= seeds[confirmation.task.regularizer]:
                self._drop_others(winner, confirmation)

    def remove_checkpoints(self, stored_key: str) -> None:
        """Remove the checkpoints of a run that nothing goes on from."""
        checkpoints.remove(checkpoint_directory(self._directory, stored_key))

    def add_tests(self, stored_key: str) -> None:
        """A stored run has had its robustness tests, or cannot have them."""
        self._tested.add(stored_key)
        self._keep_or_remove(stored_key)

    def _keep_or_remove(self, stored_key: str) -> None:
        if self._plan.study.resources.keep_networks == "none":
            self.remove_checkpoints(stored_key)

    def _drop_superseded(self, confirmation: Confirmation) -> None:
        """Remove the run of an earlier winner once that of the present winner is stored."""
        winner = self._search.winner(confirmation.task)
        if winner is not None and self._key(winner, confirmation) in self._stored:
            self._drop_others(winner, confirmation)

    def _drop_others(self, winner: Trial, confirmation: Confirmation) -> None:
        """Remove the runs of other trials than the winner in the place of a confirmation."""
        key = self._key(winner, confirmation)
        any_trial = re.compile(re.escape(key).replace(f"trial\\-{winner.number:05d}", r"trial\-\d{5,}"))
        others = (self._stored | self._retried) - {key}
        for superseded in [other for other in others if any_trial.fullmatch(other)]:
            self._recorder.drop_confirmed(superseded)
            self.remove_checkpoints(superseded)
            self._stored.discard(superseded)
            self._retried.discard(superseded)
            self._tested.discard(superseded)

    def _winners(self) -> _Winners:
        return {task.name: self._search.winner(task) for task in self._plan.tasks if self._search.finished(task)}

    def _asked(self, winners: _Winners) -> list[Confirmation]:
        return list(of_first_seeds(self._plan, seeds_asked(self._plan, self._newest_looks(winners))))

    def _missing(self, asked: Iterable[Confirmation], winners: _Winners) -> Iterator[tuple[Confirmation, Trial | None]]:
        for confirmation in asked:
            name = confirmation.task.name
            winner = winners.get(name)
            without_winner = name in winners and winner is None
            if not without_winner and (winner is None or self._key(winner, confirmation) not in self._stored):
                yield confirmation, winner

    def _newest_looks(self, winners: _Winners) -> dict[str, NewestLook]:
        newest = {name: self._looks_at(name, winners)[-1:] for name in self._plan.compared}
        return {name: NewestLook(look.look, look.n, look.decision) for name, looks in newest.items() for look in looks}

    def _looks_at(self, regularizer: str, winners: _Winners) -> list[Look]:
        study, tasks = self._plan.study, self._plan.primary_tasks
        method, baseline = (winners.get(tasks[name].name) for name in (regularizer, study.baseline))
        if study.confirm.seeds is not None or method is None or baseline is None:
            return []
        taken_of = (method.number, baseline.number, self._stored_changed)
        if regularizer not in self._looks or self._looks[regularizer][0] != taken_of:
            taken = looks_at(
                self._differences(method, baseline),
                methods=len(self._plan.compared),
                test_images=study.test_images if study.metric.metric.is_accuracy else None,
                margin=study.confirm.margin,
                looks=study.confirm.looks,
                minimized=study.metric.metric.minimized,
            )
            self._looks[regularizer] = (taken_of, taken)
        return self._looks[regularizer][1]

    def _differences(self, method: Trial, baseline: Trial) -> list[float]:
        """Test values less those of the baseline, seed by seed, up to the first one that is not stored for both.

        NaN where one of both diverged or failed.
        """
        largest = self._plan.training_sets[-1]
        differences = []
        for number in range(self._plan.study.most_seeds):
            seed = self._plan.study.seed + 1 + number
            keys = [confirm_key(winner, largest, seed) for winner in (method, baseline)]
            if not self._stored >= set(keys):
                break
            values = [self._value(key) for key in keys]
            pair = [math.nan if value is None else value for value in values]
            differences.append(pair[0] - pair[1])
        return differences

    def _value(self, key: str) -> float | None:
        if key not in self._values:
            self._values[key] = self._recorder.test_value(key)
        return self._values[key]

    @staticmethod
    def _key(winner: Trial, confirmation: Confirmation) -> str:
        return confirm_key(winner, confirmation.training_set, confirmation.seed)
