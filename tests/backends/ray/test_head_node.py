"""A head node that is not there, and one that is lost: what is said, and how the command ends."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from digits import digits_study
from ray.exceptions import AuthenticationError

from tune_reg.backends.ray.head_node import reached
from tune_reg.errors import ClusterError

ROOT = Path(__file__).parents[3]

#: Watches a head node at the port that it is given, ten times as fast.
WATCHER = """
import sys, time
from tune_reg.backends.ray import head_node
head_node._INTERVAL_S /= 10
with head_node.watch_head(f"127.0.0.1:{sys.argv[1]}"):
    print("watches", flush=True)
    time.sleep(float(sys.argv[2]))
print("ended by itself", flush=True)
"""


def test_a_head_that_is_not_there_is_one_line_at_once_and_nothing_is_begun(tmp_path, tune_reg):
    (tmp_path / "study.toml").write_text(digits_study().to_toml())
    begin = time.monotonic()
    code, _, error = tune_reg("run", tmp_path / "study.toml", "--out", tmp_path / "out", "--address", "127.0.0.1:9")
    assert code == 2
    assert time.monotonic() - begin < 15
    assert error.startswith("tune-reg: --address 127.0.0.1:9: cannot be reached (")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["nonsense", "host:port", "nowhere.invalid:6379"])
def test_what_is_no_address_is_one_line(address):
    with pytest.raises(ClusterError, match=f"^--address {address}: cannot be reached") as error:
        reached(address)
    assert "\n" not in str(error.value)


def test_where_no_ray_runs_auto_is_refused(monkeypatch):
    monkeypatch.setattr("ray._private.services.canonicalize_bootstrap_address", lambda _: None)
    with pytest.raises(ClusterError, match=r"^--address auto: no Ray runs here; start one \(`ray start`\)"):
        reached("auto")


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server


def watcher(port, seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHER, str(port), str(seconds)],
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "watches\n"
    return process


def test_a_head_that_is_lost_ends_the_command_with_one_line(listener):
    port = listener.getsockname()[1]
    process = watcher(port, 100)
    listener.accept()[0].close()  # it was there
    listener.close()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err == (
        f"tune-reg: the head of the cluster, 127.0.0.1:{port}, is lost; give the command again, with the address of "
        "one that is up, and it goes on\n"
    )


def test_a_head_that_was_never_reached_from_here_is_not_watched(listener):
    port = listener.getsockname()[1]
    listener.close()
    out, err = watcher(port, 3).communicate(timeout=60)
    assert (out, err) == ("ended by itself\n", "")


def test_a_head_that_answers_is_left_alone(listener):
    out, err = watcher(listener.getsockname()[1], 1.5).communicate(timeout=60)
    assert (out, err) == ("ended by itself\n", "")


class Nodes:
    """What Ray's client says of a cluster's nodes, at the addresses that it is made with."""

    def __init__(self, *addresses, error=None):
        self.addresses, self.error = addresses, error

    def __call__(self, *, address):
        if self.error is not None:
            raise self.error
        return self

    def get_all_node_info(self):
        return {a: SimpleNamespace(node_manager_address=a, state=1, ALIVE=1) for a in self.addresses}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (Nodes("203.0.113.7", "127.0.0.1"), None),
        (Nodes("203.0.113.7"), r"this machine is no node of that cluster \(203.0.113.7\); give the command on one"),
        (Nodes(), r"this machine is no node of that cluster \(it has none\)"),
        (Nodes(error=AuthenticationError("no")), "the cluster asks for a token, and this machine has none that fits"),
        (Nodes(error=RuntimeError("another fault, which Ray's own connection names")), None),
    ],
)
def test_a_machine_that_is_no_node_or_has_no_token_is_told_so_before_ray_is_begun(monkeypatch, nodes, message):
    monkeypatch.setattr("ray._raylet.GcsClient", nodes)
    monkeypatch.setattr("tune_reg.backends.ray.head_node._reach", lambda *_: None)
    monkeypatch.setattr("tune_reg.backends.ray.head_node.use_token", lambda: None)
    if message is None:
        assert reached("127.0.0.1:6379").endswith(":6379")
    else:
        with pytest.raises(ClusterError, match=f"^--address 127.0.0.1:6379: {message}"):
            reached("127.0.0.1:6379")
