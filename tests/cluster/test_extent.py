"""How far a study is, as one line."""

import subprocess
import sys

from tune_reg.cluster.extent import extent


def test_it_changes_with_what_is_trained_and_with_nothing_else(tmp_path):
    empty = extent(tmp_path)
    (tmp_path / "search.journal").write_text("asked")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "index.html").write_text("x")
    assert extent(tmp_path) == extent(tmp_path / "nowhere") == empty
    (tmp_path / "checkpoints" / "a").mkdir(parents=True)
    (tmp_path / "checkpoints" / "a" / "epoch-000001-0.pt").write_text("")
    one = extent(tmp_path)
    assert one != empty
    (tmp_path / "checkpoints" / "a" / ".epoch-000002-0.pt.1.tmp").write_text("")
    assert extent(tmp_path) == one


def test_it_is_a_line_for_scripts(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tune_reg.cluster.extent", str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{extent(tmp_path)}\n"
