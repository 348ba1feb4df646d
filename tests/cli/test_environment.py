"""The command on a machine as it is: closed or full streams, encodings without letters, odd settings."""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

import tune_reg as package
from tune_reg.backends.ray import connection
from tune_reg.errors import ClusterError

ROOT = Path(package.__file__).parents[1]
COMMAND = f"{sys.executable} -m tune_reg.cli list models"


def shell(line: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", "| head -1"])
def test_closed_streams_leave_no_trace(tmp_path, streams):
    done = shell(f"{COMMAND} {streams}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_standard_output_is_one_line(tmp_path):
    done = shell(f"{COMMAND} > /dev/full", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in done.stderr


def test_settings_of_the_system_that_are_none_of_its_business(tmp_path):
    """All in one process: none of them hides what another one would break."""
    settings = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONOPTIMIZE": "2", "HOME": "/proc/none"}
    (tmp_path / "study.toml").write_text(
        'name = "Äöü"\ndataset = "digits"\nmodel = "nn-2-small"\nregularizers = ["l1"]\n', encoding="utf-8"
    )
    done = shell(f"{sys.executable} -m tune_reg.cli check study.toml", tmp_path, **settings)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_backend_of_a_notebook_is_not_used(tmp_path):
    code = "from analysis.exports.processes import spread; import os; print(spread(os.getenv, [('MPLBACKEND',)], 2))"
    done = shell(f'{sys.executable} -c "{code}"', tmp_path, MPLBACKEND="module://no_such.backend")
    assert (done.stdout, done.stderr) == ("['agg']\n", "")


@pytest.mark.parametrize(
    "name", ["RAY_TMPDIR", pytest.param("TMPDIR", marks=pytest.mark.skipif("sys.platform != 'linux'"))]
)
@pytest.mark.parametrize(
    ("folder", "rule"),
    [
        ("here", "must be an absolute path"),
        ("/tmp/büro", "must have ASCII letters only"),
        ("/tmp/" + "x" * 80, "must have at most 39 letters"),
        ("/proc/scratch", "must be a folder that can be written"),
    ],
)
def test_a_temporary_folder_that_ray_cannot_use_is_named(monkeypatch, name, folder, rule):
    for other in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, folder)
    with pytest.raises(ClusterError, match=f"^{name}: {rule}.*, but is '{folder}'; set it to another folder"):
        connection.refuse_temporary_folder()


def test_one_that_ray_can_use_is_not(monkeypatch):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/tmp")
    connection.refuse_temporary_folder()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), AssertionError(), RuntimeError("a\nb")])
def test_whatever_a_start_of_ray_raises_is_one_line(monkeypatch, error):
    import ray

    def init(**_: object) -> None:
        raise error

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setenv("RAY_worker_register_timeout_seconds", "1")
    monkeypatch.setenv("http_proxy", "http://name:secret@proxy")
    with pytest.raises(ClusterError) as caught, connection.ray_running(None):
        pass
    text = str(caught.value)
    assert text.startswith(f"Ray cannot be started on this machine ({type(error).__name__}")
    assert "RAY_worker_register_timeout_seconds" in text
    assert "http_proxy" in text
    assert "secret" not in text
    assert "\n" not in text


@pytest.mark.parametrize(("slow_starts", "is_running"), [(1, True), (2, False)])
def test_a_ray_that_a_busy_machine_starts_slowly_is_started_once_more(monkeypatch, slow_starts, is_running):
    import ray

    def init(**settings: object) -> None:
        starts.append(settings)
        if len(starts) <= slow_starts:
            raise RuntimeError("The current node timed out during startup.")

    starts: list[object] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.delenv("TMPDIR", raising=False)
    with nullcontext() if is_running else pytest.raises(ClusterError, match="timed out"), connection.ray_running(None):
        pass
    assert len(starts) == 2
    assert starts[0] == starts[1]


def test_ctrl_c_while_ray_stops_is_ignored(monkeypatch):
    import ray

    def shutdown() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        stopped.append(True)

    stopped: list[bool] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **_: None)
    monkeypatch.setattr(ray, "shutdown", shutdown)
    before = signal.getsignal(signal.SIGINT)
    with connection.ray_running(None):
        pass
    assert stopped == [True]
    assert signal.getsignal(signal.SIGINT) == before
