"""The confirmed runs of a study: which are stored, which are missing, and which have had their robustness tests."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from tune_reg.execution.recorder import Recorder
from tune_reg.execution.study_run import checkpoint_directory, confirm_key
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.trial import Trial
from tune_reg.storage.paths import StoragePath
from tune_reg.study import Confirmation, StudyPlan
from tune_reg.training import checkpoint as checkpoints


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
        for confirmation in plan.confirmations:
            self._drop_superseded(confirmation)

    def missing(self) -> Iterator[tuple[Confirmation, Trial | None]]:
        """Confirmations that are not stored, with the winner where its search is over.

        Confirmations of a task that ended without a winner are left out: they never come.
        """
        winners = {task.name: self._search.winner(task) for task in self._plan.tasks if self._search.finished(task)}
        for confirmation in self._plan.confirmations:
            name = confirmation.task.name
            winner = winners.get(name)
            without_winner = name in winners and winner is None
            if not without_winner and (winner is None or self._key(winner, confirmation) not in self._stored):
                yield confirmation, winner

    def untested(self) -> Iterator[tuple[Confirmation, Trial]]:
        """Stored runs whose robustness tests are not those of the study."""
        if self._tested >= self._stored:
            return
        for confirmation in self._plan.confirmations:
            winner = self._search.winner(confirmation.task)
            if winner is not None and self._key(winner, confirmation) in self._stored - self._tested:
                yield confirmation, winner

    def without_winner(self) -> int:
        """How many confirmations belong to tasks that ended without a winner."""
        lost = {t.name for t in self._plan.tasks if self._search.finished(t) and self._search.winner(t) is None}
        return sum(confirmation.task.name in lost for confirmation in self._plan.confirmations)

    def count(self) -> int:
        """How many confirmations are stored."""
        missing = sum(1 for _ in self.missing())
        return len(self._plan.confirmations) - missing - self.without_winner()

    def add(self, winner: Trial, confirmation: Confirmation) -> None:
        """A confirmed run is stored, with its robustness tests; the runs of an earlier winner go."""
        key = self._key(winner, confirmation)
        self._stored.add(key)
        self._retried.discard(key)
        self._tested.add(key)
        self._drop_superseded(confirmation)

    def remove_checkpoints(self, stored_key: str) -> None:
        """Remove the checkpoints of a run that nothing goes on from."""
        checkpoints.remove(checkpoint_directory(self._directory, stored_key))

    def add_tests(self, stored_key: str) -> None:
        """A stored run has had its robustness tests, or cannot have them."""
        self._tested.add(stored_key)

    def _drop_superseded(self, confirmation: Confirmation) -> None:
        """Remove the run of an earlier winner once that of the present winner is stored."""
        winner = self._search.winner(confirmation.task)
        if winner is None or self._key(winner, confirmation) not in self._stored:
            return
        key = self._key(winner, confirmation)
        any_trial = re.compile(re.escape(key).replace(f"trial\\-{winner.number:05d}", r"trial\-\d{5,}"))
        others = (self._stored | self._retried) - {key}
        for superseded in [other for other in others if any_trial.fullmatch(other)]:
            self._recorder.drop_confirmed(superseded)
            self.remove_checkpoints(superseded)
            self._stored.discard(superseded)
            self._retried.discard(superseded)
            self._tested.discard(superseded)

    @staticmethod
    def _key(winner: Trial, confirmation: Confirmation) -> str:
        return confirm_key(winner, confirmation.training_set, confirmation.seed)
