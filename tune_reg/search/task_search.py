"""The search of one task, as ``AskTell`` drives it: by the model of final values, or with a stopping rule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search_spaces import Value
from tune_reg.search.decision import Decision
from tune_reg.search.finished_trials import EPOCH_S
from tune_reg.search.imputed_study import DIVERGED
from tune_reg.search.journal_repair import STATES, configuration
from tune_reg.search.pauses import step_of
from tune_reg.search.retries import REASON
from tune_reg.search.trial import ExpectedValue, Trial, TrialCounts
from tune_reg.store import RunState
from tune_reg.study import Task


class TaskSearch(ABC):
    """Asks, stops or pauses, and remembers the trials of one task."""

    #: The share of its budget that the task gets: less than 1 where its epochs take longer than those of another.
    share: float = 1.0

    def __init__(self, storage: BaseStorage, study: Study, task: Task, held: Collection[int] | None) -> None:
        """``held``: the trials that the tables hold, where it is known."""
        self._storage, self._study, self._task = storage, study, task
        trials = [] if held is None else study.get_trials(deepcopy=False)
        #: Numbers of trials that are over, were lost from the tables, and are trained once more.
        self._lost = {t.number for t in trials if t.state.is_finished() and t.number not in (held or ())}

    @property
    @abstractmethod
    def epoch_s(self) -> float | None:
        """The seconds that an epoch takes, by the first trial that was timed; None before that."""

    @property
    @abstractmethod
    def begun(self) -> float:
        """What was begun of the budget, in trials trained to the end."""

    @abstractmethod
    def ask(self) -> Trial | None:
        """The next trial to train, new or going on; None where the budget is used, or can be for nothing now."""

    @abstractmethod
    def has_interrupted(self) -> bool:
        """Whether trials that an earlier process was training are to be asked for first."""

    @abstractmethod
    def left(self) -> int:
        """How many trials can be asked for, as far as can be said now."""

    @abstractmethod
    def report(self, trial: Trial, step: int, value: float) -> Decision:
        """Take the value of a trial after a step; see ``AskTell.report``."""

    def last_step(self, trial: Trial) -> int:
        """The newest step that was reported of a trial, where a model searches; 0 before the first, and else."""
        del trial
        return 0

    def decides_at(self, trial: Trial, step: int) -> bool:
        """Whether a trial may be paused when this step is reported."""
        del trial, step
        return False

    @abstractmethod
    def tell(
        self, trial: Trial, state: RunState, values: Sequence[float], reason: str | None, epoch_s: float | None
    ) -> None:
        """End a trial; ``values``: one for each objective, in state "complete" alone."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether every trial has ended and no other will be asked for."""

    @abstractmethod
    def winner(self) -> Trial | None:
        """The trial that is picked, or None where none can be."""

    @abstractmethod
    def counts(self) -> TrialCounts:
        """How many trials are in which state, and the best value so far."""

    @abstractmethod
    def failing_alike(self) -> str | None:
        """The reason for which the first trials to end all failed, where no trial came to a value; else None."""

    @property
    @abstractmethod
    def trials_left(self) -> int:
        """How many trials of the study's number were not asked for."""

    @abstractmethod
    def stored_trial(self, number: int) -> Trial | None:
        """A trial that is over; None where its configuration is not known."""

    # Trials beside the budget, see ``shared_values``

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials in the journal."""
        return self._study.get_trials(deepcopy=False)

    def tried(self) -> list[dict[str, Value]]:
        """The configurations that were asked for."""
        asked = [trial for trial in self.trials if trial.state != TrialState.WAITING]
        return [params for trial in asked if (params := configuration(self._task, trial)) is not None]

    def promise(self, configurations: Sequence[Mapping[str, Value]]) -> list[float]:
        """How much each of some configurations promises; all as much, where there is no model."""
        return [0.0] * len(configurations)

    def add_trial(self, params: Mapping[str, Value], attributes: Mapping[str, Any]) -> None:
        """Have a configuration asked for that is not the search's own; it is trained to the end."""
        self._study.enqueue_trial(dict(params), user_attrs=dict(attributes))

    def add_best_of_space(self) -> None:  # noqa: B027 - a search without a model adds nothing
        """Have the best point of the whole space by the model tried, where the study wants that; else nothing."""

    def attribute(self, key: str) -> Any:
        """What the journal says of the search under a key; None where it says nothing."""
        return self._study.user_attrs.get(key)

    def set_attribute(self, key: str, value: Any) -> None:
        """Write something of the search into the journal."""
        self._study.set_user_attr(key, value)

    def _write_end(
        self, frozen: FrozenTrial, state: RunState, values: Sequence[float], reason: str | None, epoch_s: float | None
    ) -> None:
        """Write the end of a trial into the journal; see ``tell``."""
        if epoch_s is not None:
            self._storage.set_trial_user_attr(frozen._trial_id, EPOCH_S, epoch_s)
        if state == "diverged":
            self._storage.set_trial_user_attr(frozen._trial_id, DIVERGED, True)
        if reason is not None:
            self._storage.set_trial_user_attr(frozen._trial_id, REASON, f"{state}: {reason}")
        self._study.tell(frozen.number, list(values) or None, STATES[state])

    def over(self) -> list[Trial]:
        """Paused trials that never go on: they are to be told as what they have come to."""
        return []

    def expected(self) -> list[ExpectedValue]:
        """What is expected of every trial that was trained; empty where there is no model."""
        return []


def decision_of_lost(frozen: FrozenTrial, step: int) -> Decision:
    """What becomes at a step of a trial that is over and is trained once more: it stops where it stopped."""
    over = frozen.state == TrialState.PRUNED and step >= step_of(frozen)
    return Decision.STOP if over else Decision.CONTINUE


class GivenValues(BaseSampler):
    """An Optuna sampler that answers with given values: the trial then stands in the journal as any other does."""

    def __init__(self, values: dict[str, Value]) -> None:
        self._values = values

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is sampled jointly."""
        del study, trial
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing is sampled jointly."""
        del study, trial, search_space
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The given value."""
        del study, trial, param_distribution
        return self._values[param_name]
