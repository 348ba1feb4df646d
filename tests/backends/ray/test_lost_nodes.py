"""A cluster of three raylets on this machine, one of which dies; a trial that takes its process down."""

import pytest

from tune_reg import Study, load
from tune_reg.backends.ray.launch import run_study

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")]

#: Starting three raylets and a process for each trial took 100 s where ten other processes wanted the two cores. Only
#: a test that fails waits for so long.
PATIENCE_S = 300

#: Writes down each epoch once, and kills its process where the trial is above {deadly}. Before epoch 2 each trial waits
#: until the file ``go`` is there and does not name its process.
HOOK = """
    def weight_decay(self, strengths, progress):
        trial = strengths["strength"] * 1
        now = (float(trial), round(float(progress.epoch) * {last}))
        if getattr(self, "now", None) != now:
            self.now = now
            trace(*now)
            if trial > {deadly}:
                os.kill(os.getpid(), signal.SIGKILL)
            go = LOG.with_name("go")
            while now[1] == 2 and not (go.exists() and str(os.getpid()) not in go.read_text().split()):
                time.sleep(0.02)
        return strengths["strength"] * 0
"""
KEYS = {"name": "lost", "dataset": "digits", "model": "nn-2-small", "confirm": {"seeds": 1}}


@pytest.mark.timeout(2.5 * PATIENCE_S)
def test_the_trials_of_a_node_that_dies_go_on_elsewhere_from_their_checkpoints(
    tmp_path, traced_plugin, tune_reg_process, wait_for_trained
):
    from ray.cluster_utils import Cluster

    epochs, strengths = 8, [0.0, 0.001, 0.002, 0.003]
    plugin = traced_plugin("traced", strengths, HOOK.format(deadly=9, last=epochs - 1))
    search = {"trials": 4, "pruner": "none", "sampler": "grid"}
    training = {"epochs": epochs, "batch_size": 256}
    study = Study(**KEYS, regularizers=["traced"], search=search, training=training)
    (tmp_path / "study.toml").write_text(study.to_toml())
    out = tmp_path / "out"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    words = ["run", tmp_path / "study.toml", "--out", out, "--address", cluster.address, "--plugin", plugin.path]
    process = tune_reg_process(*words)
    try:
        raylets = {node.all_processes["raylet"][0].process.pid: node for node in cluster.worker_nodes}

        def waiting(rows):
            return next((row for row in rows if row.progress == 2 and row.raylet in raylets), None)

        lost = wait_for_trained(plugin, process, waiting, PATIENCE_S)
        cluster.remove_node(raylets[lost.raylet], allow_graceful=False)
        # The processes of the node outlive the raylet by a moment, as orphans. This one goes no further.
        (tmp_path / "go.new").write_text(str(lost.pid))
        (tmp_path / "go.new").rename(tmp_path / "go")
        output, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        cluster.shutdown()
    assert process.returncode == 0, output
    results = load(out)
    rows = results.trials().to_pylist()
    assert sorted(row["param_strength"] for row in rows) == strengths
    assert [(row["state"], row["epochs_trained"]) for row in rows] == [("complete", epochs)] * 4
    stored = [(row["trial"], row["epoch"]) for row in results.epochs().to_pylist() if row["stage"] == "search"]
    assert sorted(stored) == [(trial, epoch) for trial in range(4) for epoch in range(1, epochs + 1)]
    assert results.final()["state"].to_pylist() == ["complete"]
    # The trial that was on the node: gone on with in another process, from the two epochs that were kept.
    trained = [row for row in plugin.trained() if row.trial == lost.trial]
    assert [row.progress for row in trained if row.pid == lost.pid] == [0, 1, 2]
    elsewhere = [row.progress for row in trained if row.pid != lost.pid]
    # If it won, its confirmed run follows, from 0.
    assert elsewhere[: epochs - 2] == list(range(2, epochs))


@pytest.mark.slow
def test_a_trial_that_kills_its_process_again_and_again_is_given_up(tmp_path, traced_plugin, ray_cluster):
    plugin = traced_plugin("deadly", [0.0, 1.0], HOOK.format(deadly=0.5, last=1))
    keys = {
        "regularizers": ["deadly"],
        "search": {"trials": 2, "pruner": "none", "sampler": "grid"},
        "training": {"epochs": 2, "batch_size": 256},
        "resources": {"max_failures": 2},
    }
    results = run_study(Study(**KEYS, **keys), tmp_path / "out", plugins=[plugin.path])
    ends = {row["param_strength"]: (row["state"], row["reason"]) for row in results.trials().to_pylist()}
    assert ends[0.0] == ("complete", None)
    state, reason = ends[1.0]
    assert state == "failed"
    assert "died" in reason or reason == "its process ended without a word"
    assert len({row.pid for row in plugin.trained() if row.trial == 1.0}) == 3  # the first, and twice more
    assert results.final()["state"].to_pylist() == ["complete"]


@pytest.mark.parametrize("error", [None, "", "\n"])
def test_a_process_that_left_no_word_is_said_to_have_left_none(error):
    from types import SimpleNamespace

    from tune_reg.backends.ray.tune_adapters import failure_reason

    assert failure_reason(SimpleNamespace(get_error=lambda: error)) == "its process ended without a word"
