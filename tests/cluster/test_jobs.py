"""Jobs: what is sent, that nothing is sent twice, and what is shown."""

import builtins
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tune_reg import Study
from tune_reg.cluster import Inputs, jobs
from tune_reg.errors import ClusterError


class Head:
    """A cluster's head, played. ``script``: what each look at a job shows."""

    def __init__(self, script=()):
        self.sent = []
        self.jobs = {}
        self.script = list(script)

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
        if self.script:
            self.jobs[job_id] = self.script[0][0]
        return SimpleNamespace(status=self.jobs[job_id], message="the driver\nsaid no")

    def get_job_logs(self, job_id):
        return self.script.pop(0)[1] if len(self.script) > 1 else self.script[0][1]


@pytest.fixture
def inputs(made):
    return Inputs(made(name="a $(study)"), "/shared/$(out) 'here'", plugins={"own.py": b"x\r\n"})


def test_study_and_plugins_alone_travel_and_the_line_is_quoted(inputs, tmp_path):
    head = Head()
    job = jobs.submit(head, inputs)
    assert job == jobs.Job(f"tune-reg-{inputs.digest}", "PENDING", new=True)
    ((_, entrypoint, files, keys),) = head.sent
    assert shlex.split(entrypoint) == inputs.command()
    assert entrypoint.endswith("""--out '/shared/$(out) '"'"'here'"'"'' --address auto --plugin own.py""")
    assert set(files) == {"study.toml", "own.py"}
    assert files["own.py"] == b"x\r\n"
    (tmp_path / "study.toml").write_bytes(files["study.toml"])
    assert Study.from_toml(tmp_path / "study.toml").hash == inputs.study.hash
    assert keys == {"working_dir"}  # no environment variable, and thus no secret in one


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "SUCCEEDED"])
def test_what_was_sent_is_not_sent_again(inputs, status):
    head = Head()
    name = jobs.submit(head, inputs).name
    head.jobs[name] = status
    assert jobs.submit(head, inputs) == jobs.Job(name, status, new=False)
    assert len(head.sent) == 1


@pytest.mark.parametrize("status", ["FAILED", "STOPPED"])
def test_what_ended_early_is_sent_again_under_the_next_name(inputs, status):
    head = Head()
    name = jobs.submit(head, inputs).name
    head.jobs[name] = status
    second = jobs.submit(head, inputs)
    assert second == jobs.Job(f"{name}-2", "PENDING", new=True)
    assert jobs.submit(head, inputs) == jobs.Job(f"{name}-2", "PENDING", new=False)


def test_two_that_send_at_once_send_one_job(inputs):
    head = Head()
    name = jobs.submit(head, inputs).name
    head.list_jobs = list  # as the other one saw it, a moment before
    assert jobs.submit(head, inputs) == jobs.Job(name, "PENDING", new=False)


def test_another_folder_or_study_is_another_job(inputs, made):
    head = Head()
    jobs.submit(head, inputs)
    jobs.submit(head, Inputs(inputs.study, "/shared/other"))
    jobs.submit(head, Inputs(made(seed=1), inputs.out))
    assert len({name for name, *_ in head.sent}) == 3


def test_a_log_is_shown_part_by_part():
    head = Head([("RUNNING", ""), ("RUNNING", "one\n"), ("RUNNING", "one\n"), ("FAILED", "one\ntwo\n")])
    log = jobs.Log(head, "job")
    assert [log.new() for _ in range(4)] == ["", "one\n", "", "two\n"]
    assert jobs.why(head, "job") == "the driver said no"


def test_what_waits_looks_each_time_and_once_more_at_the_end():
    head = Head([("PENDING", ""), ("RUNNING", ""), ("SUCCEEDED", "")])
    seen = []

    def look():
        head.get_job_logs("job")  # the head's script goes on
        seen.append(head.jobs["job"])

    assert jobs.wait(head, "job", look=look, look_s=0) == "SUCCEEDED"
    assert seen == ["PENDING", "RUNNING", "SUCCEEDED"]


def test_wait_ends_when_the_job_does():
    head = Head([("SUCCEEDED", "")])
    assert jobs.wait(head, "job", look_s=0) == "SUCCEEDED"


def test_a_head_that_is_lost_is_one_line():
    head = Head()

    def lost(job_id):
        raise RuntimeError("Request failed\nwith 502")

    head.get_job_info = lost
    with pytest.raises(ClusterError, match=r"^the head does not answer \(Request failed with 502\); the job goes on"):
        jobs.wait(head, "job", look_s=0)


def test_a_job_that_is_refused_is_one_line(inputs):
    head = Head()

    def refuse(**_):
        raise RuntimeError("no\nroom")

    head.submit_job = refuse
    with pytest.raises(ClusterError, match=r"^submit: the cluster refused the job \(no room\)$"):
        jobs.submit(head, inputs)


@pytest.mark.parametrize("address", ["HEAD:8265", "ray://HEAD:10001", "auto", "-x"])
def test_an_address_of_another_kind_is_refused(address):
    with pytest.raises(ClusterError, match=r"^--address: must be http://HEAD:8265"):
        jobs.connect(address)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    whole = builtins.__import__

    def without(name, *rest):
        if name == "ray.job_submission":
            raise ImportError(name)
        return whole(name, *rest)

    monkeypatch.delitem(sys.modules, "ray.job_submission", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ClusterError, match=r"pip install 'tune-reg\[cluster\]'$"):
        jobs.connect("http://127.0.0.1:9")


def test_a_head_that_is_not_there_is_one_line():
    with pytest.raises(ClusterError) as error:
        jobs.connect("http://127.0.0.1:9")
    assert "\n" not in str(error.value)


def test_a_cluster_that_has_just_started_is_asked_again(monkeypatch):
    from tune_reg.cluster import jobs

    monkeypatch.setattr(jobs.time, "sleep", lambda _: None)
    answers = [RuntimeError("status code 500: No available agent to submit job"), None, RuntimeError("no room")]
    sent = []

    class Fresh:
        def submit_job(self, **job):
            sent.append(job)
            answer = answers.pop(0)
            if answer is not None:
                raise answer

    jobs._send(Fresh(), submission_id="a")
    assert sent == [{"submission_id": "a"}] * 2
    with pytest.raises(RuntimeError, match="no room"):
        jobs._send(Fresh(), submission_id="b")
    assert len(sent) == 3
