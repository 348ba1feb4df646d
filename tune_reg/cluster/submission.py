"""What travels to a cluster: the study with every default written out, its plugins, and the command that runs it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from tune_reg.errors import ClusterError, StoreError, StudyError
from tune_reg.storage.paths import as_folder, expanded
from tune_reg.study import Study
from tune_reg.user_objects import is_kept_name

STUDY_FILE: Final = "study.toml"
#: A file name that needs no quotes in a shell or in YAML and may be a key of a ConfigMap.
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.py")


@dataclass(frozen=True)
class Submission:
    """A study, its plugins and its folders on the cluster: all that a cluster needs to run it.

    ``out``: a folder on the cluster, or a URL of an object store without credentials. ``data``: a folder on the
    cluster. ``plugins``: file name -> content. ``ClusterError`` names the option that is wrong.
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
        """A submission whose plugins are read from files.

        ``ClusterError`` where two files have one name, or a file cannot be read.
        """
        for key in ("model", "dataset"):
            if is_kept_name(getattr(study, key)):
                raise ClusterError(
                    f"{key}: was given in Python, and does not travel with a study file; put it into a module that "
                    "each node has, and name it package.module:function"
                )
        contents: dict[str, bytes] = {}
        for path in map(expanded, plugins):
            if path.name in contents:
                raise ClusterError(f"--plugin {path}: another plugin is called {path.name}, too; rename one")
            try:
                contents[path.name] = path.read_bytes()
            except OSError as error:
                raise ClusterError(f"--plugin {path}: cannot be read ({error.strerror})") from None
        return cls(study, out, data, contents)

    def refuse_relative(self) -> None:
        """``ClusterError`` where a folder is not the same one for every node: a job has a working folder of its own."""
        for option, path in (("--out", self.folder), ("--data", self.data)):
            if path is not None and not Path(path).is_absolute():
                where = "s3://..." if option == "--out" else "leave it out"
                raise ClusterError(
                    f"{option}: must be an absolute path, which means one folder on every node of the cluster, "
                    f"but got {path!r}; give a folder on storage that all nodes share, or {where}"
                )

    @property
    def folder(self) -> str | None:
        """The folder that the results go to; None where the results go to an object store."""
        return as_folder(self.out)

    @property
    def study_text(self) -> str:
        """The study file that the cluster runs. ``StudyError`` where no file can say what was made in Python."""
        try:
            return self.study.to_toml()
        except TypeError as error:
            raise StudyError(
                f"the study cannot be written as a file ({error}); name functions as package.module:function"
            ) from None

    def command(self, folder: str = "") -> list[str]:
        """The command line that runs the study, whose files lie in ``folder``, on a Ray that is up."""
        prefix = f"{folder}/" if folder else ""
        words = ["python", "-m", "tune_reg.cli", "run", f"{prefix}{STUDY_FILE}", "--out", self.out, "--address", "auto"]
        for name in self.plugins:
            words += ["--plugin", f"{prefix}{name}"]
        if self.data is not None:
            words += ["--data", self.data]
        return words

    def prefetch(self) -> list[str]:
        """The command line that fetches and checks the study's data set; one that does nothing for a trainer's own."""
        if not self.study.dataset:
            return ["true"]
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
        """The study's name as a DNS label: at most 30 letters, digits and inner hyphens.

        >>> Submission(Study(name="A $(study)!", dataset="digits", model="nn-2", regularizers=["l1"]), "out").label
        'a-study'
        """
        name = re.sub(r"[^a-z0-9]+", "-", self.study.name.lower())
        return name[:30].strip("-") or "study"


def _check_path(option: str, path: str) -> None:
    if not path or any(not character.isprintable() for character in path):
        raise ClusterError(f"{option}: must be a path of printable characters, but got {path!r}")
    if path.startswith("-"):
        raise ClusterError(f"{option}: must not begin with a hyphen, but got {path!r}")
