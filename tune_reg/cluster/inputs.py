"""What travels to a cluster: the study with every default written out, its plugins, and the command that runs it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from tune_reg.errors import ClusterError, StoreError, StudyError
from tune_reg.storage.paths import as_folder
from tune_reg.study import Study

STUDY_FILE: Final = "study.toml"
#: What a file may be called everywhere: in a shell, in YAML, as a key of a ConfigMap.
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.py")


@dataclass(frozen=True)
class Inputs:
    """A study and its plugins, as they stand now.

    ``out``: a folder on the cluster, or a URL of an object store without credentials. ``data``: a folder there.
    ``plugins``: file name -> content.
    """

    study: Study
    out: str
    data: str | None = None
    plugins: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_path("--out", self.out)
        try:
            as_folder(self.out)
        except StoreError as error:
            raise ClusterError(f"--out: {error}") from None
        if self.data is not None:
            _check_path("--data", self.data)
            if "://" in self.data:
                raise ClusterError(
                    f"--data: must be a folder on the cluster, but got {self.data.partition('://')[0]}://..."
                )
        for name in self.plugins:
            if not _FILE_NAME.fullmatch(name):
                raise ClusterError(
                    f"--plugin {name!r}: on a cluster a plugin's file name has letters, digits, '.', '_' and '-' only, "
                    "and ends in .py; rename it"
                )

    @classmethod
    def read(cls, study: Study, out: str, *, data: str | None = None, plugins: Sequence[Path] = ()) -> Self:
        """With the plugins' files read. ``ClusterError`` where two have one name or a file cannot be read."""
        contents: dict[str, bytes] = {}
        for path in plugins:
            if path.name in contents:
                raise ClusterError(f"--plugin {path}: another plugin is called {path.name}, too; rename one")
            try:
                contents[path.name] = path.read_bytes()
            except OSError as error:
                raise ClusterError(f"--plugin {path}: cannot be read ({error.strerror})") from None
        return cls(study, out, data, contents)

    @property
    def folder(self) -> str | None:
        """The folder that the results go to; None where they go to an object store."""
        return as_folder(self.out)

    @property
    def study_text(self) -> str:
        """The study file that is run there. ``StudyError`` where no file can say what was made in Python."""
        try:
            return self.study.to_toml()
        except TypeError as error:
            raise StudyError(
                f"the study cannot be written as a file ({error}); name functions as package.module:function"
            ) from None

    def command(self, folder: str = "") -> list[str]:
        """The words that run the study where its files lie in ``folder``, on a Ray that is up there."""
        at = f"{folder}/" if folder else ""
        words = ["python", "-m", "tune_reg.cli", "run", f"{at}{STUDY_FILE}", "--out", self.out, "--address", "auto"]
        for name in self.plugins:
            words += ["--plugin", f"{at}{name}"]
        if self.data is not None:
            words += ["--data", self.data]
        return words

    def prefetch(self) -> list[str]:
        """The words that put the study's data set where it is looked for, and check it."""
        words = ["python", "-m", "tune_reg.cli", "data", "fetch", self.study.dataset]
        return words if self.data is None else [*words, "--data", self.data]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that name the study, its plugins' content and where the results go."""
        parts = [self.study.hash.encode(), self.out.encode()]
        parts += [name.encode() + hashlib.sha256(content).digest() for name, content in sorted(self.plugins.items())]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]

    @property
    def label(self) -> str:
        """The study's name with what may stand in a DNS label: at most 30 letters, digits and inner hyphens.

        >>> Inputs(Study(name="A $(study)!", dataset="digits", model="nn-2", regularizers=["l1"]), "out").label
        'a-study'
        """
        name = re.sub(r"[^a-z0-9]+", "-", self.study.name.lower())
        return name[:30].strip("-") or "study"


@dataclass(frozen=True)
class Nodes:
    """The nodes that are asked for, all alike: what one has."""

    count: int = 1
    cpus: int = 4
    gpus: int = 0
    memory_gb: int = 16

    def __post_init__(self) -> None:
        rules = {"--nodes": (self.count, 1), "--cpus-per-node": (self.cpus, 1)}
        rules |= {"--gpus-per-node": (self.gpus, 0), "--memory-gb-per-node": (self.memory_gb, 1)}
        for option, (value, low) in rules.items():
            if value < low:
                raise ClusterError(f"{option}: must be >= {low}, but got {value}")

    def refuse_too_small(self, study: Study) -> None:
        """``ClusterError`` where a trial of the study does not fit on one of them."""
        wanted = study.resources
        for key, asked, has, option in (
            ("cpus", wanted.cpus, self.cpus, "--cpus-per-node"),
            ("gpus", wanted.gpus, self.gpus, "--gpus-per-node"),
            ("memory_gb", wanted.memory_gb, self.memory_gb, "--memory-gb-per-node"),
        ):
            if asked > has:
                raise ClusterError(f"{option}: must be >= resources.{key} of the study ({asked:g}), but got {has}")


def _check_path(option: str, path: str) -> None:
    if not path or any(not character.isprintable() for character in path):
        raise ClusterError(f"{option}: must be a path of printable characters, but got {path!r}")
    if path.startswith("-"):
        raise ClusterError(f"{option}: must not begin with a hyphen, but got {path!r}")
