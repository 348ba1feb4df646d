"""Limits of memory, of the size of files and of a disk: one line each."""

import errno
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tune_reg.cli.limits import limit_reached

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), "a/b: No space left on device; make room and"),
        (OSError(errno.EFBIG, "File too large"), "allow larger files (`ulimit -f`)"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory ran out"),
        (MemoryError(), "memory ran out"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "memory ran out"),
        (RuntimeError("can't start new thread"), "memory ran out"),
    ],
)
def test_a_limit_is_one_line(error, said):
    line = limit_reached(error)
    assert said in line
    assert "\n" not in line


def test_other_errors_are_none():
    assert limit_reached(ImportError("No module named 'x'")) is None
    assert limit_reached(FileNotFoundError(errno.ENOENT, "No such file or directory")) is None
    assert limit_reached(ValueError("failed to map segment")) is None


def command(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "tune_reg.cli", *words],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        text=True,
        check=False,
        **options,
    )


def test_too_little_memory_is_one_line(tmp_path):
    (tmp_path / "study.toml").write_text('name = "a"\n')

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))

    done = command("check", tmp_path / "study.toml", stderr=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=limit)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "tune-reg: memory ran out; give the command more of it (`ulimit -v` tells the limit), and give it again"
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_full_standard_output_is_one_line_and_a_full_standard_error_changes_no_exit_code(tmp_path):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = command("--help", stdout=full, stderr=subprocess.PIPE)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "No space left on device; make room" in done.stderr
        assert command("report", tmp_path, stdout=full, stderr=full).returncode == 2
