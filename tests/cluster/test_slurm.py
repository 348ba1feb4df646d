"""The script: what shellcheck thinks of it, and what it does where scripts stand in for Slurm and Ray."""

import os
import shlex
import shutil
import signal
import subprocess
import time

import pytest

from tune_reg import Study
from tune_reg.cluster import Nodes, Slurm, Submission, sbatch
from tune_reg.errors import ClusterError

#: A stand-in writes down its command line, each word ended by a zero byte; that of srun also runs the command.
STAND_IN = """#!/bin/bash
printf '%s\\0' {name} "$@" $'\\x1e' >>{log}
case {name} in
  srun) while [[ $1 == -* ]]; do shift; done; "$@" ;;
  scontrol) [[ $1 != show ]] || printf 'node-a\\nnode-b\\n' ;;
esac
"""

#: A stand-in for a study that runs until a signal ends it, and for what tells how far it is.
STUDY = """#!/bin/bash
case "$*" in
  *extent*) cat {extent}; exit ;;
  *" run "*) trap 'exit {code}' TERM; touch {begun}; {trains}; while true; do sleep 0.1; done ;;
esac
"""


SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_JOB_NODELIST": "node-[a-b]",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_CPUS_PER_TASK": "4",
    "SLURM_PROCID": "0",
}


