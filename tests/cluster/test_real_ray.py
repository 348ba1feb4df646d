"""The pages' commands on a Ray cluster with a token, of two machines made of one: nodes join late, leave, lack data.

The machines share a folder, and neither home nor /tmp. Only the first has the token at first.
"""

import re
import time
from pathlib import Path

import in_process
import machines
import pytest
from digits import digits_study
from pages import commands
from plugins import EVERY_STEP, load_regularizer, logged
from processes import wait_until
from tables import everything

from tune_reg import load

pytestmark = [pytest.mark.ray, pytest.mark.slow]

REASON = machines.why_not()
if REASON:
    pytest.skip(REASON, allow_module_level=True)

#: Only a test that fails waits for so long.
PATIENCE_S = 400
ONE_CPU = ("--port=6379", "--port=6379 --num-cpus=1 --object-store-memory=100000000")
JOIN_ONE_CPU = ("--address=HEAD:6379", "--address=m1:6379 --num-cpus=1 --object-store-memory=100000000")

#: Writes down which machine trains which step of which trial. The first machine waits in its second epoch until ``go``
#: is there; the second one takes its time.
SLOW = """
trial, step = float(strengths["strength"]), round(float(progress.step) * {steps})
here = os.uname().nodename
with LOG.open("a") as log:
    log.write(f"{{trial:g}} {{step}} {{here}}\\n")
while here == "m1" and step >= 14 and not LOG.with_name("go").exists():
    time.sleep(0.1)
time.sleep(0.5 if here == "m2" else 0)
return images
"""
EPOCHS = 3
STEPS = 12 * EPOCHS  # 1,437 digits, a sixth of which validates, in batches of 100


@pytest.fixture
def pair(tmp_path):
    made = machines.Machines(tmp_path)
    try:
        yield made
    finally:
        made.close()


def start_head(pair):
    """The page's commands for the head; the token is then on the other machine, too, as the page has it copied."""
    pair.run("m1", "bash", "-e", "-c", commands("clusters/ray.md", 1, [ONE_CPU]))
    token = pair.run("m1", "cat", ".ray/auth_token")
    pair.run("m2", "sh", "-c", f"umask 077; mkdir -p .ray; printf %s '{token.strip()}' >.ray/auth_token")


def run_page(pair, plugin=None):
    """The page's command for a study, on the head."""
    words = [("study.toml", f"{pair.shared}/study.toml"), ("/shared/mine", f"{pair.shared}/out")]
    line = commands("clusters/ray.md", 3, words).strip()
    return pair.start("m1", "bash", "-c", f"exec {line}" + (f" --plugin {plugin}" if plugin else ""))


@pytest.mark.timeout(3 * PATIENCE_S)
@pytest.mark.parametrize("way", ["sigterm", "drain-node"])
def test_a_node_joins_late_by_the_token_and_leaves_when_it_is_told(pair, way):
    folder, strengths = pair.shared, [0.0, 0.001, 0.002]
    name = f"leaving-by-{way}"
    plugin = load_regularizer(folder, name, strengths, SLOW.format(steps=STEPS), hook=EVERY_STEP)
    study = digits_study(
        regularizers=[name],
        search={"trials": len(strengths), "pruner": "none", "sampler": "grid"},
        training={"epochs": EPOCHS, "batch_size": 100},
        resources={"max_failures": 0},  # a node that is told to leave is no failure
    )
    (folder / "study.toml").write_text(study.to_toml())
    start_head(pair)
    run = run_page(pair, plugin)
    wait_until(lambda: logged(folder), run, PATIENCE_S)
    join = commands("clusters/ray.md", 2, [JOIN_ONE_CPU]).strip()
    node = pair.start("m2", "bash", "-c", f"exec env {join} --block >/dev/null 2>&1")

    def late():
        return next((trial for trial, step, host in logged(folder) if host == "m2" and int(step) >= 16), None)

    trial = wait_until(late, run, PATIENCE_S)
    if way == "sigterm":
        pair.run("m2", "kill", "-TERM", *pair.run("m2", "pgrep", "-f", "bin/ray start").split())
    else:
        listed = pair.run("m1", "python", "-c", _NODES)
        (identifier,) = re.findall(r"^(\w+) 10\.77\.0\.2$", listed, re.MULTILINE)
        words = [("HEAD", "m1"), ("NODE ", f"{identifier} ")]
        pair.run("m1", "bash", "-c", commands("clusters/spot.md", 1, words))
    time.sleep(10)
    (folder / "go").touch()
    output, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, output
    rows = [(int(step), host) for strength, step, host in logged(folder) if strength == trial][:STEPS]
    assert [step for step, _ in rows] == list(range(STEPS)), "each step once, in order"
    assert len({host for _, host in rows}) == 2, "on two machines"
    assert "Traceback" not in output
    assert "is lost" not in output
    node.kill()
    node.communicate()
    assert everything(folder / "out") == everything(in_process.run_study(study, folder / "undisturbed").directory)


_NODES = """
import ray
ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
for node in ray.nodes():
    print(node["NodeID"], node["NodeManagerAddress"])
"""


@pytest.mark.timeout(2 * PATIENCE_S)
def test_a_node_that_lacks_the_data_set_is_left_out_and_who_has_no_token_does_not_join(pair):
    import sklearn

    (pair.shared / "study.toml").write_text(digits_study().to_toml())
    start_head(pair)
    join = commands("clusters/ray.md", 2, [JOIN_ONE_CPU]).strip()
    refused = pair.run("m2", "bash", "-c", f"rm -r .ray/; timeout 60 env {join}; echo ended with $?", check=False)
    assert not refused.endswith("ended with 0\n"), refused
    token = pair.run("m1", "cat", ".ray/auth_token")
    pair.run("m2", "sh", "-c", f"umask 077; mkdir -p .ray; printf %s '{token.strip()}' >.ray/auth_token")
    # The digits lie in a package, which the second machine has without them.
    pair.run("m2", "mount", "-t", "tmpfs", "tmpfs", str(Path(sklearn.__file__).parent / "datasets" / "data"))
    pair.run("m2", "bash", "-c", f"env {join}")
    run = run_page(pair)
    output, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, output
    (line,) = [line for line in output.splitlines() if "left out" in line]
    assert "node m2 (10.77.0.2): left out: it lacks the data set (" in line
    assert load(pair.shared / "out").trials()["state"].to_pylist() == ["complete"] * 3
