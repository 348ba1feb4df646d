import subprocess
import sys
from pathlib import Path

import analysis


def fresh(code, *arguments):
    """What ``code`` prints in an interpreter of its own."""
    root = Path(analysis.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_analysis_imports_no_engine():
    code = (
        "import sys, time; start = time.perf_counter(); import analysis; took = time.perf_counter() - start\n"
        "bad = {'torch', 'ray', 'optuna', 'pandas', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not bad, bad\n"
        "print(took)"
    )
    # 0.3 s on a quiet machine, and 1 s is the goal; a busy one is no failure, a heavy import is.
    assert float(fresh(code)) < 3


def test_report_imports_no_engine(tmp_path, lab):
    directory = lab.write_study(tmp_path, lab.parts_of([lab.baseline], [1.0]))
    code = (
        "import sys, analysis; analysis.report(sys.argv[1])\n"
        "bad = {'torch', 'ray', 'optuna'} & set(sys.modules)\nassert not bad, bad"
    )
    fresh(code, str(directory))
