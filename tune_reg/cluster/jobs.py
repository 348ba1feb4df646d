"""A study as a Ray job: sent once, watched, waited for."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from tune_reg.cluster.inputs import STUDY_FILE, Inputs
from tune_reg.errors import ClusterError, one_line

#: So often a job that is waited for is looked at.
_LOOK_S: Final = 2.0
#: So long a cluster that has just started may need until it takes jobs.
_PATIENCE_S: Final = 60.0
_ENDED: Final = ("SUCCEEDED", "FAILED", "STOPPED")


class Client(Protocol):
    """What is used of ``ray.job_submission.JobSubmissionClient``."""

    def submit_job(self, *, entrypoint: str, submission_id: str, runtime_env: dict[str, Any]) -> str: ...  # noqa: D102
    def list_jobs(self) -> list[Any]: ...  # noqa: D102
    def get_job_info(self, job_id: str) -> Any: ...  # noqa: D102
    def get_job_logs(self, job_id: str) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Job:
    """A job on the cluster. ``new``: it was sent just now."""

    name: str
    status: str
    new: bool


def connect(address: str) -> Client:
    """The client of the Jobs API at ``http://HEAD:8265``. ``ClusterError`` where it cannot be reached or used."""
    if not address.startswith(("http://", "https://")):
        raise ClusterError(f"--address: must be http://HEAD:8265, the head's dashboard, but got {address!r}")
    try:
        from ray.job_submission import JobSubmissionClient

        client: Client = JobSubmissionClient(address)
    except (ImportError, RuntimeError) as error:
        if "ray[default]" in str(error) or isinstance(error, ImportError):
            raise ClusterError("submit: Ray's Jobs API is not installed; pip install 'tune-reg[cluster]'") from None
        raise ClusterError(f"--address {address}: {one_line(error)}") from None
    except ConnectionError as error:
        raise ClusterError(f"--address {address}: cannot be reached ({one_line(error)}); is the head up?") from None
    return client


def submit(client: Client, inputs: Inputs) -> Job:
    """Send the study, or find the job that it was sent as.

    Its name says what is run and where the results go, so that nothing runs twice: a job that waits, runs or has
    succeeded is given back as it is. One that failed or was stopped is sent again, and goes on in its folder.
    """
    base = f"tune-reg-{inputs.digest}"
    with _asking():
        known = {job.submission_id: str(job.status) for job in client.list_jobs()}
    attempt = 1
    while (name := base if attempt == 1 else f"{base}-{attempt}") in known:
        if known[name] not in ("FAILED", "STOPPED"):
            return Job(name, known[name], new=False)
        attempt += 1
    # Each part is quoted: Ray gives the line to a shell.
    entrypoint = shlex.join(inputs.command())
    with tempfile.TemporaryDirectory(prefix="tune-reg-") as folder:
        (Path(folder) / STUDY_FILE).write_text(inputs.study_text, encoding="utf-8")
        for plugin, content in inputs.plugins.items():
            (Path(folder) / plugin).write_bytes(content)
        try:
            _send(client, entrypoint=entrypoint, submission_id=name, runtime_env={"working_dir": folder})
        except RuntimeError as error:
            if "already exists" in str(error):  # sent from elsewhere in this very moment
                return Job(name, str(client.get_job_info(name).status), new=False)
            raise ClusterError(f"submit: the cluster refused the job ({one_line(error)})") from None
    return Job(name, "PENDING", new=True)


def wait(client: Client, name: str, *, look: Callable[[], None] = lambda: None, look_s: float = _LOOK_S) -> str:
    """Wait until the job has ended. Gives SUCCEEDED, FAILED or STOPPED. ``look`` is called at each look at the job."""
    while True:
        with _asking():
            # The status first: what the job writes before its end is then seen.
            status = str(client.get_job_info(name).status)
        look()
        if status in _ENDED:
            return status
        time.sleep(look_s)


class Log:
    """What a job writes, part by part."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        self._shown = 0

    def new(self) -> str:
        """What it has written since the last call."""
        with _asking():
            log = self._client.get_job_logs(self._name)
        new = log[self._shown :]
        self._shown = len(log)
        return new


def why(client: Client, name: str) -> str:
    """What the cluster says about how a job ended, in one line."""
    with _asking():
        return " ".join(str(client.get_job_info(name).message or "").split())


@contextmanager
def _asking() -> Iterator[None]:
    """What goes wrong while the head is asked is one line."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        raise ClusterError(
            f"the head does not answer ({one_line(error)}); the job goes on by itself, and the same command finds it"
        ) from None


def _send(client: Client, **job: Any) -> None:
    """Send a job; to a cluster that has just started, again until its agent listens."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            client.submit_job(**job)
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(1.0)
        else:
            return
