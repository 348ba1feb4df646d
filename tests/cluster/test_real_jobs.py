"""A study sent to a real head node through its Jobs API, and its results fetched through Ray."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tune_reg import load

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("aiohttp_cors", "opencensus", "grpc")),
        reason="needs ray[default]",
    ),
]


#: A regularizer with a new name, which shows that the cluster found the plugin.
PLUGIN = """
from tune_reg.regularizers import register
from tune_reg.regularizers.weight_decay import WeightDecay

@register
class Renamed(WeightDecay):
    name = "renamed"
"""

#: A program that starts a cluster, prints its address, and ends when its input ends. It needs a process of its own,
#: because that of the tests has a Ray.
HEAD = """
import sys
from ray.cluster_utils import Cluster
arguments = {"num_cpus": 2, "include_dashboard": True, "dashboard_port": 0, "ray_client_server_port": int(sys.argv[1])}
cluster = Cluster(initialize_head=True, head_node_args=arguments)
print("UP", cluster.head_node.webui_url, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture
def head(tmp_path):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD, str(port)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout:
            if line.startswith("UP "):
                break
        else:
            pytest.fail("the head did not start")
        yield f"http://{line.split()[1]}", f"ray://127.0.0.1:{port}"
    finally:
        process.communicate("")


def tune_reg(*words):
    """Run the command in a process of its own: Ray's connections stay open in it."""
    command = [sys.executable, "-m", "tune_reg.cli", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.slow
def test_sent_once_followed_and_fetched(head, tmp_path):
    http, ray = head
    (tmp_path / "renamed.py").write_text(PLUGIN)
    study = tmp_path / "study.toml"
    study.write_text(
        """
        name = "a 'job' of $(renamed)"
        dataset = "digits"
        model = "nn-2-small"
        regularizers = ["weight-decay", "renamed"]
        training = { epochs = 1, batch_size = 64 }
        search = { trials = 1 }
        confirm = { seeds = 1 }
        """
    )
    remote = tmp_path / "remote $(x)"
    words = ["submit", study, "--address", http, "--out", remote, "--plugin", tmp_path / "renamed.py"]
    first = tune_reg(*words, "--follow")
    if "No available agent" in first.stderr:
        pytest.skip("Ray's agent that takes jobs did not come up on this machine within a minute")
    assert first.returncode == 0, first.stdout + first.stderr
    name = re.match(r"(tune-reg-[0-9a-f]{16}): sent; ", first.stdout)[1]
    assert "confirmed 2/2" in first.stdout
    assert first.stdout.endswith(f"{name}: succeeded\n")
    again = tune_reg(*words, "--wait")
    assert again.stdout.startswith(f"{name}: was sent before, succeeded; ")
    assert again.returncode == 0, again.stdout + again.stderr
    home = tune_reg("fetch", remote, "--address", ray, "--out", tmp_path / "home")
    assert home.returncode == 0, home.stdout + home.stderr
    results = load(tmp_path / "home")
    assert results.study()["name"] == "a 'job' of $(renamed)"
    assert sorted(results.final()["regularizer"].to_pylist()) == ["renamed", "weight-decay"]
    assert list(results.provenance()["plugins"]) == ["renamed.py"]
    token = Path("~/.ray/auth_token").expanduser()
    if token.exists():
        secret = token.read_bytes().strip()
        files = [path for path in remote.rglob("*") if path.is_file()]
        assert files
        assert not any(secret in path.read_bytes() for path in files)
        assert secret.decode() not in first.stdout + again.stdout + home.stdout
    missing = tune_reg("fetch", tmp_path / "nowhere", "--address", ray, "--out", tmp_path / "home2")
    assert missing.returncode == 2
    assert "holds no study on the cluster" in missing.stderr
    assert missing.stderr.count("\n") == 1, missing.stderr
