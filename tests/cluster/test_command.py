"""`submit`, `fetch` and `data fetch` as a user meets them."""

import pytest
import yaml

STUDY = """
name = "small: 'one'"
dataset = "digits"
model = "nn-2-small"
regularizers = ["weight-decay"]
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_kuberay_prints_a_manifest_and_nothing_else(tune_reg, study):
    code, out, err = tune_reg("submit", "--kuberay", study, "--nodes", 2, "--image", "me/tune-reg:1")
    assert (code, err) == (0, "")
    config, job = yaml.safe_load_all(out)
    assert job["kind"] == "RayJob"
    assert "--out /storage/small-one " in config["data"]["run.sh"]
    assert "--data /storage/data" in config["data"]["run.sh"]


def test_slurm_prints_a_script_and_nothing_else(tune_reg, study):
    code, out, err = tune_reg("submit", "--slurm", study, "--gpus-per-node", 2, "--time", "2-12")
    assert (code, err) == (0, "")
    assert out.startswith("#!/bin/bash\n")
    assert "#SBATCH --gres=gpu:2\n" in out
    assert "#SBATCH --time=2-12\n" in out
    assert " --out out/small-one --address auto &\n" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give one of --address http://HEAD:8265, --kuberay and --slurm"),
        (["--slurm", "--kuberay"], "give one of"),
        (["--slurm", "--image", "x"], "--image: means nothing with --slurm; drop it"),
        (["--kuberay", "--time", "1"], "--time: means nothing with --kuberay; drop it"),
        (["--kuberay", "--follow"], "--follow: means nothing with --kuberay; drop it"),
        (["--address", "http://h:1", "--out", "x", "--nodes", "2"], "--nodes: means nothing with --address; drop it"),
        (["--address", "http://h:1", "--out", "x", "--memory-gb-per-node", "2"], "--memory-gb-per-node: means nothing"),
        (["--address", "http://h:1"], "--out: is required with --address"),
        (["--address", "h:1", "--out", "x"], "--address: must be http://HEAD:8265"),
        (["--kuberay", "--out", "results"], "--out: must lie under /storage"),
        (["--slurm", "--out", "s3://key:hidden@b/x"], "--out: s3://...: credentials must not stand in a URL"),
        (["--kuberay", "--out", "s3://key:hidden@b/x"], "--out: s3://...: credentials must not stand in a URL"),
        (["--address", "http://h:1", "--out", "s3://key:hidden@b/x"], "--out: s3://...: credentials must not stand"),
        (["--slurm", "--out", "s5://b/x"], "--out: s5://b/x: no filesystem is known as s5://"),
        (["--slurm", "--data", "s3://key:hidden@b/x"], "--data: must be a folder on the cluster, but got s3://..."),
        (["--slurm", "--secret", "aws"], "--secret: means nothing with --slurm; drop it"),
        (["--slurm", "--nodes", "0"], "--nodes: must be >= 1, but got 0"),
        (["--slurm", "--plugin", "nowhere.py"], "nowhere.py: is no Python file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tune_reg, study, words, message):
    code, out, err = tune_reg("submit", study, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert "hidden" not in err


def test_a_study_that_is_wrong_is_never_sent(tune_reg, study):
    study.write_text(STUDY + "[search]\ntrials = 0")
    code, out, err = tune_reg("submit", study, "--slurm")
    assert (code, out) == (2, "")
    assert "search.trials: must be" in err


class Head:
    """A stand-in for the head of a cluster, whose only job has the given status."""

    def __init__(self, status):
        self.status = status
        self.sent = []

    def list_jobs(self):
        return []

    def submit_job(self, *, submission_id, **_):
        self.sent.append(submission_id)

    def get_job_info(self, job_id):
        from types import SimpleNamespace

        return SimpleNamespace(status=self.status, message="out of [memory]")

    def get_job_logs(self, job_id):
        return "trials 1/1 [done]\n"


@pytest.mark.parametrize(("status", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("STOPPED", 1)])
def test_the_exit_code_is_the_jobs(tune_reg, study, monkeypatch, status, code):
    from tune_reg.cluster import jobs

    head = Head(status)
    monkeypatch.setattr(jobs, "connect", lambda _: head)
    ended, out, _ = tune_reg("submit", study, "--address", "http://h:1", "--out", "/shared/x", "--follow")
    assert ended == code
    assert "trials 1/1 [done]\n" in out
    reason = "" if status == "SUCCEEDED" else "; out of [memory]"
    assert out.endswith(f"{head.sent[0]}: {status.lower()}{reason}\n")


def test_who_follows_reads_the_progress_from_the_results_where_they_can_be_seen(tune_reg, study, monkeypatch, tmp_path):
    """The job's folder comes to be while it is followed; until then its log is shown."""
    from tune_reg import Study
    from tune_reg.cluster import jobs
    from tune_reg.execution.controller import StudyController
    from tune_reg.execution.results_directory import claim
    from tune_reg.study import make_plan

    out = tmp_path / "out"
    declared = Study.from_toml(study)

    class Running(Head):
        polls = 0

        def get_job_info(self, job_id):
            self.polls += 1
            if self.polls == 2:
                out.mkdir()
                claim(out, declared)
                StudyController(make_plan(declared), out).next_run()
            self.status = "RUNNING" if self.polls < 4 else "SUCCEEDED"
            return super().get_job_info(job_id)

    head = Running("PENDING")
    monkeypatch.setattr(jobs, "connect", lambda _: head)
    monkeypatch.setattr(jobs.time, "sleep", lambda _: None)
    code, output, _ = tune_reg("submit", study, "--address", "http://h:1", "--out", out, "--follow")
    assert code == 0
    first, log, progress, last = output.splitlines()
    assert first.startswith(f"{head.sent[0]}: sent; results in {out}")
    assert log == "trials 1/1 [done]"
    assert progress.startswith(
        "trainings 0/16 (0 done, 0 pruned, 0 failed); 1 running or waiting; confirmed 0/5; 0 epochs"
    )
    assert last == f"{head.sent[0]}: succeeded"


