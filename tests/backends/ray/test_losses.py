"""What is said of nodes and processes that are lost, and which of Ray's messages are held back."""

import logging
from types import SimpleNamespace

import cloudpickle
import pytest
from ray._private import worker
from ray.core.generated.common_pb2 import NodeDeathInfo
from ray.exceptions import ActorDiedError, RayActorError, RayTaskError

from tune_reg.backends.ray.losses import LossWatch, own_words
from tune_reg.backends.ray.preemption import Preempted


class Watched:
    """A watch with a clock and nodes of its own, and what it has said."""

    def __init__(self, folder, *names):
        self.folder = folder
        self.nodes = [node(name) for name in names]
        self.time, self.said = 0.0, []
        self.silent = set()
        self.watch = LossWatch(
            self.said.append,
            nodes=lambda: self.nodes,
            answers=lambda node: node["NodeID"] not in self.silent,
            clock=lambda: self.time,
        )

    def after(self, seconds):
        self.time += seconds
        self.watch.on_step_begin(0, [])
        return self.said

    def fails(self, key, error):
        file = self.folder / key
        file.write_bytes(cloudpickle.dumps(error))
        trial = SimpleNamespace(config={"key": key}, pickled_error_file=str(file))
        self.watch.on_trial_recover(0, [], trial)


def node(name, alive=True, reason="UNEXPECTED_TERMINATION"):
    number = NodeDeathInfo.Reason.Value("UNSPECIFIED" if alive else reason)
    up = {"NodeID": name, "Alive": alive, "DeathReason": number}
    return {**up, "NodeManagerHostname": name, "NodeManagerAddress": "10.0.0.1"}


def test_a_lost_node_is_one_line_whatever_died_with_it(tmp_path):
    watched = Watched(tmp_path, "a", "b")
    assert watched.after(0) == []
    watched.fails("trial-1", ActorDiedError())
    watched.fails("trial-2", ActorDiedError())
    watched.nodes = [node("a"), node("b", alive=False)]
    line = "node b (10.0.0.1): is lost; its trials go on elsewhere, from their newest checkpoints"
    assert watched.after(5) == [line]
    assert watched.after(100) == [line]


def test_a_node_that_does_not_answer_after_a_process_died_is_lost_before_ray_says_so(tmp_path):
    watched = Watched(tmp_path, "a", "b")
    watched.after(0)
    watched.silent.add("b")
    assert watched.after(5) == []  # nothing has died: it is not asked
    watched.fails("trial-1", ActorDiedError())
    assert len(watched.after(5)) == 1
    watched.nodes = [node("a"), node("b", alive=False)]
    assert len(watched.after(5)) == 1


@pytest.mark.parametrize("reason", ["EXPECTED_TERMINATION", "AUTOSCALER_DRAIN_PREEMPTED", "AUTOSCALER_DRAIN_IDLE"])
def test_a_node_that_was_told_to_go_is_not_lost(tmp_path, reason):
    watched = Watched(tmp_path, "a", "b")
    watched.after(0)
    watched.nodes = [node("a"), node("b", alive=False, reason=reason)]
    assert watched.after(5) == []


def test_what_was_not_said_is_said_at_the_end(tmp_path):
    watched = Watched(tmp_path, "a")
    watched.after(0)
    watched.fails("trial-1", ActorDiedError())
    watched.watch.on_experiment_end([])
    (line,) = watched.said
    assert line.startswith("trial-1: its process died; ")


def test_a_process_that_died_alone_is_one_line_of_its_own(tmp_path):
    watched = Watched(tmp_path, "a")
    watched.after(0)
    watched.fails("trial-1", ActorDiedError())
    watched.fails("trial-2", Preempted())
    watched.fails("trial-3", RayTaskError("step", "which Tune prints", ValueError("mine")))
    assert watched.after(20) == []
    assert watched.after(20) == ["trial-1: its process died; it goes on in another one, from its newest checkpoint"]
    assert len(watched.after(100)) == 1


def test_nodes_that_were_never_up_are_not_lost(tmp_path):
    watched = Watched(tmp_path)
    watched.nodes = [node("before", alive=False), node("late")]
    watched.after(0)
    watched.nodes = [node("before", alive=False), node("late", alive=False)]
    (line,) = watched.after(5)
    assert line.startswith("node late ")


def test_rays_words_of_a_lost_node_are_held_back_and_nothing_else_is(capsys):
    def raylet_says(text):
        worker.print_to_stdstream({"lines": [text], "pid": "raylet", "is_err": False}, ignore_prefix=False)

    with own_words():
        print("the user's own")
        raylet_says("Raylet is terminated. Termination is unexpected. Last 20 lines of the Raylet logs:\n  - bytes: 0")
        raylet_says("The node with node id: 0a and address: 10.0.0.1 has been marked dead because")
        raylet_says("1 Workers (tasks / actors) killed due to memory pressure (OOM)")
    raylet_says("Raylet is terminated. This is not ours to hold back.")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "the user's own"
    assert [line.partition(" ")[2][:24] for line in lines[1:]] == [
        "1 Workers (tasks / actor",
        "Raylet is terminated. Th",
    ]


@pytest.mark.parametrize(
    ("error", "is_printed"),
    [(ActorDiedError(), False), (RayActorError(), False), (RayTaskError("step", "trace", ValueError("mine")), True)],
)
def test_traces_of_lost_processes_are_held_back_and_those_of_exceptions_are_not(error, is_printed):
    logger = logging.getLogger("ray.tune.execution.tune_controller")
    seen = []
    handler = logging.Handler()
    handler.emit = seen.append
    logger.addHandler(handler)
    try:
        with own_words():
            logger.error("Trial task failed for trial x", exc_info=error)
    finally:
        logger.removeHandler(handler)
    assert bool(seen) == is_printed
