"""Who can reach a Ray that a study starts, what is written down of a plugin, and submission of every kind."""

import hashlib
import os
import random
import shlex
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import yaml

from tune_reg.cluster import KubeRay, Nodes, Slurm, Submission, jobs, rayjob, sbatch
from tune_reg.data import load
from tune_reg.errors import TuneRegError
from tune_reg.execution.provenance import make_provenance
from tune_reg.study import make_plan

#: A program that asks the head node whether it is alive.
IS_ALIVE = """
import sys
from ray._raylet import GcsClient
print(GcsClient(address=sys.argv[1]).check_alive([], timeout=9))
"""


@pytest.mark.ray
def test_a_ray_that_a_study_starts_listens_on_loopback_alone(ray_cluster):
    psutil = pytest.importorskip("psutil")
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = [
        (process.name(), connection.laddr.ip)
        for process in family
        if process.is_running() and "ray" in " ".join([process.name(), *process.cmdline()])
        for connection in process.net_connections("tcp")
        if connection.status == "LISTEN"
    ]
    assert {name for name, _ in listening} >= {"raylet", "gcs_server"}
    assert {address.removeprefix("::ffff:") for _, address in listening} <= {"127.0.0.1", "::1"}


@pytest.mark.ray
@pytest.mark.parametrize("token", ["right", "wrong", "none"])
def test_who_has_no_token_is_refused(ray_cluster, tmp_path, token):
    import ray

    environment = {**os.environ}
    if token == "wrong":
        environment["RAY_AUTH_TOKEN"] = "0" * 64
    if token == "none":
        environment |= {"RAY_AUTH_MODE": "disabled", "HOME": str(tmp_path)}
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-c", IS_ALIVE, address]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (answer.returncode == 0) == (token == "right"), answer.stderr


def test_authentication_is_nowhere_switched_off():
    package = Path(jobs.__file__).parents[1]
    files = [path for path in package.rglob("*") if path.suffix in (".py", ".j2")]
    lines = [line for path in files for line in path.read_text().splitlines() if "RAY_AUTH_MODE" in line]
    assert [line.split()[:2] for line in lines] == [["export", "RAY_AUTH_MODE=token"]]


def test_plugins_are_named_and_hashed_in_provenance(study_of, tmp_path):
    plugin = tmp_path / "my_plugin.py"
    plugin.write_bytes(b"# \xc3\xa9 \r\n")
    plugins = make_provenance(make_plan(study_of()), load("digits"), [plugin])["plugins"]
    assert plugins == {"my_plugin.py": hashlib.sha256(b"# \xc3\xa9 \r\n").hexdigest()}


def strings(count, seed=0):
    """Texts of up to 30 characters: of those that are special to shells and YAML, of ASCII, and of all of Unicode."""
    rng = random.Random(seed)
    special = "'\"\\`$(){}[]<>|&;#!*?~^%@:,=-+/. \t\n\r\0"
    everything = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) != "Cs"]
    for number in range(count):
        source = (special, [chr(code) for code in range(128)], everything)[number % 3]
        yield "".join(rng.choice(source) for _ in range(rng.randint(1, 30)))


def accepted(make):
    """The result of ``make``; None where it refuses with an error of one line."""
    try:
        return make()
    except TuneRegError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return None


def test_whatever_is_given_arrives_as_it_was_or_is_refused(study_of):
    study, arrived = study_of(), {"out": 0, "plugin": 0, "image": 0, "partition": 0}
    for text in strings(600):
        submission = accepted(lambda: Submission(study, f"/storage/{text}", data=f"/storage/{text}"))  # noqa: B023
        if submission is not None:
            manifest = accepted(lambda: rayjob(submission, Nodes(), KubeRay()))  # noqa: B023
            if manifest is not None:
                config, _ = yaml.safe_load_all(manifest)
                words = shlex.split(config["data"]["run.sh"].splitlines()[-1])
                assert words[words.index("--out") + 1] == submission.out
            sent = shlex.split(shlex.join(submission.command()))
            assert sent[sent.index("--data") + 1] == submission.data
            arrived["out"] += 1
        if accepted(lambda: Submission(study, "/storage/a", plugins={text: b""})) is not None:  # noqa: B023
            assert text.isascii()
            assert shlex.quote(text) == text
            arrived["plugin"] += 1
        if (image := accepted(lambda: KubeRay(image=text))) is not None:  # noqa: B023
            _, job = yaml.safe_load_all(rayjob(Submission(study, "/storage/a"), Nodes(), image))
            head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
            assert head["image"] == text
            arrived["image"] += 1
        if (queue := accepted(lambda: Slurm(partition=text))) is not None:  # noqa: B023
            script = sbatch(Submission(study, "a"), Nodes(), queue)
            assert f"\n#SBATCH --partition={text}\n" in script
            arrived["partition"] += 1
    assert arrived["out"] > 50
    assert 0 < arrived["image"] < 300
    assert 0 < arrived["partition"] < 300
    assert arrived["plugin"] < 100
