"""Two studies on one cluster: each has its share, and what waits for processors is said to wait."""

import pytest
from digits import digits_study
from plugins import load_regularizer, logged
from processes import start_command, wait_until

from tune_reg import load

#: Only a test that fails waits for so long.
PATIENCE_S = 300

#: Writes down which process trains which trial, and waits until ``go`` is there.
GATED = """
with LOG.open("a") as log:
    log.write(f"{strengths['strength']:g} {os.getpid()}\\n")
while not LOG.with_name("go").exists():
    time.sleep(0.05)
return strengths["strength"] * 0
"""


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(2.5 * PATIENCE_S)
def test_a_study_leaves_the_others_their_share_and_runs_that_wait_are_waiting(tmp_path, start_nodes):
    cluster = start_nodes(head_cpus=2, nodes=0)

    def start(name, share):
        folder = tmp_path / name
        folder.mkdir()
        strengths = [0.0, 0.001, 0.002]
        plugin = load_regularizer(folder, f"of-{name}", strengths, GATED)
        study = digits_study(
            regularizers=[f"of-{name}"],
            search={"trials": len(strengths), "pruner": "none", "sampler": "grid"},
            training={"epochs": 1, "batch_size": 256},
            resources={"share": share},
        )
        (folder / "study.toml").write_text(study.to_toml())
        words = ("--out", folder / "out", "--address", cluster.address, "--plugin", plugin)
        with (folder / "said.txt").open("w") as said:
            return start_command("run", folder / "study.toml", *words, stdout=said)

    def said(name):
        return (tmp_path / name / "said.txt").read_text()

    processes = [start("half", share=0.5)]
    try:
        wait_until(lambda: logged(tmp_path / "half"), processes[0], PATIENCE_S)
        processes.append(start("all", share=1.0))
        # Two processors: one is left to it, and its other trial waits for the one that the first study has.
        wait_until(lambda: "; 1 running, 1 waiting; " in said("all"), processes[1], PATIENCE_S)
        assert len(logged(tmp_path / "all")) == len(logged(tmp_path / "half")) == 1
        assert "; 1 running; " in said("half")
        for name in ("half", "all"):
            (tmp_path / name / "go").touch()
        for process in processes:
            process.wait(PATIENCE_S)
    finally:
        for process in processes:
            process.kill()
    for name, process in zip(("half", "all"), processes, strict=True):
        assert process.returncode == 0, said(name)
        assert load(tmp_path / name / "out").trials()["state"].to_pylist() == ["complete"] * 3
