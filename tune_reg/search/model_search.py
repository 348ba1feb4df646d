"""The search by a model of final values: it does what is expected to be worth most an epoch."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from search_spaces import Value
from tune_reg.search import retries
from tune_reg.search.candidates import Candidates
from tune_reg.search.decision import Decision
from tune_reg.search.finished_trials import EPOCH_S
from tune_reg.search.imputed_study import DIVERGED
from tune_reg.search.journal_repair import configuration
from tune_reg.search.knowledge_gradient import expected_improvement, knowledge_gradient
from tune_reg.search.pauses import SEED, UNTIL, Standing
from tune_reg.search.task_search import GivenValues, TaskSearch, decision_of_lost
from tune_reg.search.trial import PICKED_FROM, SHARED_FROM, ExpectedValue, Trial, TrialCounts
from tune_reg.search.trials_model import Reading, TrialsModel
from tune_reg.store import RunState
from tune_reg.study import SearchSettings, Task
from tune_reg.surrogate.gaussian_process import Points
from tune_reg.surrogate.most_informative import MOST_READ
from tune_reg.surrogate.rungs import rungs as rungs_of

Vector = NDArray[np.float64]

#: Trials take so many seeds in turn, so that the luck of one seed does not decide which strength wins.
SEEDS_IN_TURN: Final = 3
#: Searches of fewer trials train all on one seed: from so few the level of each seed cannot be learned, too.
FEWEST_FOR_TURNS: Final = 12
#: So many paused trials keep their checkpoints; of more, those that promise least never go on.
MOST_PAUSED: Final = 50
#: A configuration whose expected value and so many deviations are below the best expected value cannot become the best.
_REACH: Final = 4.0
#: Configurations that are no further from one that failed, in any coordinate of the unit cube, are not asked for.
_AS_GOOD_AS: Final = 0.005
#: New configurations whose knowledge gradient is computed: those of the largest expected improvement.
_MOST_WEIGHED: Final = 101


@dataclass(frozen=True)
class _Action:
    """What to do next: a new trial with these hyperparameters, or the trial of this number goes on."""

    until: int
    params: dict[str, Value] | None = None
    number: int | None = None


@final
class ModelSearch(TaskSearch):
    """Trains the first few trials to the end, and then whatever raises the best expected value most an epoch.

    What a trial is worth says the knowledge gradient of a model of final values, which is a function of the journal.
    The budget counts epochs: ``task.trials`` trainings to the end. Of 12 trials or more, each takes one of three seeds
    in turn, whose levels the model knows; fewer all have one. With ``settings.seeds`` above 1, a configuration that was
    trained to the end may be trained again with another seed, where that is worth most.

    Each training is trained to its end. With the pruner "pause" a trial that reaches a rung pauses where another trial
    is worth more, and goes on when it is worth most.

    ``epochs``: of one training. ``shares``: whether values are shares in [0, 1]. ``held``: the trials that the tables
    hold, where it is known.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study: optuna.Study,
        task: Task,
        settings: SearchSettings,
        *,
        epochs: int,
        seed: int,
        shares: bool = True,
        validate_every: int = 1,
        held: Collection[int] | None = None,
    ) -> None:
        super().__init__(storage, study, task, held)
        self._shares = shares
        self._epochs = epochs
        self._patience = settings.patience
        self._trainings = settings.seeds
        self._last = epochs * settings.seeds  # the step at which a trial ends
        self._picks_from_space = settings.pick == "space"
        self._seeds = max(SEEDS_IN_TURN, settings.seeds)
        self._rungs = rungs(settings, epochs, validate_every)
        self._candidates = Candidates(task.space, task.name, seed=seed, trials=task.trials, prior=settings.prior)
        self._live: set[int] = set()
        self._standings: list[Standing] | None = None
        self._reading = Reading(task.space, self._candidates, self._rungs, self._seeds)
        # Without pauses values before the end count until the first training has ended; later they mislead.
        early = self._rungs if settings.pruner == "pause" else rungs_of(epochs, every=validate_every)
        self._early_reading = replace(self._reading, rungs=early)
        self._model: TrialsModel | None = None
        self._expected: list[ExpectedValue] | None = None
        self._action: _Action | None = None
        self._decided = False

    # What AskTell asks for

    @property
    def epoch_s(self) -> float | None:
        """The seconds that an epoch takes."""
        return next((s.frozen.user_attrs[EPOCH_S] for s in self._trials() if EPOCH_S in s.frozen.user_attrs), None)

    @property
    def begun(self) -> float:
        """What was begun, in trials trained to the end."""
        added = sum(s.step for s in self._counted() if s.is_added)
        return (self._begun_epochs() + added) / (self._epochs * self._trainings)

    def ask(self) -> Trial | None:
        """An interrupted trial, else what is worth most."""
        for standing in self._interrupted():
            return self._go_on(standing.frozen, until=standing.until)
        if self._waiting():
            return self._begin({}, self._rungs[0])  # its values are in the journal
        action = self._decide()
        if action is None:
            return None
        if action.number is not None:
            return self._go_on(self._trials()[action.number].frozen, until=action.until)
        assert action.params is not None
        return self._begin(action.params, action.until)

    def has_interrupted(self) -> bool:
        """Whether trials that an earlier process was training are to be asked for first."""
        return bool(self._interrupted())

    def left(self) -> int:
        """How many trials can be asked for, as far as can be said now."""
        epochs = self._budget() - self._begun_epochs()
        return len(self._interrupted()) + len(self._waiting()) + max(0, epochs // self._rungs[0])

    def report(self, trial: Trial, step: int, value: float) -> Decision:
        """Take a value; at the step to which the trial may train, decide whether it goes on."""
        standing = self._trials()[trial.number]
        if standing.frozen.state.is_finished():
            return decision_of_lost(standing.frozen, step)
        if step not in standing.frozen.intermediate_values:
            self._storage.set_trial_intermediate_value(standing.frozen._trial_id, step, value)
            self._changed()
            standing = self._trials()[trial.number]
        if step < standing.until or not standing.running or step >= self._last:
            return Decision.CONTINUE
        self._live.discard(trial.number)
        self._changed()
        action = self._decide()
        if action is None or action.number != trial.number:
            return Decision.PAUSE
        self._go_on(standing.frozen, until=action.until)
        return Decision.CONTINUE

    def last_step(self, trial: Trial) -> int:
        """The newest step of a trial that was reported."""
        return self._trials()[trial.number].step

    def decides_at(self, trial: Trial, step: int) -> bool:
        """Whether a trial may be paused when this step is reported."""
        return step == self._trials()[trial.number].until and step < self._last

    def tell(
        self, trial: Trial, state: RunState, values: Sequence[float], reason: str | None, epoch_s: float | None
    ) -> None:
        """End a trial."""
        frozen = self._trials()[trial.number].frozen
        self._live.discard(trial.number)
        self._lost.discard(trial.number)
        if not frozen.state.is_finished():
            self._write_end(frozen, state, values, reason, epoch_s)
        self._changed()

    @property
    def finished(self) -> bool:
        """Whether every trial has ended and no other will be asked for."""
        under_way = any(standing.running for standing in self._trials()) or self._lost or self._waiting()
        return not under_way and self._decide() is None

    def failing_alike(self) -> str | None:
        """The reason for which the first trials to end all failed, where no trial came to a value; else None."""
        failed = sum(s.frozen.state == TrialState.FAIL for s in self._trials())
        if failed < retries.ALIKE or any(s.running and s.step > 0 for s in self._trials()):
            return None
        return retries.failing_alike([standing.frozen for standing in self._trials()])

    @property
    def trials_left(self) -> int:
        """How many trials of the study's number were not asked for."""
        asked = sum(s.frozen.state != TrialState.WAITING for s in self._counted() if not s.is_added)
        return self._task.trials - asked

    def promise(self, configurations: Sequence[Mapping[str, Value]]) -> list[float]:
        """The final value that is expected of each of some configurations."""
        model = self._fitted()
        if model is None or not configurations:
            return super().promise(configurations)
        features = np.stack([self._candidates.cube.features(params) for params in configurations])
        prior = np.array([self._candidates.log_prior(params) for params in configurations])
        return [float(mean) for mean in model.final_values.expect(features, prior).mean]

    def add_trial(self, params: Mapping[str, Value], attributes: Mapping[str, Any]) -> None:
        """Have a configuration asked for that is not the search's own; it is trained to the end."""
        super().add_trial(params, attributes)
        self._changed()

    def add_best_of_space(self) -> None:
        """Have the best point of the whole space tried, too, where the study wants that and the search is over.

        Nothing is added where a trial stands there. A search that has grown since the last one gets another one.
        """
        if not self._picks_from_space or not self.finished:
            return
        of_the_search = [s.frozen for s in self._trials() if _is_of_the_search(s.frozen)]
        model = self._fitted()
        if model is None or PICKED_FROM in of_the_search[-1].user_attrs:
            return
        params, features, prior = self._candidates_of(model)
        best = int(model.final_values.expect(features, prior).mean.argmax())
        if not model.is_near_a_training(features[best], _AS_GOOD_AS):
            names = self._task.space.domains
            values = {name: value for name, value in params[best].items() if name in names}
            self.add_trial(values, {PICKED_FROM: "space"})

    def stored_trial(self, number: int) -> Trial | None:
        """A trial that is over; None where its configuration is not known."""
        frozen = self._trials()[number].frozen
        return None if configuration(self._task, frozen) is None else self._trial(frozen)

    def over(self) -> list[Trial]:
        """Paused trials that never go on: hopeless ones, those beyond what is kept, and all once the budget is used."""
        paused = self._paused()
        if not paused:
            return []
        if not (self._live or self._interrupted()) and self._decide() is None:
            return [self._trial(standing.frozen) for standing in paused]
        if self._model is None:
            return []
        hopes = self._model.hopes()
        promising = sorted(paused, key=lambda s: (-hopes.get(s.frozen.number, math.inf), s.frozen.number))
        kept = {s.frozen.number for s in promising[:MOST_PAUSED] if hopes.get(s.frozen.number, math.inf) >= 0}
        return [self._trial(s.frozen) for s in paused if s.frozen.number not in kept]

    def winner(self) -> Trial | None:
        """The trial of the highest expected value, paused ones included; before any value, the first that trains."""
        best = max(self.expected(), key=lambda e: (e.mean, -e.number), default=None)
        if best is not None:
            return self._trial(self._trials()[best.number].frozen)
        return next((self._trial(s.frozen) for s in self._trials() if s.running and s.until > 0), None)

    def expected(self) -> list[ExpectedValue]:
        """What the model expects of every trial that has passed a rung, and did not diverge or fail."""
        if self._expected is None:
            model = self._fitted()
            expected = [] if model is None else model.expected_values()
            self._expected = [e for e in expected if self._trials()[e.number].frozen.state != TrialState.FAIL]
        return self._expected

    def counts(self) -> TrialCounts:
        """How many trials are in which state, and the best final value so far."""
        states = [standing.frozen.state for standing in self._trials()]
        paused = len(self._paused())
        finals = [s.frozen.values[0] for s in self._trials() if s.frozen.state == TrialState.COMPLETE]
        return TrialCounts(
            running=states.count(TrialState.RUNNING) - paused,
            complete=states.count(TrialState.COMPLETE),
            pruned=states.count(TrialState.PRUNED),
            failed=states.count(TrialState.FAIL),
            best=max(finals, default=None),
            paused=paused,
            added=sum(s.is_added for s in self._counted()),
        )

    # Where the trials stand

    def _trials(self) -> list[Standing]:
        if self._standings is None:
            self._standings = [Standing.of(trial) for trial in self._study.get_trials(deepcopy=False)]
        return self._standings

    def _changed(self) -> None:
        self._standings = None
        self._model = None
        self._expected = None
        self._decided = False

    def _paused(self) -> list[Standing]:
        """Trials that wait at a rung, from which they may go on."""
        return [s for s in self._idle() if s.is_waiting(self._last)]

    def _interrupted(self) -> list[Standing]:
        """Trials on which no process of this search works, and which no rung has stopped; and those that were lost."""
        return [s for s in self._idle() if not s.is_waiting(self._last)]

    def _idle(self) -> list[Standing]:
        """Trials that are not over, or were lost, and that no process of this search works on."""
        return [
            s
            for s in self._trials()
            if s.frozen.number not in self._live and (s.running or s.frozen.number in self._lost)
        ]

    def _waiting(self) -> list[Standing]:
        """Trials that are to try failed ones again, or are at shared values."""
        return [s for s in self._trials() if s.frozen.state == TrialState.WAITING]

    def _retried(self) -> set[int]:
        """The failed trials that are tried again."""
        return set(retries.retried([s.frozen for s in self._trials()]).values())

    def _counted(self) -> list[Standing]:
        """The trials without those that are tried again, for which others stand."""
        again = self._retried()
        return [standing for standing in self._trials() if standing.frozen.number not in again]

    def _begun_epochs(self) -> int:
        """Epochs of the budget that were trained, or that are promised to trials before they are decided anew."""
        return sum(self._epochs_of(standing) for standing in self._counted() if not standing.is_added)

    def _promised(self, standing: Standing) -> int:
        """Epochs that the budget holds ready for a paused trial."""
        return self._epochs_of(standing) - standing.step

    def _epochs_of(self, standing: Standing) -> int:
        if standing.running:
            to_the_end = standing.frozen.number < self._candidates.first_to_the_end
            return max(standing.step, standing.until, self._epochs if to_the_end else 0)
        if standing.frozen.state == TrialState.FAIL:
            return max(standing.step, self._rungs[0])  # so that a search in which every trial fails comes to an end
        return standing.step

    def _budget(self) -> int:
        """Epochs that may be trained in all: at least those of one training."""
        return max(self._epochs, math.floor(self._task.trials * self._epochs * self._trainings * self.share))

    def _next_rung(self, step: int) -> int:
        """The first rung after ``step``."""
        whole, within = divmod(step, self._epochs)
        return whole * self._epochs + next(rung for rung in self._rungs if rung > within)

    def _begin(self, params: dict[str, Value], until: int) -> Trial:
        asking = optuna.Study(self._study.study_name, self._storage, GivenValues(params))
        return self._sampled(asking.ask(), until)

    def _go_on(self, frozen: FrozenTrial, *, until: int) -> Trial:
        """A trial goes on, or is sampled to the end where its process was killed while it asked."""
        if frozen.state.is_finished():  # it was lost, and is trained as it was
            self._live.add(frozen.number)
            return self._trial(frozen)
        if until == 0:
            params = self._new_params(frozen.number)
            asking = optuna.Study(self._study.study_name, self._storage, GivenValues(params))
            return self._sampled(optuna.Trial(asking, frozen._trial_id), self._rungs[0])
        if frozen.user_attrs[UNTIL] != until:
            self._storage.set_trial_user_attr(frozen._trial_id, UNTIL, until)
        self._live.add(frozen.number)
        self._changed()
        return self._trial(frozen)

    def _sampled(self, live: optuna.Trial, until: int) -> Trial:
        self._task.space.suggest(live)
        until = self._epochs if retries.is_beside_budget(live) else until
        self._storage.set_trial_user_attr(live._trial_id, SEED, self._first_seed(live.number))
        self._storage.set_trial_user_attr(live._trial_id, UNTIL, until)
        self._live.add(live.number)
        self._changed()
        return self._trial(self._trials()[live.number].frozen)

    def _first_seed(self, number: int) -> int:
        """Which of the search's seeds a new trial of this number is first trained on."""
        return number % self._seeds if self._task.trials >= FEWEST_FOR_TURNS else 0

    def _trial(self, frozen: FrozenTrial) -> Trial:
        standing = Standing.of(frozen)
        seeds = tuple(standing.seed(training, self._seeds) for training in range(self._trainings))
        training = min(standing.step // self._epochs, self._trainings - 1)
        params = self._task.space.complete(frozen.params)
        again: int | None = frozen.user_attrs.get(retries.RETRIES)
        return Trial(
            self._task,
            frozen.number,
            params,
            retries=again,
            seeds=seeds,
            training=training,
            shared_from=frozen.user_attrs.get(SHARED_FROM),
            picked_from=frozen.user_attrs.get(PICKED_FROM),
        )

    # What is worth most

    def _decide(self) -> _Action | None:
        if not self._decided:
            self._action = self._decided_anew()
            self._decided = True
        return self._action

    def _decided_anew(self) -> _Action | None:
        trials = self._trials()
        left = self._budget() - self._begun_epochs()
        going_on = [
            _Action(self._next_rung(s.step), number=s.frozen.number)
            for s in self._paused()
            if not s.is_added and self._next_rung(s.step) - s.step <= left + self._promised(s)
        ]
        first = self._candidates.first_to_the_end
        for action in going_on:
            assert action.number is not None
            if action.number < first and trials[action.number].step < self._epochs:
                return action
        new = self._rungs[0] <= left and not self._stagnated() and self.failing_alike() is None
        if not going_on and not new:
            return None  # without a model, which takes time to fit
        number = sum(not standing.is_added for standing in trials)
        unknown = number < first or self._fitted() is None
        begun = sum(s.frozen.state != TrialState.FAIL and not s.is_added for s in trials)
        if unknown and begun >= self._task.trials:
            new = False  # many workers must not spend on beginnings what is needed to train any of them to the end
        if new and (unknown or number < self._candidates.given):
            return _Action(self._rungs[0], params=self._candidates.first(number))
        if not going_on and not new:
            return None
        return self._worth_most(going_on, new=new)

    def _new_params(self, number: int) -> dict[str, Value]:
        """What a trial was being asked for: the decision made when only the other trials were there."""
        self._standings = self._trials()[:number]
        self._model, self._decided = None, False
        action = self._decide()
        params = action.params if action is not None else None
        self._changed()
        first = sum(not standing.is_added for standing in self._trials()[:number])
        return self._candidates.first(first) if params is None else params

    def _worth_most(self, going_on: Sequence[_Action], *, new: bool) -> _Action | None:
        """Of paused trials, and new ones to any rung, what has the largest knowledge gradient an epoch."""
        model = self._fitted()
        assert model is not None, "a paused trial has a value at its rung, and without one nothing is weighed"
        options: list[tuple[float, _Action | None]] = []
        params, features, prior = self._candidates_of(model)
        expected = model.final_values.expect(features, prior)
        # Only what can become the best counts, and only what may be the best is worth a training of its own.
        deviation = expected.deviation
        contenders = np.flatnonzero(expected.mean + _REACH * deviation >= expected.mean.max())
        improvement = expected_improvement(expected.mean, deviation)
        improvement[self._near_failed(features)] = -np.inf
        tried = np.sort(np.argsort(-improvement, kind="stable")[:_MOST_WEIGHED])
        tried = tried[np.isfinite(improvement[tried])]

        def worth(points: Points) -> Vector:
            changes = expected.changes(points)
            return knowledge_gradient(expected.mean[contenders], changes[:, contenders])

        if new and len(tried):
            seed = self._first_seed(len(self._trials()))
            for rung in self._rungs:
                place = model.reading.rungs.index(rung)
                points = model.final_values.new_points(features[tried], prior[tried], seed, place)
                values = worth(points) / rung
                best_tried = int(values.argmax())
                action = _Action(self._rungs[0], params=params[tried[best_tried]])
                options.append((float(values[best_tried]), action))
        if going_on:
            paused = [self._trials()[action.number] for action in going_on if action.number is not None]
            untils = [action.until for action in going_on]
            costs = np.array([until - s.step for s, until in zip(paused, untils, strict=True)])
            values = worth(model.points(paused, untils)) / costs
            options += zip(values.tolist(), going_on, strict=True)
        return max(options, key=lambda option: option[0], default=(0.0, None))[1]

    def _candidates_of(self, model: TrialsModel) -> tuple[list[dict[str, Value]], Vector, Vector]:
        """Configurations of the whole space, more of them around the best trial; see ``Candidates.around``."""
        best = self._trials()[model.best].frozen
        known = [self._task.space.complete(s.frozen.params) for s in self._trials() if s.frozen.params][-MOST_READ:]
        return self._candidates.around(self._task.space.complete(best.params), len(self._trials()), known)

    def _near_failed(self, features: Vector) -> NDArray[np.bool_]:
        """Which configurations [n, features] are as good as one that failed, and would fail once more [n]."""
        near = np.zeros(len(features), bool)
        for standing in self._counted():
            frozen = standing.frozen
            if frozen.state == TrialState.FAIL and DIVERGED not in frozen.user_attrs and frozen.params:
                failed = self._candidates.cube.features(self._task.space.complete(frozen.params))
                near |= np.abs(features - failed).max(axis=1) <= _AS_GOOD_AS
        return near

    def _fitted(self) -> TrialsModel | None:
        """The model of everything that is in the journal now; None while there is no value."""
        if self._model is None:
            counted = self._counted()
            ended = any(self._epochs in standing.frozen.intermediate_values for standing in counted)
            reading = self._reading if ended else self._early_reading
            self._model = TrialsModel.of(counted, reading, shares=self._shares)
        return self._model

    def _stagnated(self) -> bool:
        """Whether so many trials in a row, in the order in which they began, brought nothing better."""
        if not self._patience:
            return False
        best, wait = -math.inf, 0
        for standing in self._trials():
            if standing.is_added:
                continue
            if standing.frozen.number in self._live:
                return False
            curve = standing.frozen.intermediate_values
            value = curve.get(self._epochs, -math.inf)
            best, wait = (value, 0) if value > best else (best, wait + 1)
            if wait >= self._patience:
                return True
        return False


def rungs(settings: SearchSettings, epochs: int, validate_every: int = 1) -> tuple[int, ...]:
    """The epochs at which trials are decided anew; the last one is the end of a training.

    ``validate_every``: as in ``TrainingSettings``.

    >>> rungs(SearchSettings(), 27), rungs(SearchSettings(pruner="pause"), 27)
    ((27,), (9, 27))
    """
    if settings.pruner == "none":
        return (epochs,)
    return rungs_of(epochs, first=settings.min_epochs, factor=settings.reduction_factor, every=validate_every)


def _is_of_the_search(trial: FrozenTrial) -> bool:
    """Whether the search itself asked for a trial: not for shared values, and not to try a failed one again."""
    marks = trial.user_attrs
    return PICKED_FROM in marks or not (SHARED_FROM in marks or retries.RETRIES in marks)
