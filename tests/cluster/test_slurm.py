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

#: A stand-in for ``ray symmetric-run``, which runs the command behind ``--`` on the first node; and one for a study
#: that runs until a signal ends it.
RAY = '#!/bin/bash\n[[ $1 == symmetric-run ]] || exit 0\nwhile [[ $1 != -- ]]; do shift; done; shift; exec "$@"\n'
STUDY = (
    "#!/bin/bash\n[[ $* == *fetch* ]] && exit\ntrap 'exit {code}' TERM\ntouch {begun}\nwhile true; do sleep 0.1; done\n"
)


SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_JOB_NODELIST": "node-[a-b]",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_CPUS_PER_TASK": "4",
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
    run = ["sh", "-c", 'echo "$$" >"$0"; exec "$@"', f"{folder}/process", *run]
    symmetric = ["symmetric-run", "--address", "node-a:6379", "--min-nodes", "2", "--num-cpus", "8", "--num-gpus", "2"]
    assert calls == [
        ["srun", "--ntasks-per-node=1", *fetch],
        fetch[:1] + fetch[1:],
        ["ray", "get-auth-token", "--generate"],
        ["scontrol", "show", "hostnames", "node-[a-b]"],
        ["srun", "--ntasks-per-node=1", "--kill-on-bad-exit=0", "ray", *symmetric, "--", *run],
        ["ray", *symmetric, "--", *run],
    ]
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
    (call,) = [call for call in calls if call[:2] == ["ray", "symmetric-run"]]
    assert call[call.index("run") + 1] == f"{folder}/study.toml"
    assert call[call.index("--out") + 1] == submission.out
    assert Study.from_toml(tmp_path / folder / "study.toml").hash == submission.study.hash
    assert not list(tmp_path.glob("*:*"))


@pytest.mark.parametrize(("code", "requeued"), [(143, True), (0, False)])
def test_when_the_time_is_nearly_up_the_study_is_ended_and_goes_back_into_the_queue(
    study_of, run_script, tmp_path, code, requeued
):
    begun, log = tmp_path / "begun", tmp_path / "calls.txt"
    (tmp_path / "bin" / "python").write_text(STUDY.format(code=code, begun=shlex.quote(str(begun))))
    (tmp_path / "bin" / "ray").write_text(RAY)
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
    started = [call for call in calls if call[0] == "ray" and call[1] == "symmetric-run"]
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
