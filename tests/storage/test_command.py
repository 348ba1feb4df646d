"""``tune-reg`` on a real S3 server on loopback: with Ray, killed, refused, without its server."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from digits import digits_study
from processes import wait_until
from tables import everything

from tune_reg import load
from tune_reg.storage.paths import to_path

ROOT = Path(__file__).parents[2]

#: One run at a time, so that a study is the same study whenever it is run.
STUDY = digits_study(
    regularizers=["weight-decay", "l1"],
    training={"epochs": 4, "batch_size": 64},
    search={"trials": 4, "reduction_factor": 2},
    robustness={"fgsm": [0.1]},
    resources={"cpus": os.cpu_count()},
)

#: The command, with a lease that is given up sooner and a store that is waited for less long.
COMMAND = """
from tune_reg.storage import lease, remote_path

lease.EXPIRY_S, lease.BEAT_S, remote_path.PATIENCE_S = 6.0, 1.0, 4.0
from tune_reg.cli import main

main()
"""


def start(folder, *words):
    """The command in a new process and a folder of its own: nothing of an earlier run is there."""
    machine = folder / f"machine-{len(list(folder.iterdir()))}"
    machine.mkdir()
    (machine / "study.toml").write_text(STUDY.to_toml())
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "HOME": str(machine),
        "MPLCONFIGDIR": str(folder),
    }
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words],
        cwd=machine,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def command(folder, *words):
    """The command to its end: its exit code, and what it wrote to standard error."""
    process = start(folder, *words)
    _, error = process.communicate(timeout=400)
    return process.returncode, error


def run(folder, out):
    return command(folder, "run", "study.toml", "--out", str(out))


def kill(process):
    """The driver with -9, and then what it leaves of its Ray, as a machine does that is lost."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def local(s3, tmp_path_factory):
    """The study in a local folder."""
    folder = tmp_path_factory.mktemp("local")
    code, error = run(folder, folder / "out")
    assert code == 0, error
    return folder / "out"


def parts(directory, table):
    return len((directory / "tables" / table).glob("*.parquet"))


@pytest.mark.ray
@pytest.mark.timeout(900)
@pytest.mark.slow
def test_killed_with_a_server_that_errs_it_goes_on_elsewhere_and_finds_the_same(s3, local, tmp_path):
    directory = to_path("s3://results/killed-ray")
    s3.faults.every = 17
    try:
        driver = start(tmp_path, "run", "study.toml", "--out", str(directory))
        wait_until(lambda: parts(directory, "trials") >= 2, driver, 200)
        kill(driver)
        kept = parts(directory, "trials")
        assert kept < 8
        code, error = run(tmp_path, directory)
        assert code == 0, error
        assert "was in use by process" in error
    finally:
        s3.faults.every = 0
    assert s3.faults.refused > 10
    assert everything(directory) == everything(local)
    assert load(directory).best("l1") == load(local).best("l1")
    states = [row["state"] for row in load(directory).trials().to_pylist()]
    assert "pruned" in states
    assert (directory / ".locks").glob("*") == []
    assert all(len(kept.glob("*")) <= 2 for kept in (directory / "checkpoints").glob("*"))
    pages = [(results / "report" / "report.md").read_bytes() for results in (directory, local)]
    assert [len(page) > 1000 for page in pages] == [True, True]
    for file in directory.files():
        assert b"not-to-be-written-anywhere" not in file.read_bytes()
    home = tmp_path / "home"
    code, error = command(tmp_path, "fetch", str(directory), "--out", str(home))
    assert code == 0, error
    assert everything(home) == everything(local)
    code, error = run(tmp_path, home)  # goes on from there, with nothing left to do
    assert code == 0, error
    assert everything(home) == everything(local)


@pytest.mark.ray
@pytest.mark.timeout(900)
@pytest.mark.slow
def test_a_server_that_goes_down_ends_the_study_in_one_line_and_it_goes_on(s3, local, tmp_path):
    directory = to_path("s3://results/down")
    driver = start(tmp_path, "run", "study.toml", "--out", str(directory))
    wait_until(lambda: parts(directory, "trials") >= 2, driver, 200)
    s3.down()
    try:
        _, error = driver.communicate(timeout=300)
    finally:
        s3.up()
    assert driver.returncode == 1, error
    (line,) = [line for line in error.splitlines() if line.startswith("tune-reg: s3")]
    assert re.search(r"cannot be reached or used \(.*\); mend that and give the command again$", line)
    assert "Traceback" not in error
    assert 2 <= parts(directory, "trials") < 8
    code, error = run(tmp_path, directory)
    assert code == 0, error
    assert everything(directory) == everything(local)


BAD = {
    "nosuch://bucket/x": "no filesystem is known as nosuch://",
    "memory://x": "memory:// cannot hold results",
    "s3://no-such-bucket/x": "cannot be written (The specified bucket does not exist); choose another",
    "s3://key:not-to-be-written-anywhere@results/x": "credentials must not stand in a URL",
}


@pytest.fixture
def study_file(tmp_path):
    (tmp_path / "study.toml").write_text(STUDY.to_toml())
    return tmp_path / "study.toml"


@pytest.mark.parametrize("out", BAD)
def test_where_no_results_can_lie_is_told_in_one_line_before_work_starts(s3, study_file, tune_reg, out):
    code, _, error = tune_reg("run", study_file, "--out", out)
    assert code == 2
    (line,) = error.splitlines()
    assert BAD[out] in line
    assert "not-to-be-written-anywhere" not in line


def test_a_store_that_forbids_is_told_in_one_line(s3, tmp_path):
    s3.faults.forbid = "/results/forbidden"
    # In a process of its own: a client of the store may have something to say when the process ends.
    code, error = run(tmp_path, "s3://results/forbidden/x")
    assert code == 2
    (line,) = error.splitlines()
    assert "--out s3://results/forbidden/x: cannot be written (Access Denied" in line


def test_reports_of_what_is_not_there(s3, tune_reg):
    code, _, error = tune_reg("report", "s3://results/absent")
    assert code == 2
    assert "s3://results/absent holds no study" in error
