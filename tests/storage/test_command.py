"""``tune-reg`` on a real S3 server on loopback: with Ray, killed, refused, without its server."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tune_reg import load
from tune_reg.storage.paths import to_path

ROOT = Path(__file__).parents[2]

#: One run at a time, so that a study is the same study whenever it is run.
STUDY = f"""
name = "stored"
dataset = "digits"
model = "nn-2-small"
regularizers = ["weight-decay", "l1"]

[training]
epochs = 4
batch_size = 64

[search]
trials = 4
reduction_factor = 2

[confirm]
seeds = 1

[robustness]
fgsm = [0.1]

[resources]
cpus = {os.cpu_count()}
"""

#: The command, with a lease that is given up sooner and a store that is waited for less long.
COMMAND = """
from tune_reg import places
from tune_reg.search import lease

lease.EXPIRY_S, lease.BEAT_S, places.PATIENCE_S = 6.0, 1.0, 4.0
from tune_reg.cli import main

main()
"""


def start(folder, *words):
    """The command in a new process and a folder of its own: nothing of an earlier run is there."""
    here = folder / f"machine-{len(list(folder.iterdir()))}"
    here.mkdir()
    (here / "study.toml").write_text(STUDY)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "HOME": str(here),
        "MPLCONFIGDIR": str(folder),
    }
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words],
        cwd=here,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def command(folder, *words):
    process = start(folder, *words)
    out, err = process.communicate(timeout=400)
    return process.returncode, out, err


def run(folder, out):
    return command(folder, "run", "study.toml", "--out", str(out))


def kill(process):
    """The driver with -9, and then what it leaves of its Ray, as a machine does that is lost."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def told(directory):
    """What a study found, without times."""
    results = load(directory)
    tables = [results.trials(), results.epochs(), results.final(), results.robustness()]
    return [
        sorted(
            tuple((name, repr(value)) for name, value in sorted(row.items()) if name != "wall_s")
            for row in table.to_pylist()
        )
        for table in tables
    ]


@pytest.fixture(scope="module")
def local(s3, tmp_path_factory):
    """The study in a local folder."""
    folder = tmp_path_factory.mktemp("local")
    code, _, err = run(folder, folder / "out")
    assert code == 0, err
    return folder / "out"


def until(condition, process, seconds=200):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)


def parts(place, table):
    return len((place / "tables" / table).glob("*.parquet"))


@pytest.mark.ray
@pytest.mark.timeout(900)
@pytest.mark.slow
def test_killed_with_a_server_that_errs_it_goes_on_elsewhere_and_finds_the_same(s3, local, tmp_path):
    place = to_path("s3://results/killed-ray")
    s3.faults.every = 17
    try:
        driver = start(tmp_path, "run", "study.toml", "--out", str(place))
        until(lambda: parts(place, "trials") >= 2, driver)
        kill(driver)
        kept = parts(place, "trials")
        assert kept < 8
        code, _, err = run(tmp_path, place)
        assert code == 0, err
        assert "was in use by process" in err
    finally:
        s3.faults.every = 0
    assert s3.faults.refused > 10
    assert told(place) == told(local)
    assert load(place).best("l1") == load(local).best("l1")
    states = [row["state"] for row in load(place).trials().to_pylist()]
    assert "pruned" in states
    assert (place / ".locks").glob("*") == []
    assert all(len(kept.glob("*")) <= 2 for kept in (place / "checkpoints").glob("*"))
    pages = [(at / "report" / "report.md").read_bytes() for at in (place, local)]
    assert [len(page) > 1000 for page in pages] == [True, True]
    for file in place.files():
        assert b"not-to-be-written-anywhere" not in file.read_bytes()
    home = tmp_path / "home"
    code, _, err = command(tmp_path, "fetch", str(place), "--out", str(home))
    assert code == 0, err
    assert told(home) == told(local)
    code, _, err = run(tmp_path, home)  # goes on from there, with nothing left to do
    assert code == 0, err
    assert told(home) == told(local)


@pytest.mark.ray
@pytest.mark.timeout(900)
@pytest.mark.slow
def test_a_server_that_goes_down_ends_the_study_in_one_line_and_it_goes_on(s3, local, tmp_path):
    place = to_path("s3://results/down")
    driver = start(tmp_path, "run", "study.toml", "--out", str(place))
    until(lambda: parts(place, "trials") >= 2, driver)
    s3.down()
    try:
        _, err = driver.communicate(timeout=300)
    finally:
        s3.up()
    assert driver.returncode == 1, err
    (line,) = [line for line in err.splitlines() if line.startswith("tune-reg: s3")]
    assert re.search(r"cannot be reached or used \(.*\); mend that and give the command again$", line)
    assert "Traceback" not in err
    assert 2 <= parts(place, "trials") < 8
    code, _, err = run(tmp_path, place)
    assert code == 0, err
    assert told(place) == told(local)


BAD = {
    "nosuch://bucket/x": "no filesystem is known as nosuch://",
    "memory://x": "memory:// cannot hold results",
    "s3://no-such-bucket/x": "cannot be written (The specified bucket does not exist); choose another",
    "s3://key:not-to-be-written-anywhere@results/x": "credentials must not stand in a URL",
}


@pytest.mark.parametrize("out", BAD)
def test_bad_places_are_told_in_one_line_before_work_starts(s3, tmp_path, out):
    code, _, err = run(tmp_path, out)
    assert code == 2
    (line,) = err.splitlines()
    assert BAD[out] in line
    assert "not-to-be-written-anywhere" not in line


def test_a_store_that_forbids_is_told_in_one_line(s3, tmp_path):
    s3.faults.forbid = "/results/forbidden"
    code, _, err = run(tmp_path, "s3://results/forbidden/x")
    assert code == 2
    (line,) = err.splitlines()
    assert "--out s3://results/forbidden/x: cannot be written (Access Denied" in line


def test_reports_of_what_is_not_there(s3, tmp_path):
    code, _, err = command(tmp_path, "report", "s3://results/absent")
    assert code == 2
    assert "s3://results/absent holds no study" in err
