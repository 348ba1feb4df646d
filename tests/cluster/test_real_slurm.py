"""The script on a real Slurm, with slurmctld, slurmd and munged, on two machines made of one.

The machines share a folder, and neither home nor /tmp. A job takes three minutes where ten other processes want the two
cores.
"""

import in_process
import machines
import pytest
import slurm_cluster
from digits import digits_study
from pages import commands
from plugins import load_regularizer, logged
from tables import everything

from tune_reg import load
from tune_reg.cluster import Nodes, Slurm, Submission, sbatch

pytestmark = pytest.mark.ray

REASON = machines.why_not() or slurm_cluster.why_not()
if REASON:
    pytest.skip(REASON, allow_module_level=True)

#: Only a test that fails waits for so long.
PATIENCE_S = 500
NODES = Nodes(count=2, cpus=1, memory_gb=2)

#: Writes down which epoch of which trial is begun; from the epoch ``last`` on, each trial waits until ``go`` is there.
GATED = """
begun = (float(strengths["strength"]), round(float(progress.epoch) * {epochs}))
if getattr(self, "begun", None) != begun:
    self.begun = begun
    with LOG.open("a") as log:
        log.write(f"{{begun[0]:g}} {{begun[1]}}\\n")
    while begun[1] >= {last} and not LOG.with_name("go").exists():
        time.sleep(0.1)
return strengths["strength"] * 0
"""
EPOCHS = 4


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    made = machines.Machines(tmp_path_factory.mktemp("shared"))
    try:
        yield slurm_cluster.SlurmCluster(made)
    finally:
        made.close()


@pytest.fixture
def folder(slurm, request):
    """A folder of this test's own, which both machines see."""
    made = slurm.machines.shared / f"{hash(request.node.name) % 10**8}"
    made.mkdir()
    return made


def gated(folder, name, *, last):
    """A study whose trials wait in the epoch ``last``, and its plugin."""
    strengths = [0.0, 0.001, 0.002]
    plugin = load_regularizer(folder, name, strengths, GATED.format(epochs=EPOCHS - 1, last=last))
    search = {"trials": len(strengths), "pruner": "none", "sampler": "grid"}
    training = {"epochs": EPOCHS, "batch_size": 256}
    return digits_study(regularizers=[name], search=search, training=training), plugin


def submitted(slurm, folder, study, plugins=()):
    """Write the script of a study and send it; the number of the job and the path of its log."""
    submission = Submission.read(study, "out", plugins=plugins)
    (folder / "sweep.sbatch").write_text(sbatch(submission, NODES, Slurm()))
    # Told 20 s before the end, so that the test need not wait for as long as a study is given.
    number = slurm.submit("sweep.sbatch", "--signal=B:USR1@20", cwd=folder)
    return number, folder / f"slurm-{number}.out"


def let_time_run_out(slurm, number):
    """Give a job that runs no more than about a minute from now."""
    hours, minutes, _ = slurm.job(number)["RunTime"].split(":")
    slurm.on("m1", "scontrol", "update", f"JobId={number}", f"TimeLimit={60 * int(hours) + int(minutes) + 1}")


def test_where_the_folder_is_not_shared_the_job_ends_with_one_line(slurm):
    slurm.on("m1", "mkdir", "-p", "/home/user/mine")
    script = slurm.machines.shared / "not_shared.sbatch"
    script.write_text(sbatch(Submission(digits_study(), "out"), NODES, Slurm()))
    number = slurm.submit(script, cwd="/home/user/mine")
    assert slurm.wait(number, patience_s=PATIENCE_S)["JobState"] == "FAILED"
    log = slurm.on("m1", "cat", f"/home/user/mine/slurm-{number}.out")
    ours = [line for line in log.splitlines() if line.startswith("tune-reg: ")]
    assert len(ours) == 1, log
    assert ours[0].startswith("tune-reg: node m2 does not see /home/user/mine/out/submitted/"), log
    assert ours[0].endswith("; call sbatch in a folder that all nodes share"), log


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE_S)
def test_the_commands_of_the_page_from_a_study_to_its_report(slurm, folder):
    (folder / "study.toml").write_text(digits_study().to_toml())
    smaller = [
        ("cifar10 --data data", "digits"),
        ("--nodes 4 --cpus-per-node 16 --gpus-per-node 4 --memory-gb-per-node 128", "--nodes 2 --cpus-per-node 1"),
        ("--partition gpu --account mine --data data", "--memory-gb-per-node 2"),
        ("sbatch sweep", "sbatch --wait sweep"),
    ]
    page = commands("clusters/slurm.md", 0, smaller)
    said = slurm.on("m1", "bash", "-e", "-c", page, cwd=folder, timeout=PATIENCE_S)
    log = "".join(path.read_text() for path in folder.glob("slurm-*.out"))
    assert load(folder / "out" / "mine").trials()["state"].to_pylist() == ["complete"] * 3, log
    assert (folder / "out" / "mine" / "report" / "index.html").exists(), said


