"""A study as a Ray job: it is sent once, its log is read, and its end is waited for."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from tune_reg.backends.ray.authentication import NO_TOKEN, use_token
from tune_reg.cluster.submission import STUDY_FILE, Submission
from tune_reg.errors import ClusterError, one_line

#: Seconds between two looks at a job.
_POLL_S: Final = 2.0
#: Seconds that a cluster which has just started may need until it takes jobs.
_START_TIMEOUT_S: Final = 60.0
_FINAL_STATUSES: Final = ("SUCCEEDED", "FAILED", "STOPPED")


class Client(Protocol):
    """The part of ``ray.job_submission.JobSubmissionClient`` that is used."""

    def submit_job(self, *, entrypoint: str, submission_id: str, runtime_env: dict[str, Any]) -> str: ...  # noqa: D102
    def list_jobs(self) -> list[Any]: ...  # noqa: D102
    def get_job_info(self, job_id: str) -> Any: ...  # noqa: D102
    def get_job_logs(self, job_id: str) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Job:
    """A job on the cluster. ``new``: whether it was sent just now."""

    name: str
    status: str
    new: bool


def connect(address: str) -> Client:
    """The client of the Jobs API at ``http://HEAD:8265``. ``ClusterError`` where it cannot be reached or used."""
    if not address.startswith(("http://", "https://")):
        raise ClusterError(f"--address: must be http://HEAD:8265, the head's dashboard, but got {address!r}")
    from ray.exceptions import AuthenticationError

    use_token()
    try:
        from ray.job_submission import JobSubmissionClient

        client: Client = JobSubmissionClient(address)
    except AuthenticationError:
        raise ClusterError(f"--address {address}: {NO_TOKEN}") from None
    except (ImportError, RuntimeError) as error:
        if "ray[default]" in str(error) or isinstance(error, ImportError):
            raise ClusterError("submit: Ray's Jobs API is not installed; pip install 'tune-reg[cluster]'") from None
        raise ClusterError(f"--address {address}: {one_line(error)}") from None
    except ConnectionError as error:
        raise ClusterError(f"--address {address}: cannot be reached ({one_line(error)}); is the head up?") from None
    return client


def submit(client: Client, submission: Submission) -> Job:
    """Send a study as a job, or find the job that it was sent as before.

    The name of a job says what is run and where the results go, so that nothing runs twice: a job that waits, runs or
    has succeeded is returned as it is. A job that failed or was stopped is sent again, and goes on in its folder.
    ``ClusterError`` where a folder of the submission is relative: a job would resolve it in a folder of its own.
    """
    from ray.exceptions import AuthenticationError

    submission.refuse_relative()
    base = f"tune-reg-{submission.digest}"
    with _lost_head_is_one_line("nothing was sent"):
        statuses = {job.submission_id: str(job.status) for job in client.list_jobs()}
    attempt = 1
    while (name := base if attempt == 1 else f"{base}-{attempt}") in statuses:
        if statuses[name] not in ("FAILED", "STOPPED"):
            return Job(name, statuses[name], new=False)
        attempt += 1
    # Each part is quoted: Ray gives the line to a shell.
    entrypoint = shlex.join(submission.command())
    with tempfile.TemporaryDirectory(prefix="tune-reg-") as folder:
        (Path(folder) / STUDY_FILE).write_text(submission.study_text, encoding="utf-8")
        for plugin, content in submission.plugins.items():
            (Path(folder) / plugin).write_bytes(content)
        try:
            _submit_when_ready(client, entrypoint=entrypoint, submission_id=name, runtime_env={"working_dir": folder})
        except (AuthenticationError, RuntimeError) as error:
            if "already exists" in str(error):  # another process has sent it just now
                return Job(name, str(client.get_job_info(name).status), new=False)
            raise ClusterError(f"submit: the cluster refused the job ({one_line(error)})") from None
    return Job(name, "PENDING", new=True)


def wait(client: Client, name: str, *, on_poll: Callable[[], None] = lambda: None, poll_s: float = _POLL_S) -> str:
    """Wait until a job has ended; its final status: SUCCEEDED, FAILED or STOPPED.

    The status is read every ``poll_s`` seconds, and ``on_poll`` is called each time, after the last one too.
    """
    while True:
        with _lost_head_is_one_line():
            # The status comes first, so that ``on_poll`` sees what the job writes before its end.
            status = str(client.get_job_info(name).status)
        on_poll()
        if status in _FINAL_STATUSES:
            return status
        time.sleep(poll_s)


class Log:
    """The log of a job, read part by part."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        self._length = 0

    def new(self) -> str:
        """What the job has written since the last call."""
        with _lost_head_is_one_line():
            log = self._client.get_job_logs(self._name)
        part = log[self._length :]
        self._length = len(log)
        return part


def end_message(client: Client, name: str) -> str:
    """The cluster's message about how a job ended, in one line."""
    with _lost_head_is_one_line():
        return " ".join(str(client.get_job_info(name).message or "").split())


@contextmanager
def _lost_head_is_one_line(
    consequence: str = "the job goes on by itself, and the same command finds it",
) -> Iterator[None]:
    """Turn the errors of a head that does not answer, or not to us, into a ``ClusterError`` of one line."""
    from ray.exceptions import AuthenticationError

    try:
        yield
    except AuthenticationError:
        raise ClusterError(f"{NO_TOKEN}; {consequence}") from None
    except (RuntimeError, OSError) as error:
        raise ClusterError(f"the head does not answer ({one_line(error)}); {consequence}") from None


def _submit_when_ready(client: Client, **job: Any) -> None:
    """Send a job; on a cluster that has just started, try again until the agent that takes jobs is up."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            client.submit_job(**job)
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(1.0)
        else:
            return