@pytest.mark.parametrize("way", ["--follow", "--wait"])
def test_ctrl_c_leaves_the_job_running_and_says_so(tune_reg, study, monkeypatch, way):
    from tune_reg.cluster import jobs

    head = Head("RUNNING")
    monkeypatch.setattr(jobs, "connect", lambda _: head)

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs.time, "sleep", interrupted)
    code, out, _ = tune_reg("submit", study, "--address", "http://h:1", "--out", "/shared/x", way)
    assert code == 130
    command = f"tune-reg submit {study} --address http://h:1 --out /shared/x {way}"
    assert out.splitlines()[-1] == f"{head.sent[0]} goes on by itself; `{command}` finds it"


def test_without_waiting_it_ends_at_once(tune_reg, study, monkeypatch):
    from tune_reg.cluster import jobs

    head = Head("RUNNING")
    monkeypatch.setattr(jobs, "connect", lambda _: head)
    code, out, _ = tune_reg("submit", study, "--address", "http://h:1", "--out", "/shared/x")
    assert (code, out) == (0, f"{head.sent[0]}: sent; results in /shared/x there\n")


def test_data_fetch_checks_what_is_there(tune_reg):
    code, out, err = tune_reg("data", "fetch", "digits")
    assert (code, err) == (0, "")
    assert out.startswith("digits: 1,437 + 360 images, whole; ")
    assert "; md5 " in out


def test_data_fetch_of_an_unknown_name(tune_reg):
    code, _, err = tune_reg("data", "fetch", "digit")
    assert code == 2
    assert "did you mean 'digits'?" in err


def test_data_fetch_of_a_damaged_file(tune_reg, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in ("train-images", "train-labels", "t10k-images", "t10k-labels"):
        (folder / f"{name}-idx{3 if 'images' in name else 1}-ubyte").write_bytes(b"damaged")
    code, _, err = tune_reg("data", "fetch", "mnist", "--data", tmp_path)
    assert code == 2
    assert "is not the published file: its md5 is" in err