@pytest.mark.slow
@pytest.mark.timeout(3 * PATIENCE_S)
def test_the_commands_of_the_page_for_several_studies_as_one_array(slurm, folder):
    for name in ("a", "b"):
        (folder / f"{name}.toml").write_text(digits_study(name=name).to_toml())
    smaller = [
        ("in a b c", "in a b"),
        ("--cpus-per-node 16 --memory-gb-per-node 64", "--cpus-per-node 1 --memory-gb-per-node 2"),
        ("--array=0-2%2", "--wait --array=0-1"),
    ]
    page = commands("clusters/slurm.md", 1, smaller)
    slurm.on("m1", "bash", "-e", "-c", page, cwd=folder, timeout=2 * PATIENCE_S)
    logs = sorted(folder.glob("slurm-*_*.out"))
    assert len(logs) == 2
    for name, log in zip(("a", "b"), logs, strict=True):
        results = load(folder / "out" / name)
        assert results.study()["name"] == name
        assert results.trials()["state"].to_pylist() == ["complete"] * 3, log.read_text()
        assert f"{name}: nn-2-small on digits" in log.read_text()


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE_S)
@pytest.mark.parametrize("way", ["time-is-up", "preempted"])
def test_a_job_that_is_ended_in_mid_study_goes_on_and_the_tables_are_those_of_an_undisturbed_one(slurm, folder, way):
    study, plugin = gated(folder, f"ended-as-{way}", last=2)
    number, log = submitted(slurm, folder, study, [plugin])
    # Two nodes of one processor: two trials have kept two epochs and wait in the third.
    slurm.wait_until(lambda: sum(int(epoch) == 2 for _, epoch in logged(folder)) == 2, PATIENCE_S)
    if way == "time-is-up":
        let_time_run_out(slurm, number)
    else:
        slurm.on("m1", "scontrol", "requeue", str(number))
    slurm.wait_until(lambda: slurm.job(number)["Restarts"] == "1", PATIENCE_S)
    assert way == "preempted" or "interrupted; " in log.read_text()
    (folder / "go").touch()
    slurm.on("m1", "scontrol", "update", f"JobId={number}", "TimeLimit=60")
    job = slurm.wait(number, patience_s=PATIENCE_S)
    assert (job["JobState"], job["ExitCode"], job["Restarts"]) == ("COMPLETED", "0:0", "1"), log.read_text()
    # Three trials and a confirmed run; what two trials had kept was not trained again, only what was interrupted. Each
    # start tries a step of the first epoch.
    epochs = [int(epoch) for _, epoch in logged(folder)]
    assert [epochs.count(epoch) for epoch in range(EPOCHS)] == [4 + 2, 4, 4 + 2, 4]
    undisturbed = in_process.run_study(study, folder / "undisturbed")
    assert everything(folder / "out") == everything(undisturbed.directory)
    assert not list((folder / "out").rglob("token"))


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE_S)
def test_time_in_which_nothing_was_trained_ends_the_job_for_good(slurm, folder):
    study, plugin = gated(folder, "too-short", last=0)
    number, log = submitted(slurm, folder, study, [plugin])
    slurm.wait_until(lambda: logged(folder), PATIENCE_S)
    let_time_run_out(slurm, number)
    job = slurm.wait(number, patience_s=PATIENCE_S)
    assert (job["JobState"], job["Restarts"]) == ("FAILED", "0"), log.read_text()
    assert log.read_text().splitlines()[-1] == (
        "tune-reg: nothing was trained in the time of this job, and it is not sent again; give it more with --time"
    )
