"""The script on a real Slurm, with slurmctld, slurmd and munged, on two machines made of one."""

import machines
import pytest
import slurm_cluster
from digits import digits_study
from in_process import carry_out
from tables import everything

from tune_reg.cluster import Nodes, Slurm, Submission, sbatch

pytestmark = [pytest.mark.ray]

REASON = machines.why_not() or slurm_cluster.why_not()
if REASON:
    pytest.skip(REASON, allow_module_level=True)

NODES = Nodes(count=2, cpus=1, memory_gb=2)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The folder that both machines see."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def slurm(shared):
    made = machines.Machines(shared)
    try:
        yield slurm_cluster.SlurmCluster(made)
    finally:
        made.close()


def test_a_study_from_sbatch_to_its_tables(slurm, shared):
    study = digits_study(search={"trials": 2, "pruner": "none", "sampler": "random"})
    (shared / "sweep.sbatch").write_text(sbatch(Submission(study, "out"), NODES, Slurm()))
    number = slurm.submit(shared / "sweep.sbatch", cwd=shared)
    job = slurm.wait(number, patience_s=240)
    log = (shared / f"slurm-{number}.out").read_text()
    print(log)
    assert job["JobState"] == "COMPLETED", log
