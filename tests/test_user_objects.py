"""What a study is given in Python, under names that other processes use."""

import sys
import threading

import pytest

from tune_reg import user_objects
from tune_reg.errors import StudyError
from tune_reg.user_function import import_function, name_of
from tune_reg.user_objects import OBJECTS, digest_of, get, is_kept_name, look_in, names_in, without_digest, written


@pytest.fixture
def another_process(monkeypatch):
    """Forgets all objects, as another process has none."""

    def forget():
        for table in ("_WRITTEN", "_OBJECTS", "_FOLDERS"):
            monkeypatch.setattr(user_objects, table, {})

    return forget


def stored(folder, name):
    file, data = written(name, "model")
    (folder / OBJECTS).mkdir(exist_ok=True)
    (folder / OBJECTS / file).write_bytes(data)


def test_another_process_finds_a_lambda_in_a_folder(tmp_path, another_process):
    width = 5
    name = name_of(lambda classes: classes * width, "model")
    assert (without_digest(name), len(digest_of(name)), is_kept_name(name)) == ("python:lambda", 16, True)
    stored(tmp_path, name)
    another_process()
    with pytest.raises(StudyError, match=r"model .* was given in Python, and its file lambda@.*\.pkl is in no folder"):
        import_function(name, "model")
    look_in(tmp_path / OBJECTS)
    assert import_function(name, "model")(2) == 10


def test_what_a_loop_makes_stays_as_it_was_made():
    names = [name_of(lambda: width, "model") for width in (1, 2)]  # noqa: B023
    assert [get(name, "model")() for name in names] == [1, 2]


def test_a_function_of_a_module_is_named_by_it_and_that_of_a_file_that_no_import_finds_is_not(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "found_nets.py").write_text("def net(): return 1\nmade = [lambda: 2]\n")
    import found_nets

    assert name_of(found_nets.net, "model") == "found_nets:net"
    assert is_kept_name(name_of(found_nets.made[0], "model"))
    monkeypatch.setattr(sys, "path", sys.path[1:])
    name = name_of(found_nets.net, "model")
    assert without_digest(name) == "python:net"
    monkeypatch.delitem(sys.modules, "found_nets")
    assert get(name, "model")() == 1


def test_names_in_a_folder(tmp_path):
    name = name_of(lambda: 1, "model")
    stored(tmp_path, name)
    assert list(names_in(tmp_path / OBJECTS, "lambda")) == [name]
    assert list(names_in(tmp_path / OBJECTS, ".regularizer")) == []


def test_what_cannot_travel_is_refused_in_one_line():
    lock = threading.Lock()
    with pytest.raises(StudyError, match=r"^model: lambda cannot be sent to the processes that train") as caught:
        name_of(lambda: lock, "model")
    assert "\n" not in str(caught.value)
