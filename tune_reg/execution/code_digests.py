"""Digests of the user's code in a study: of model, data set function, trainer, regularizers and spaces."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict, dataclass
from typing import Any

from search_spaces import DefinedByRun, SearchSpace
from tune_reg.data import is_of_code
from tune_reg.object_digest import object_digest
from tune_reg.regularizers import regularizer
from tune_reg.study import Study
from tune_reg.user_function import imported_module
from tune_reg.user_objects import digest_of, is_kept_name
from tune_reg.user_source import source_digest


@dataclass(frozen=True)
class CodeDigests:
    """What tells the user's code of now from that of earlier runs; None for parts that are not the user's."""

    model: str | None
    dataset: str | None
    trainer: str | None
    #: By the name of the method.
    regularizers: dict[str, str | None]
    spaces: dict[str, str | None]

    def of_method(self, name: str) -> str | None:
        """One digest of all of the user's code that decides the runs of a method."""
        return _joined([self.model, self.trainer, self.regularizers[name], self.spaces[name]])

    def to_plain(self) -> dict[str, Any]:
        """The digests as a table of ``provenance.json``."""
        return asdict(self)


def code_digests(study: Study) -> CodeDigests:
    """The digests of the user's code in a study, as it is now."""
    return CodeDigests(
        model=_of_function(study.model),
        dataset=_of_function(study.dataset) if is_of_code(study.dataset) else None,
        trainer=_of_function(study.trainer),
        regularizers={
            name: _joined([_of_class(part) for part in method.regularizer.split("+")])
            for name, method in study.regularizers.items()
        },
        spaces={name: _of_space(method.space) for name, method in study.regularizers.items()},
    )


def _of_function(name: str) -> str | None:
    """The digest of a user's function; None for a name of the package's own, that Python need not import."""
    if is_kept_name(name):
        return digest_of(name)
    if ":" not in name:
        return None
    return source_digest(imported_module(name), name.partition(":")[2])


def _of_class(name: str) -> str | None:
    kind = regularizer(name)
    if kind.__module__ == "__main__":
        return object_digest(kind)  # of a script or a notebook: a process that goes on has the class without its text
    module = sys.modules.get(kind.__module__)
    return None if module is None else source_digest(module, kind.__qualname__)


def _of_space(space: SearchSpace) -> str | None:
    if not isinstance(space, DefinedByRun):
        return None
    module = sys.modules.get(space.function.__module__)
    name = space.function.__qualname__
    # A function without a name, or of a notebook, has no place in a file to be found by.
    digest = source_digest(module, name) if module is not None and not name.startswith("<") else None
    return digest or space.digest


def _joined(digests: list[str | None]) -> str | None:
    given = [digest for digest in digests if digest is not None]
    if len(given) < 2:
        return given[0] if given else None
    return hashlib.sha256("\0".join(str(digest) for digest in digests).encode()).hexdigest()[:16]
