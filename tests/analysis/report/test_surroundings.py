"""The same tables give the same bytes, whatever the user's matplotlib, locale, time zone and umask are."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import analysis
from tune_reg.errors import StoreError

ROOT = Path(__file__).parents[3]


def reported(directory, out, folder, **environment):
    """The sha256 of every file of a report that a process of its own writes in ``folder``."""
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    code = "import os, sys, analysis; os.umask(int(sys.argv[3], 8)); analysis.report(sys.argv[1], sys.argv[2])"
    umask = environment.pop("umask", "022")
    subprocess.run(
        [sys.executable, "-P", "-c", code, directory, out, umask],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
        check=True,
    )
    return {
        file.relative_to(out).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(out.rglob("*"))
        if file.is_file()
    }


def test_the_users_surroundings_change_nothing(tmp_path, lab):
    names = [lab.baseline, "adadecay"]
    directory = lab.write_study(tmp_path / "DIR", lab.parts_of(names, [1.0]))
    plain, other = tmp_path / "plain", tmp_path / "other"
    plain.mkdir()
    settings = "# gr\u00f6\u00dfer\nfont.size: 14\naxes.facecolor: red\n".encode("latin-1")
    for place in (other / "matplotlibrc", other / "config" / "matplotlib" / "matplotlibrc"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(settings)
    styles = other / "config" / "matplotlib" / "stylelib"
    styles.mkdir()
    (styles / "default.mplstyle").write_bytes(settings)
    (styles / "own.mplstyle").write_bytes(settings)
    expected = reported(directory, tmp_path / "a", plain)
    assert len(expected) > 20
    changed = reported(
        directory,
        tmp_path / "b",
        other,
        XDG_CONFIG_HOME=str(other / "config"),
        MATPLOTLIBRC=str(other / "matplotlibrc"),
        MPLBACKEND="module://no_such_backend",
        LC_ALL="C",
        LANG="de_DE.UTF-8",
        TZ="Pacific/Apia",
        PYTHONUTF8="0",
        umask="077",
    )
    assert changed == expected


def test_a_report_of_a_directory_that_may_not_be_written(tmp_path, lab, reports):
    first = reports.make(tmp_path, lab)
    directory = tmp_path / "DIR"
    (directory / "report" / "index.html").unlink()
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    page = analysis.report(directory, tmp_path / "elsewhere")
    assert page == tmp_path / "elsewhere" / "index.html"
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before
    assert "figures" in {path.name for path in page.parent.iterdir()}
    assert first
    with pytest.raises(StoreError, match="holds the results of a study"):
        analysis.report(directory, directory)
