"""Files that a killed process leaves beside those that it was writing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

#: What ``write_atomic`` names a file until it is whole, and the files by which a directory is tried, here and on the
#: nodes of a cluster.
_HALF_WRITTEN: Final = re.compile(r"\.(?:.+\.(\d+)\.tmp|write-test\.(\d+)|node-check\.(\d+)(?:\..+)?)")
#: Optuna's lock of the journal, and what it renames it to.
_JOURNAL_LOCKS: Final = "search.journal.lock*"


def remove_leftovers(directory: Path) -> None:
    """Remove what killed runs and reports left in a results directory, which the caller holds alone.

    A report may be written meanwhile: of its files only those go whose process is not alive on this machine.
    """
    report = directory / "report"
    _remove_half_written([directory, *directory.glob("tables/*"), *directory.glob("checkpoints/*")])
    remove_half_written_report(report)
    for path in directory.glob(_JOURNAL_LOCKS):
        path.unlink(missing_ok=True)


def remove_half_written_report(report: Path) -> None:
    """Remove what killed processes left in the folder of a report."""
    _remove_half_written([report, report / "figures", report / "tables"], of_the_dead=True)


def is_alive(pid: int) -> bool:
    """Whether a process runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _remove_half_written(folders: Iterable[Path], *, of_the_dead: bool = False) -> None:
    for folder in folders:
        for path in folder.glob(".*"):
            match = _HALF_WRITTEN.fullmatch(path.name)
            if match and path.is_file() and not (of_the_dead and is_alive(int(next(filter(None, match.groups()))))):
                path.unlink(missing_ok=True)
