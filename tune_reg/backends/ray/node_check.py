"""What a node of a cluster is looked at for before work is given to it: packages, results folder, data set."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from tune_reg.errors import TuneRegError, UnreachableError, one_line
from tune_reg.storage.paths import StoragePath, to_path, write_whole
from tune_reg.storage.remote_path import RemotePath
from tune_reg.version import __version__

#: Packages whose versions must be equal on all nodes: with another torch the numbers of paired runs differ.
_PACKAGES: Final = ("ray", "torch")
#: A node whose disk has less room, in GB, is named: a study may fill it with checkpoints.
_LITTLE_ROOM_GB: Final = 1.0
#: Seconds after which a file that was written on one machine must be seen on another.
_SEEN_AFTER_S: Final = 5.0
#: A node whose clock differs by more seconds is named: leases of results folders are judged by it.
_CLOCK_S: Final = 60.0


@dataclass(frozen=True)
class NodeCheck:
    """What a node must have, as the driver has it.

    ``mark``: the text of a file that the driver has written into the results ``directory``, under ``mark_name``.
    ``data_md5``: of the data set, under ``data_root``; None where it is not to be read.
    """

    directory: str
    mark_name: str
    mark: str
    versions: Mapping[str, str]
    dataset: str
    data_root: str | None
    data_md5: str | None

    def answer_path(self, node: str) -> StoragePath:
        """The file by which a node shows that it can write the results folder."""
        return to_path(self.directory) / f"{self.mark_name}.{node}"


@dataclass(frozen=True)
class NodeAnswer:
    """What a node says. ``fault``: why no work can be given to it; None where it can. ``notes``: what else to know.

    ``is_of_folder``: whether the fault is of the results folder. ``has_written``: whether the node has written into it.
    """

    fault: str | None
    is_of_folder: bool = False
    has_written: bool = False
    notes: tuple[str, ...] = ()
    clock: float = 0.0


def versions() -> dict[str, str]:
    """The versions that must be equal on all nodes, by name."""
    return {
        "Python": platform.python_version(),
        "tune-reg": __version__,
        **{package: metadata.version(package) for package in _PACKAGES},
    }


def look(check: NodeCheck, node: str) -> NodeAnswer:
    """What this machine, the node ``node``, has of what it must have."""
    here = versions()
    other = [
        f"{name} {here[name]}, the driver {there}" for name, there in check.versions.items() if here[name] != there
    ]
    if other:
        return NodeAnswer(f"it has {' and '.join(other)}; install the same there")
    fault = _fault_of_folder(check, node)
    if fault is not None:
        return NodeAnswer(fault, is_of_folder=True)
    return NodeAnswer(_fault_of_data(check), has_written=True, notes=_notes(check), clock=time.time())


def clock_note(answer: NodeAnswer, before: float, after: float) -> str | None:
    """A line where the clock of a node that answered between two times of the driver's clock shows another time."""
    off = max(before - answer.clock, answer.clock - after)
    if answer.fault is not None or off <= _CLOCK_S:
        return None
    return f"its clock differs from the driver's by {off:.0f} s; set it"


def read_mark(path: StoragePath, mark: str) -> str | None:
    """Why a file that another machine has written cannot be read as it is; None where it can.

    It is waited for: a network file system shows a new file after some seconds.
    """
    until = time.monotonic() + _SEEN_AFTER_S
    while True:
        try:
            fault = None if path.read_bytes().decode() == mark else "it holds another file of this name"
        except FileNotFoundError:
            fault = "a file that was written there is not here"
        except (OSError, TuneRegError) as error:
            fault = _reason(error)
        if fault is None or time.monotonic() > until:
            return fault
        time.sleep(0.2)


def _reason(error: Exception) -> str:
    return str(error.strerror) if isinstance(error, UnreachableError) else one_line(error)


def _fault_of_folder(check: NodeCheck, node: str) -> str | None:
    folder, answer = to_path(check.directory), check.answer_path(node)
    fault = read_mark(folder / check.mark_name, check.mark)
    if isinstance(folder, RemotePath):
        hint = "; its processes need the store's credentials and endpoint: set them where Ray is started there"
        if fault is not None:
            return f"it cannot read {check.directory} ({fault}){hint}"
    else:
        hint = ""
        if fault is not None:
            return f"it does not share {check.directory}, the results folder, with the driver ({fault})"
    act = "write"
    try:
        write_whole(answer, check.mark.encode())
        act = "list"
        if answer not in folder.glob(f"{check.mark_name}*"):
            raise FileNotFoundError("a file that it has written is missing there")
    except (OSError, TuneRegError) as error:
        return f"it cannot {act} {check.directory}, the results folder ({_reason(error)}){hint}"
    return None


def _fault_of_data(check: NodeCheck) -> str | None:
    if check.data_md5 is None:
        return None
    from tune_reg.data import load

    try:
        md5 = load(check.dataset, Path(check.data_root) if check.data_root else None).md5
    except (OSError, TuneRegError) as error:
        return f"it lacks the data set ({one_line(error)})"
    if md5 != check.data_md5:
        return f"its {check.dataset} has the md5 {md5}, the driver's {check.data_md5}; copy the driver's"
    return None


def _notes(check: NodeCheck) -> tuple[str, ...]:
    import shutil

    folder = to_path(check.directory)
    if isinstance(folder, RemotePath):
        return ()
    free = shutil.disk_usage(folder).free / 1e9
    return () if free >= _LITTLE_ROOM_GB else (f"{check.directory} has {free:.1f} GB left there",)
