"""Results that 0.1 wrote, a finished and an interrupted study: their reports stay the same bytes."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tables import everything

from tune_reg.store import Results, Store

WRITTEN_BY_0_1 = Path(__file__).parents[1] / "written_by_0_1"


def digests(folder):
    """The sha256 of every file below ``folder``, by its path, in the form of ``sha256sum``."""
    return {
        f"./{path.relative_to(folder).as_posix()}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_store_that_is_opened_to_go_on_names_its_files_anew_and_holds_the_same(tmp_path):
    """The report is made of these tables alone. The new hyperparameter gets a column, which is empty."""

    def values():
        tables = everything(directory)
        return {name: [[cell for cell in row if cell[1] != "None"] for row in rows] for name, rows in tables.items()}

    directory = shutil.copytree(WRITTEN_BY_0_1 / "finished", tmp_path / "finished")
    assert list(directory.rglob("_*.parquet"))
    before = values()
    Store(directory, study_hash=Results(directory).provenance()["study_hash"], parameters={"another": "number"})
    assert not list(directory.rglob("_*.parquet"))
    assert values() == before


@pytest.mark.parametrize("name", ["finished", "interrupted"])
def test_the_report_is_what_0_1_wrote(tmp_path, name):
    shutil.copytree(WRITTEN_BY_0_1 / name, tmp_path / name)
    # Linear algebra as on every x86 processor: another kernel of it gives other last digits, which may be rounded up.
    one_kernel = os.environ | {"OPENBLAS_CORETYPE": "Haswell"}
    words = [sys.executable, "-c", "import analysis, sys; print(analysis.report(sys.argv[1]))", name]
    done = subprocess.run(words, cwd=tmp_path, env=one_kernel, capture_output=True, text=True, check=True)
    page = tmp_path / done.stdout.strip()
    lines = (WRITTEN_BY_0_1 / f"{name}.report.sha256").read_text(encoding="utf-8").splitlines()
    expected = {path: digest for digest, _, path in (line.partition("  ") for line in lines)}
    assert len(expected) > 20
    assert digests(page.parent) == expected