@pytest.fixture
def run_script(tmp_path):
    """Run a script with stand-ins for Slurm and Ray; the calls that the script made."""
    log, folder = tmp_path / "calls.txt", tmp_path / "bin"
    folder.mkdir()
    for name in ("srun", "scontrol", "ray", "python"):
        path = folder / name
        path.write_text(STAND_IN.format(log=shlex.quote(str(log)), name=name))
        path.chmod(0o755)

    def run(script):
        log.write_text("")
        environment = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(tmp_path), **SLURM}
        (tmp_path / "sweep.sbatch").write_text(script)
        done = subprocess.run(
            ["bash", "sweep.sbatch"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        return [call.split("\0")[:-1] for call in log.read_text().split("\x1e\0") if call]

    return run


def test_what_it_starts(study_of, run_script, tmp_path):
    submission = Submission(study_of(), "out/a", data="/data", plugins={"my_plugin.py": b"\xff no newline"})
    calls = run_script(sbatch(submission, Nodes(count=2, cpus=8, gpus=2), Slurm()))
    folder = f"out/a/submitted/{submission.digest}"
    fetch = ["python", "-m", "tune_reg.cli", "data", "fetch", "digits", "--data", "/data"]
    run = ["python", "-m", "tune_reg.cli", "run", f"{folder}/study.toml", "--out", "out/a", "--address", "auto"]
    run += ["--plugin", f"{folder}/my_plugin.py", "--data", "/data"]
    looks, tasks = calls.pop(0), calls.pop(6)
    assert (looks[:3], looks[4:]) == (
        ["srun", "--ntasks-per-node=1", "sh"],
        [looks[4], str(tmp_path / folder / "study.toml")],
    )
    assert tasks[:5] == ["srun", "--ntasks-per-node=1", "--kill-on-bad-exit=0", "bash", "-c"]
    assert calls == [
        ["python", "-c", "import tune_reg"],
        ["srun", "--ntasks-per-node=1", *fetch],
        fetch,
        ["python", "-c", "import secrets; print(secrets.token_hex(32))"],
        ["scontrol", "show", "hostnames", "node-[a-b]"],
        ["python", "-m", "tune_reg.cluster.extent", "out/a"],
        ["ray", "stop", "--force"],
        ["ray", "start", "--head", "--port", "6379", "--num-cpus", "8", "--num-gpus", "2"],
        run,
        ["ray", "stop"],
    ]
    assert not (tmp_path / folder / "token").exists()  # it was there for the job alone
    assert Study.from_toml(tmp_path / folder / "study.toml").hash == submission.study.hash
    assert (tmp_path / folder / "my_plugin.py").read_bytes() == b"\xff no newline"


@pytest.mark.parametrize(
    ("out", "folder"),
    [("s3://bucket/it's", "submitted/{}"), ("file:///{root}/a%20b", "{root}/a b/submitted/{}")],
)
def test_results_in_a_bucket_leave_the_study_in_a_folder(study_of, run_script, tmp_path, out, folder):
    submission = Submission(study_of(), out.replace("{root}", str(tmp_path).lstrip("/")))
    calls = run_script(sbatch(submission, Nodes(), Slurm()))
    folder = folder.format(submission.digest, root=tmp_path)
    (call,) = [call for call in calls if call[:4] == ["python", "-m", "tune_reg.cli", "run"]]
    assert call[call.index("run") + 1] == f"{folder}/study.toml"
    assert call[call.index("--out") + 1] == submission.out
    assert Study.from_toml(tmp_path / folder / "study.toml").hash == submission.study.hash
    assert not list(tmp_path.glob("*:*"))


@pytest.mark.parametrize(("code", "trains", "requeued"), [(143, True, True), (143, False, False), (0, True, False)])
def test_when_the_time_is_nearly_up_the_study_is_ended_and_goes_back_into_the_queue_where_it_got_further(
    study_of, run_script, tmp_path, code, trains, requeued
):
    begun, log = tmp_path / "begun", tmp_path / "calls.txt"
    extent = tmp_path / "extent"
    extent.write_text("before")
    (tmp_path / "bin" / "python").write_text(
        STUDY.format(
            code=code,
            begun=shlex.quote(str(begun)),
            extent=shlex.quote(str(extent)),
            trains=f"echo after >{shlex.quote(str(extent))}" if trains else ":",
        )
    )
    (tmp_path / "sweep.sbatch").write_text(sbatch(Submission(study_of(), "out/it's $(here)"), Nodes(count=2), Slurm()))
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path), **SLURM}
    process = subprocess.Popen(
        ["bash", "sweep.sbatch"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        while not begun.exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGUSR1)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code, errors
    calls = [call.split("\0")[:-1] for call in log.read_text().split("\x1e\0") if call]
    assert (["scontrol", "requeue", "7"] in calls) == requeued
    assert ("nothing was trained in the time of this job" in errors) == (not trains)


def test_a_node_of_another_kind_ends_the_job_with_one_line(study_of, run_script, tmp_path):
    (tmp_path / "bin" / "python").write_text("#!/bin/bash\nexit 1\n")
    (tmp_path / "sweep.sbatch").write_text(sbatch(Submission(study_of(), "out"), Nodes(count=2), Slurm()))
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path), **SLURM}
    done = subprocess.run(
        ["bash", "sweep.sbatch"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith("the first Python on its path has no tune-reg; load its environment above")


def test_any_name_and_path_stay_what_they_are(study_of, run_script, awkward_texts, tmp_path):
    """One script for each would take minutes: their bodies run one after the other in one shell."""
    scripts, expected = [], []
    for number, text in enumerate(awkward_texts):
        study = study_of(name=text)
        printable = text if text.isprintable() else "plain"
        submission = Submission(study, f"out {number}/{printable}", data=f"data {printable}")
        scripts.append(f"({sbatch(submission, Nodes(), Slurm())})")
        expected.append((study.name, submission.out, submission.data))
    calls = run_script("\n".join(scripts))
    started = [call for call in calls if call[:4] == ["python", "-m", "tune_reg.cli", "run"]]
    received = []
    for call in started:
        path = tmp_path / call[call.index("run") + 1]
        received.append((Study.from_toml(path).name, call[call.index("--out") + 1], call[call.index("--data") + 1]))
    assert received == expected
    assert not list(tmp_path.rglob("was-here"))


def test_directives_hold_nothing_of_a_users_text(study_of, awkward_texts):
    for text in awkward_texts:
        script = sbatch(Submission(study_of(name=text), "out"), Nodes(), Slurm(partition="gpu", account="a-b"))
        head = script.partition("set -euo pipefail")[0]
        directives = [line for line in head.splitlines() if line.startswith("#SBATCH")]
        assert len(directives) == 12
        assert all(line.startswith("#") or not line for line in head.splitlines())
        (name,) = [line for line in directives if "--job-name" in line]
        assert name.partition("=")[2].replace("-", "").isalnum()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say(study_of, awkward_texts, tmp_path):
    for number, text in enumerate(["plain", *awkward_texts[:6]]):
        path = tmp_path / f"{number}.sh"
        submission = Submission(study_of(name=text), f"out/{text}", plugins={"my_plugin.py": b"x"})
        path.write_text(sbatch(submission, Nodes(gpus=1), Slurm()))
    done = subprocess.run(
        # SC2016 warns of $( ) in single quotes, which is what a path that holds it must be in.
        ["shellcheck", "--exclude=SC2016", *sorted(map(str, tmp_path.glob("*.sh")))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("time", ["9", "9:59", "0:09:59", "0-0:9"])
def test_a_time_limit_that_beginning_and_ending_would_use_up_is_refused(time):
    with pytest.raises(ClusterError, match=r"^--time: must be at least 10 minutes, but got"):
        Slurm(time=time)


@pytest.mark.parametrize("time", ["30", "30:00", "24:00:00", "2-12", "2-12:30", "2-12:30:15"])
def test_time_limits(time):
    Slurm(time=time)


@pytest.mark.parametrize(
    ("wrong", "option"),
    [({"time": "1h"}, "--time"), ({"partition": "a b"}, "--partition"), ({"account": "a\n#SBATCH"}, "--account")],
)
def test_a_mistake_is_one_line(wrong, option):
    with pytest.raises(ClusterError, match=f"^{option}: must"):
        Slurm(**wrong)
