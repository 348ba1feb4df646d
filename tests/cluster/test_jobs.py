"""Jobs: what is sent, that nothing is sent twice, and what is shown."""

import builtins
import os
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.exceptions import AuthenticationError

from tune_reg import Study
from tune_reg.cluster import Submission, jobs
from tune_reg.errors import ClusterError


class Head:
    """A stand-in for a cluster's head. ``states``: status and log of a job, one pair for each time it is read."""

    def __init__(self, states=()):
        self.sent = []
        self.jobs = {}
        self.states = list(states)

    def submit_job(self, *, entrypoint, submission_id, runtime_env):
        folder = Path(runtime_env["working_dir"])
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        if submission_id in self.jobs:
            raise RuntimeError(f"Job with submission_id {submission_id} already exists.")
        self.sent.append((submission_id, entrypoint, files, set(runtime_env)))
        self.jobs[submission_id] = "PENDING"
        return submission_id

    def list_jobs(self):
        return [SimpleNamespace(submission_id=name, status=status) for name, status in self.jobs.items()]

    def get_job_info(self, job_id):
        if self.states:
            self.jobs[job_id] = self.states[0][0]
        return SimpleNamespace(status=self.jobs[job_id], message="the driver\nsaid no")

    def get_job_logs(self, job_id):
        return self.states.pop(0)[1] if len(self.states) > 1 else self.states[0][1]


@pytest.fixture
def submission(study_of):
    return Submission(study_of(name="a $(study)"), "/shared/$(out) 'here'", plugins={"my_plugin.py": b"x\r\n"})


def test_study_and_plugins_alone_travel_and_the_line_is_quoted(submission, tmp_path):
    head = Head()
    job = jobs.submit(head, submission)
    assert job == jobs.Job(f"tune-reg-{submission.digest}", "PENDING", new=True)
    ((_, entrypoint, files, keys),) = head.sent
    assert shlex.split(entrypoint) == submission.command()
    assert entrypoint.endswith("""--out '/shared/$(out) '"'"'here'"'"'' --address auto --plugin my_plugin.py""")
    assert set(files) == {"study.toml", "my_plugin.py"}
    assert files["my_plugin.py"] == b"x\r\n"
    (tmp_path / "study.toml").write_bytes(files["study.toml"])
    assert Study.from_toml(tmp_path / "study.toml").hash == submission.study.hash
    assert keys == {"working_dir"}  # no environment variable, and thus no secret in one


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "SUCCEEDED"])
def test_what_was_sent_is_not_sent_again(submission, status):
    head = Head()
    name = jobs.submit(head, submission).name
    head.jobs[name] = status
    assert jobs.submit(head, submission) == jobs.Job(name, status, new=False)
    assert len(head.sent) == 1


@pytest.mark.parametrize("status", ["FAILED", "STOPPED"])
def test_what_ended_early_is_sent_again_under_the_next_name(submission, status):
    head = Head()
    name = jobs.submit(head, submission).name
    head.jobs[name] = status
    second = jobs.submit(head, submission)
    assert second == jobs.Job(f"{name}-2", "PENDING", new=True)
    assert jobs.submit(head, submission) == jobs.Job(f"{name}-2", "PENDING", new=False)


def test_two_that_send_at_once_send_one_job(submission):
    head = Head()
    name = jobs.submit(head, submission).name
    head.list_jobs = list  # as the other one saw it, a moment before
    assert jobs.submit(head, submission) == jobs.Job(name, "PENDING", new=False)


def test_another_folder_or_study_is_another_job(submission, study_of):
    head = Head()
    jobs.submit(head, submission)
    jobs.submit(head, Submission(submission.study, "/shared/other"))
    jobs.submit(head, Submission(study_of(seed=1), submission.out))
    assert len({name for name, *_ in head.sent}) == 3


def test_a_log_is_shown_part_by_part():
    head = Head([("RUNNING", ""), ("RUNNING", "one\n"), ("RUNNING", "one\n"), ("FAILED", "one\ntwo\n")])
    log = jobs.Log(head, "job")
    assert [log.new() for _ in range(4)] == ["", "one\n", "", "two\n"]
    assert jobs.end_message(head, "job") == "the driver said no"


