"""What a study was given in Python, as files in its results directory, where workers and later processes find it."""

from __future__ import annotations

from tune_reg.regularizers.kept import kept_regularizers
from tune_reg.storage.paths import StoragePath, write_whole
from tune_reg.study import Study
from tune_reg.user_objects import OBJECTS, is_kept_name, written


def regularizers_of(study: Study) -> tuple[str, ...]:
    """The names under which the study's regularizers of the user's are kept."""
    return kept_regularizers(method.regularizer for method in study.regularizers.values())


def write_objects(directory: StoragePath, study: Study) -> None:
    """Write a file for each function, class and data set that a study was given in Python, where it is not there."""
    plain = study.to_plain()
    kept = {value: key for key, value in plain.items() if isinstance(value, str) and is_kept_name(value)}
    for name, what in (kept | dict.fromkeys(regularizers_of(study), "regularizer")).items():
        file, data = written(name, what)
        path = directory / OBJECTS / file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
