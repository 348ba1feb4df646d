"""Clusters with a node that cannot do the work: without the package, the data set, or a way into the object store."""

import pytest
from digits import digits_study
from processes import start_python, wait_until
from s3_server import serving

from tune_reg import load

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")]

PATIENCE_S = 300

#: As on a machine where tune-reg is not installed.
WITHOUT = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tune_reg":
            raise ModuleNotFoundError("No module named 'tune_reg'", name=name)
sys.meta_path.insert(0, Without())
"""

#: Runs a study like the command, and prints the lines that a person is told.
RUN = """
import sys
from tune_reg.backends.ray.launch import run_study
from tune_reg.study import Study

study, out, address = sys.argv[1:]
run_study(Study.from_toml(study), out, address=address, note=lambda text: print("note:", text, flush=True))
"""


@pytest.mark.timeout(2 * PATIENCE_S)
def test_a_node_without_the_package_is_left_out_by_name_and_no_trial_fails(tmp_path, start_nodes):
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(WITHOUT)
    cluster = start_nodes(head_cpus=1, nodes=0)
    cluster.tell(f"add {tmp_path / 'without'}")
    study = digits_study(search={"trials": 3, "pruner": "none"}, training={"epochs": 2, "batch_size": 256})
    (tmp_path / "study.toml").write_text(study.to_toml())
    process = start_python("-c", RUN, tmp_path / "study.toml", tmp_path / "out", cluster.address)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    notes = [line for line in output.splitlines() if line.startswith("note: node ")]
    assert len(notes) == 1, output
    assert "left out: tune-reg cannot be used there (" in notes[0]
    assert {row["state"] for row in load(tmp_path / "out").trials().to_pylist()} == {"complete"}
    assert not list((tmp_path / "out").glob(".node-check*"))


@pytest.mark.timeout(2 * PATIENCE_S)
def test_credentials_that_the_driver_alone_has_are_one_line_before_anything_is_trained(tmp_path, start_nodes):
    (tmp_path / "study.toml").write_text(digits_study().to_toml())
    cluster = start_nodes(head_cpus=1, nodes=0)
    with serving():
        begun = start_python(
            "-m",
            "tune_reg.cli",
            "run",
            tmp_path / "study.toml",
            "--out",
            "s3://results/mine",
            "--address",
            cluster.address,
        )
        output, _ = begun.communicate(timeout=PATIENCE_S)
    assert begun.returncode == 2, output
    (line,) = [line for line in output.splitlines() if line.startswith("tune-reg: node ")]
    assert output.endswith(f"{line}\n")
    assert ": it cannot read s3://results/mine (" in line
    assert "; its processes need the store's credentials and endpoint: set them where Ray is started there" in line
    assert "Traceback" not in output
    assert len(output.splitlines()) < 12, output


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE_S)
def test_a_bad_node_that_joins_late_costs_no_trial(tmp_path, start_nodes):
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(WITHOUT)
    cluster = start_nodes(head_cpus=1, nodes=0)
    study = digits_study(search={"trials": 40, "pruner": "none"}, training={"epochs": 6, "batch_size": 256})
    (tmp_path / "study.toml").write_text(study.to_toml())
    process = start_python("-c", RUN, tmp_path / "study.toml", tmp_path / "out", cluster.address)
    wait_until(lambda: list((tmp_path / "out").glob("tables/trials/*.parquet")), process, PATIENCE_S)
    cluster.tell(f"add {tmp_path / 'without'}")
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    assert output.count("left out: tune-reg cannot be used there (") == 1, output
    assert {row["state"] for row in load(tmp_path / "out").trials().to_pylist()} == {"complete"}
