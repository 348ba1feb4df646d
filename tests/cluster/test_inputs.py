"""What travels to a cluster, and how it is named."""

import pytest

from tune_reg import Study
from tune_reg.cluster import Inputs, Nodes
from tune_reg.errors import ClusterError


def test_the_study_that_travels_is_the_one_that_was_given(made):
    inputs = Inputs(made(search={"trials": 3}), "out")
    import tomllib

    assert Study(**tomllib.loads(inputs.study_text)).hash == inputs.study.hash


def test_the_digest_names_study_folder_and_plugins(made):
    first = Inputs(made(), "out", plugins={"a.py": b"1"})
    assert first.digest == Inputs(made(), "out", plugins={"a.py": b"1"}).digest
    others = [
        Inputs(made(seed=1), "out", plugins={"a.py": b"1"}),
        Inputs(made(), "out2", plugins={"a.py": b"1"}),
        Inputs(made(), "out", plugins={"a.py": b"2"}),
        Inputs(made(), "out", plugins={"b.py": b"1"}),
        Inputs(made(), "out"),
    ]
    assert len({first.digest, *(other.digest for other in others)}) == 6


def test_what_a_trial_gets_does_not_change_the_name(made):
    assert Inputs(made(resources={"cpus": 2}), "out").digest == Inputs(made(), "out").digest


@pytest.mark.parametrize("out", ["", "a\nb", "a\0b", "--help", "a\u2028b"])
def test_a_path_that_no_shell_should_see_is_refused(made, out):
    with pytest.raises(ClusterError, match=r"^--out: must"):
        Inputs(made(), out)


@pytest.mark.parametrize("name", ["a b.py", "$(id).py", "-a.py", "../a.py", ".a.py", "a.sh", "a\n.py", "é.py"])
def test_a_plugin_with_a_strange_name_is_refused(made, name):
    with pytest.raises(ClusterError, match=r"^--plugin .*; rename it$"):
        Inputs(made(), "out", plugins={name: b""})


def test_plugins_are_read(made, tmp_path):
    (tmp_path / "a.py").write_bytes(b"x\r\n\xff")
    assert Inputs.read(made(), "out", plugins=[tmp_path / "a.py"]).plugins == {"a.py": b"x\r\n\xff"}
    with pytest.raises(ClusterError, match=r"another plugin is called a\.py, too"):
        Inputs.read(made(), "out", plugins=[tmp_path / "a.py", tmp_path / "." / "a.py"])
    with pytest.raises(ClusterError, match="cannot be read"):
        Inputs.read(made(), "out", plugins=[tmp_path / "b.py"])


def test_labels_are_dns_labels(made, nasty):
    import re

    for name in [*nasty, "x" * 80, "-" * 80]:
        if any(c in name for c in "\n\r\t"):
            continue
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?", Inputs(made(name=name), "out").label)


def test_nodes_that_cannot_hold_a_trial_are_refused(made):
    with pytest.raises(ClusterError, match=r"--gpus-per-node: must be >= resources.gpus .* but got 0"):
        Nodes().refuse_too_small(made(resources={"gpus": 0.5}))
    with pytest.raises(ClusterError, match="--nodes: must be >= 1, but got 0"):
        Nodes(count=0)
    Nodes(gpus=1).refuse_too_small(made(resources={"gpus": 0.5}))
