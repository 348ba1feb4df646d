"""What travels to a cluster, and how it is named."""

import re
import tomllib

import pytest

from tune_reg import Study
from tune_reg.cluster import Submission
from tune_reg.errors import ClusterError


def test_the_study_that_travels_is_the_one_that_was_given(study_of):
    submission = Submission(study_of(search={"trials": 3}), "out")
    assert Study(**tomllib.loads(submission.study_text)).hash == submission.study.hash


def test_the_digest_names_study_folder_and_plugins(study_of):
    first = Submission(study_of(), "out", plugins={"a.py": b"1"})
    assert first.digest == Submission(study_of(), "out", plugins={"a.py": b"1"}).digest
    others = [
        Submission(study_of(seed=1), "out", plugins={"a.py": b"1"}),
        Submission(study_of(), "out2", plugins={"a.py": b"1"}),
        Submission(study_of(), "out", plugins={"a.py": b"2"}),
        Submission(study_of(), "out", plugins={"b.py": b"1"}),
        Submission(study_of(), "out"),
    ]
    assert len({first.digest, *(other.digest for other in others)}) == 6


def test_what_a_trial_gets_does_not_change_the_name(study_of):
    assert Submission(study_of(resources={"cpus": 2}), "out").digest == Submission(study_of(), "out").digest


@pytest.mark.parametrize("out", ["", "a\nb", "a\0b", "--help", "a\u2028b"])
def test_a_path_that_no_shell_should_see_is_refused(study_of, out):
    with pytest.raises(ClusterError, match=r"^--out: must"):
        Submission(study_of(), out)


@pytest.mark.parametrize("name", ["a b.py", "$(id).py", "-a.py", "../a.py", ".a.py", "a.sh", "a\n.py", "é.py"])
def test_a_plugin_with_a_strange_name_is_refused(study_of, name):
    with pytest.raises(ClusterError, match=r"^--plugin .*; rename it$"):
        Submission(study_of(), "out", plugins={name: b""})


def test_plugins_are_read(study_of, tmp_path):
    (tmp_path / "a.py").write_bytes(b"x\r\n\xff")
    assert Submission.read(study_of(), "out", plugins=[tmp_path / "a.py"]).plugins == {"a.py": b"x\r\n\xff"}
    with pytest.raises(ClusterError, match=r"another plugin is called a\.py, too"):
        Submission.read(study_of(), "out", plugins=[tmp_path / "a.py", tmp_path / "." / "a.py"])
    with pytest.raises(ClusterError, match="cannot be read"):
        Submission.read(study_of(), "out", plugins=[tmp_path / "b.py"])


def test_labels_are_dns_labels(study_of, awkward_texts):
    for name in [*awkward_texts, "x" * 80, "-" * 80]:
        if any(c in name for c in "\n\r\t"):
            continue
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?", Submission(study_of(name=name), "out").label)


@pytest.mark.parametrize("out", ["out", "./out", "~/out"])
def test_a_job_takes_no_folder_that_is_another_one_on_each_node(study_of, out):
    with pytest.raises(ClusterError, match=r"^--out: must be an absolute path, .*, but got"):
        Submission(study_of(), out).refuse_relative()
    with pytest.raises(ClusterError, match=r"^--data: must be an absolute path"):
        Submission(study_of(), "s3://bucket/x", data=out).refuse_relative()
    Submission(study_of(), "/shared/out", data="/data").refuse_relative()
