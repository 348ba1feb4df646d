"""A study as a script for Slurm's sbatch: Ray runs on every node of the allocation, the study on the first."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from tune_reg.cluster.nodes import Nodes
from tune_reg.cluster.rendering import render
from tune_reg.cluster.submission import STUDY_FILE, Submission
from tune_reg.errors import ClusterError

#: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes, days-hours:minutes:seconds
_TIME: Final = re.compile(r"\d+(:\d{1,2}){0,2}|\d+-\d{1,2}(:\d{1,2}){0,2}")
#: A shorter limit would be used up by what begins and ends a job.
_LEAST_S: Final = 600
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,+-]{0,99}")


@dataclass(frozen=True)
class Slurm:
    """Options of Slurm beside the nodes: time limit, partition, account. An empty name is the site's default."""

    time: str = "24:00:00"
    partition: str = ""
    account: str = ""

    def __post_init__(self) -> None:
        if not _TIME.fullmatch(self.time):
            raise ClusterError(f"--time: must be a time limit of Slurm, as 24:00:00 or 2-12, but got {self.time!r}")
        if seconds_of(self.time) < _LEAST_S:
            raise ClusterError(
                f"--time: must be at least {_LEAST_S // 60} minutes, but got {self.time!r}: Ray takes half a minute to "
                "start, and the study is ended two minutes before the time is up"
            )
        for option, value in (("--partition", self.partition), ("--account", self.account)):
            if value and not _WORD.fullmatch(value):
                raise ClusterError(f"{option}: must be a name of Slurm's, without spaces, but got {value!r}")


def seconds_of(limit: str) -> int:
    """The seconds of a time limit of Slurm's.

    >>> [seconds_of(text) for text in ("90", "1:30", "24:00:00", "2-12", "1-0:30")]
    [5400, 90, 86400, 216000, 88200]
    """
    days, _, rest = limit.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if days:
        hours, minutes, seconds = [*parts, 0, 0][:3]
    elif len(parts) == 3:
        hours, minutes, seconds = parts
    else:
        hours, (minutes, seconds) = 0, [*parts, 0][:2]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def sbatch(submission: Submission, nodes: Nodes, settings: Slurm) -> str:
    """The script of a submission, in bash with comments. ``sbatch`` can take it again until the study has ended.

    ``submission.out``: on a file system that all nodes share, relative to the folder that ``sbatch`` is called in; or
    in an object store. Raises ``ClusterError`` naming the option that is wrong.
    """
    nodes.refuse_too_small(submission.study)
    text = submission.study_text
    parent = "" if submission.folder is None else f"{submission.folder.rstrip('/')}/"
    folder = f"{parent}submitted/{submission.digest}"
    return render(
        "study.sbatch.j2",
        label=submission.label,
        study=submission.study,
        nodes=nodes,
        settings=settings,
        remote=submission.folder is None,
        folder=folder,
        study_path=f"{folder}/{STUDY_FILE}",
        study_text=text if text.endswith("\n") else f"{text}\n",
        plugins=[(f"{folder}/{name}", _base64_lines(content)) for name, content in submission.plugins.items()],
        end=_delimiter(text),
        study_file=STUDY_FILE,
        out=submission.out,
        prefetch=submission.prefetch(),
        command=submission.command(folder),
    )


def _delimiter(text: str) -> str:
    """A word that the text does not contain, to end a here-document with."""
    end = "END_OF_STUDY"
    while end in text:
        end += "_"
    return end


def _base64_lines(content: bytes) -> str:
    """The content in base64, in lines of at most 76 characters."""
    return base64.encodebytes(content).decode()
