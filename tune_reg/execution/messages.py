"""The contract between the controller of a study and whoever trains its runs: one kind of message for each direction.

The controller sends a ``RunOrder`` for each run, or a ``LaneGroupOrder`` for runs that train side by side. A worker
answers with a ``RunReport`` after each epoch, or with a ``StudyFault``. What comes back to the worker is a
``Decision``, and for a lane group a ``LaneChange``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:  # a process that only passes messages on need not load torch
    from tune_reg.evaluation.settings import RobustnessSettings
    from tune_reg.store import EpochValues, FinalValues, RobustnessValues, RunState
    from tune_reg.study import SecondObjective
    from tune_reg.training import Run

#: Of a run: a trial of the search, a winner trained anew, or a confirmed run that is tested for robustness later.
RunStage: TypeAlias = Literal["search", "confirm", "robustness"]


# From the controller to a worker


@dataclass(frozen=True)
class RunOrder:
    """What a worker must know to train one run."""

    #: Names the run in the store, and its checkpoints.
    key: str
    stage: RunStage
    run: Run
    #: The folder that the run's checkpoints are kept in, as text: a path or a URL of an object store.
    checkpoints: str
    #: The tests of a confirmed run.
    robustness: RobustnessSettings
    data_root: str | None = None
    #: Of the data set, as the driver has it; None where that is not compared.
    data_md5: str | None = None
    #: Files that register regularizers of the user's.
    plugins: tuple[str, ...] = ()
    #: The folder of what the study was given in Python, as text.
    objects: str | None = None
    #: The names of the user's regularizers there.
    regularizers: tuple[str, ...] = ()
    #: The attack on validation images that a trial of the search undergoes at its end.
    validation_attack: SecondObjective | None = None
    #: The driver's working folder and import path: the user's code finds its files as it does there.
    working_folder: str | None = None
    import_path: tuple[str, ...] = ()

    @property
    def needs_model(self) -> bool:
        """Whether a training loop of the user's must hand its model over, in a run of this study."""
        return self.validation_attack is not None or not self.robustness.empty

    @property
    def is_tested(self) -> bool:
        """Whether tests follow once the run is trained."""
        return self.stage != "search" or self.validation_attack is not None


@dataclass(frozen=True)
class LaneGroupOrder:
    """What a worker must know to train several runs side by side."""

    runs: tuple[RunOrder, ...]
    #: The worker first measures how many lanes pay, up to so many; None where that number is set.
    measure_up_to: int | None = None


@dataclass(frozen=True)
class LaneChange:
    """What is new in a lane group: the keys of runs that have ended, and the runs that take their lanes."""

    ended: tuple[str, ...] = ()
    started: tuple[RunOrder, ...] = ()


# How a run ends


@dataclass(frozen=True)
class Completed:
    """The run was trained to its end, and tested where its stage asks for that."""

    state: ClassVar[RunState] = "complete"
    #: Accuracy on attacked validation images, a share in [0, 1]: of a trial, where that is the second objective.
    robust_accuracy: float | None = None
    #: The look at the test set, of a confirmed run.
    final: FinalValues | None = None
    robustness: tuple[RobustnessValues, ...] = ()


@dataclass(frozen=True)
class Pruned:
    """The run was stopped early by the search."""

    state: ClassVar[RunState] = "pruned"


@dataclass(frozen=True)
class Diverged:
    """The loss of the run's last epoch is not finite."""

    state: ClassVar[RunState] = "diverged"


@dataclass(frozen=True)
class Failed:
    """The run raised an exception that it would raise again, or failed more often than it may."""

    state: ClassVar[RunState] = "failed"
    reason: str


Outcome: TypeAlias = Completed | Pruned | Diverged | Failed


# From a worker to the controller


@dataclass(frozen=True)
class RunReport:
    """The epochs of a run that are new, and its outcome once nothing is left to train or to test."""

    rows: tuple[EpochValues, ...] = ()
    outcome: Completed | Diverged | Failed | None = None
    #: What a person should know of the run, in a line.
    note: str | None = None


@dataclass(frozen=True)
class LaneGroupReport:
    """What each run of a lane group reports, by the run's key."""

    reports: Mapping[str, RunReport]


@dataclass(frozen=True)
class LanesMeasured:
    """How many lanes pay on the worker's machine.

    ``gain``: their rate over that of one run. ``device``: its name. ``remembered``: whether an earlier process has
    measured it.
    """

    lanes: int
    gain: float
    device: str
    remembered: bool = False


@dataclass(frozen=True)
class LaneGroupFailed:
    """The runs of a lane group cannot train side by side: an exception that they would raise again."""

    reason: str


@dataclass(frozen=True)
class StorageFault:
    """A checkpoint could not be written. Every other run would meet this fault, so the study cannot go on."""

    reason: str


@dataclass(frozen=True)
class DataFault:
    """The worker's machine has other data than the driver. What it trains must not count, so the study cannot go on."""

    reason: str


@dataclass(frozen=True)
class DeviceFault:
    """Ray promises a GPU on the worker's machine, and torch sees none there. The study cannot go on as it was meant."""

    reason: str


StudyFault: TypeAlias = StorageFault | DataFault | DeviceFault
