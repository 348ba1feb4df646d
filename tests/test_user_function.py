import re
import sys

import pytest

from tune_reg.errors import StudyError
from tune_reg.user_function import import_function

OWN = """
class Nets:
    @staticmethod
    def small():
        return "small"

def twice(x):
    return 2 * x

number = 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a user's module, which the command is called in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    (tmp_path / "users_own_parts.py").write_text(OWN)
    (tmp_path / "users_broken_parts.py").write_text("raise RuntimeError('first line\\n  second line')\n")
    yield tmp_path
    for name in ("users_own_parts", "users_broken_parts"):
        sys.modules.pop(name, None)


def test_a_function_and_one_inside_a_class(here):
    assert import_function("users_own_parts:twice", "model")(4) == 8
    assert import_function("users_own_parts:Nets.small", "model")() == "small"
    assert import_function("os.path:join", "model")("a", "b") == "a/b"


def test_the_folder_comes_last_so_that_it_hides_nothing(here):
    import_function("users_own_parts:twice", "model")
    assert sys.path[-1] == str(here)
    import_function("users_own_parts:twice", "model")
    assert sys.path.count(str(here)) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("users_own_parts", "model 'users_own_parts' must be package.module:function"),
        (":twice", "model ':twice' must be package.module:function"),
        ("users_own_parts:", "model 'users_own_parts:' must be package.module:function"),
        ("no_such_module:f", "model 'no_such_module:f' cannot be imported (ModuleNotFoundError: No module named "),
        ("users_own_parts:thrice", "model 'users_own_parts:thrice' cannot be imported (AttributeError: "),
        ("users_own_parts:number", "model 'users_own_parts:number' must be a function, got a int"),
        (
            "users_broken_parts:f",
            "model 'users_broken_parts:f' cannot be imported (RuntimeError: first line second line (",
        ),
    ],
)
def test_what_is_wrong_is_one_line(here, name, message):
    with pytest.raises(StudyError, match=f"^{re.escape(message)}") as caught:
        import_function(name, "model")
    assert "\n" not in str(caught.value)
