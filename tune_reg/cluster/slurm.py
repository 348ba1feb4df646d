"""A study as a script for Slurm's sbatch: Ray on every node of the allocation, the study on the first."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from tune_reg.cluster.inputs import STUDY_FILE, Inputs, Nodes
from tune_reg.cluster.text import render
from tune_reg.errors import ClusterError

#: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes, days-hours:minutes:seconds
_TIME: Final = re.compile(r"\d+(:\d{1,2}){0,2}|\d+-\d{1,2}(:\d{1,2}){0,2}")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,+-]{0,99}")


@dataclass(frozen=True)
class Slurm:
    """What is asked of Slurm beside the nodes. An empty partition or account is the site's default."""

    time: str = "24:00:00"
    partition: str = ""
    account: str = ""

    def __post_init__(self) -> None:
        if not _TIME.fullmatch(self.time):
            raise ClusterError(f"--time: must be a time limit of Slurm, as 24:00:00 or 2-12, but got {self.time!r}")
        for option, value in (("--partition", self.partition), ("--account", self.account)):
            if value and not _WORD.fullmatch(value):
                raise ClusterError(f"{option}: must be a name of Slurm's, without spaces, but got {value!r}")


def sbatch(inputs: Inputs, nodes: Nodes, settings: Slurm) -> str:
    """The script, as bash with comments: ``sbatch`` takes it, again and again until the study has ended.

    ``inputs.out``: on a file system that all nodes share, relative to the folder that ``sbatch`` is called in; or in an
    object store.
    Raises ``ClusterError`` naming the option that is wrong.
    """
    nodes.refuse_too_small(inputs.study)
    text = inputs.study_text
    beside = "" if inputs.folder is None else f"{inputs.folder.rstrip('/')}/"
    folder = f"{beside}submitted/{inputs.digest}"
    return render(
        "sweep.sbatch.j2",
        label=inputs.label,
        study=inputs.study,
        nodes=nodes,
        settings=settings,
        remote=inputs.folder is None,
        folder=folder,
        study_path=f"{folder}/{STUDY_FILE}",
        study_text=text if text.endswith("\n") else f"{text}\n",
        plugins=[(f"{folder}/{name}", _lines(content)) for name, content in inputs.plugins.items()],
        end=_delimiter(text),
        pid=f"{folder}/process",
        prefetch=inputs.prefetch(),
        command=inputs.command(folder),
    )


def _delimiter(text: str) -> str:
    """A word that is no line of the text, to end it with."""
    end = "END_OF_STUDY"
    while end in text:
        end += "_"
    return end


def _lines(content: bytes) -> str:
    return base64.encodebytes(content).decode()