def test_wait_calls_on_poll_each_time_and_once_more_at_the_end():
    head = Head([("PENDING", ""), ("RUNNING", ""), ("SUCCEEDED", "")])
    statuses = []

    def on_poll():
        head.get_job_logs("job")  # the head goes on to its next state
        statuses.append(head.jobs["job"])

    assert jobs.wait(head, "job", on_poll=on_poll, poll_s=0) == "SUCCEEDED"
    assert statuses == ["PENDING", "RUNNING", "SUCCEEDED"]


def test_wait_ends_when_the_job_does():
    head = Head([("SUCCEEDED", "")])
    assert jobs.wait(head, "job", poll_s=0) == "SUCCEEDED"


def test_a_head_that_is_lost_is_one_line():
    head = Head()

    def lost(job_id):
        raise RuntimeError("Request failed\nwith 502")

    head.get_job_info = lost
    with pytest.raises(ClusterError, match=r"^the head does not answer \(Request failed with 502\); the job goes on"):
        jobs.wait(head, "job", poll_s=0)


def test_a_job_that_is_refused_is_one_line(submission):
    head = Head()

    def refuse(**_):
        raise RuntimeError("no\nroom")

    head.submit_job = refuse
    with pytest.raises(ClusterError, match=r"^submit: the cluster refused the job \(no room\)$"):
        jobs.submit(head, submission)


@pytest.mark.parametrize("address", ["HEAD:8265", "ray://HEAD:10001", "auto", "-x"])
def test_an_address_of_another_kind_is_refused(address):
    with pytest.raises(ClusterError, match=r"^--address: must be http://HEAD:8265"):
        jobs.connect(address)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    import_ = builtins.__import__

    def without(name, *rest):
        if name == "ray.job_submission":
            raise ImportError(name)
        return import_(name, *rest)

    monkeypatch.delitem(sys.modules, "ray.job_submission", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ClusterError, match=r"pip install 'tune-reg\[cluster\]'$"):
        jobs.connect("http://127.0.0.1:9")


def test_a_head_that_is_not_there_is_one_line():
    with pytest.raises(ClusterError) as error:
        jobs.connect("http://127.0.0.1:9")
    assert "\n" not in str(error.value)


def test_a_cluster_that_has_just_started_is_asked_again(monkeypatch):
    monkeypatch.setattr(jobs.time, "sleep", lambda _: None)
    outcomes = [RuntimeError("status code 500: No available agent to submit job"), None, RuntimeError("no room")]
    sent = []

    class StartingHead:
        def submit_job(self, **job):
            sent.append(job)
            error = outcomes.pop(0)
            if error is not None:
                raise error

    jobs._submit_when_ready(StartingHead(), submission_id="a")
    assert sent == [{"submission_id": "a"}] * 2
    with pytest.raises(RuntimeError, match="no room"):
        jobs._submit_when_ready(StartingHead(), submission_id="b")
    assert len(sent) == 3


def test_a_relative_folder_is_refused_before_anything_is_sent(study_of):
    head = Head()
    with pytest.raises(ClusterError, match=r"^--out: must be an absolute path"):
        jobs.submit(head, Submission(study_of(), "out"))
    assert head.sent == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            AuthenticationError("no token"),
            r"^the cluster asks for a token, .*copy ~/.ray/auth_token .*; nothing was sent$",
        ),
        (RuntimeError("Request failed with 500"), r"^the head does not answer \(.* 500\); nothing was sent$"),
    ],
)
def test_a_head_that_refuses_before_the_job_is_sent_has_got_nothing(submission, error, message):
    head = Head()

    def list_jobs():
        raise error

    head.list_jobs = list_jobs
    with pytest.raises(ClusterError, match=message):
        jobs.submit(head, submission)
    assert head.sent == []


def test_a_token_of_this_machine_is_shown_where_nothing_else_is_said(tmp_path, monkeypatch):
    from ray._raylet import AuthenticationTokenLoader

    from tune_reg.backends.ray.authentication import use_token

    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    try:
        AuthenticationTokenLoader.instance().reset_cache()
        with pytest.raises(ClusterError, match=r"^Ray's token: RAY_AUTH_TOKEN_PATH is set but file cannot be opened"):
            use_token()
        assert "RAY_AUTH_MODE" not in os.environ
        (tmp_path / "token").write_text("a" * 64)
        AuthenticationTokenLoader.instance().reset_cache()
        use_token()
        assert os.environ["RAY_AUTH_MODE"] == "token"
    finally:
        os.environ.pop("RAY_AUTH_MODE", None)
        AuthenticationTokenLoader.instance().reset_cache()
