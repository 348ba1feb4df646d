"""The folder of a report: written whole, without figures and tables that an earlier report left behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

from analysis.exports import latex
from analysis.exports.rendered_table import RenderedTable
from tune_reg.errors import StoreError, UnreachableError
from tune_reg.storage.leftovers import remove_half_written_report
from tune_reg.storage.paths import StoragePath, write_whole

#: The files of each figure and table.
_FORMS: Final = {"figures": ("csv", "svg", "pdf", "png", "tex"), "tables": ("csv", "tex")}


def table_files(tables: Iterable[RenderedTable], study: str, columns: Literal[1, 2] = 2) -> dict[str, bytes]:
    """Each table as CSV and LaTeX, by their path in the report's folder; ``study`` names it in the labels of LaTeX."""
    files: dict[str, bytes] = {}
    for table in tables:
        files |= {f"tables/{table.name}.csv": table.csv, f"tables/{table.name}.tex": latex.table(table, study, columns)}
    return files


def write(target: StoragePath, files: Mapping[str, bytes], names: Iterable[str]) -> None:
    """Write the files of a report below ``target``, and delete what an earlier report left of the figures and tables.

    ``names``: of all figures and tables there can be; their files that are not among ``files`` are deleted.

    Nothing else in the folder is touched. Raises ``StoreError`` where it cannot be written.
    """
    try:
        if isinstance(target, Path):
            remove_half_written_report(target)
        for folder in _FORMS:
            (target / folder).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_whole(target / name, content)
        # A figure of an earlier report that has no data now would contradict this one.
        for name in names:
            for folder, forms in _FORMS.items():
                for form in forms:
                    if f"{folder}/{name}.{form}" not in files:
                        (target / folder / f"{name}.{form}").unlink(missing_ok=True)
    except UnreachableError:
        raise
    except OSError as error:
        raise StoreError(f"{target} cannot be written ({error.strerror}); make it writable and ask again") from None
