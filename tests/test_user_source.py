"""The digest of a user's source: what changes it, and what does not."""

import importlib
import sys

import pytest

from tune_reg.user_source import source_digest

FILES = {
    "parts/__init__.py": "",
    "parts/blocks.py": "WIDTH = 8\n\ndef block():\n    return WIDTH\n\ndef unused():\n    return 1\n",
    "helpers.py": "def scale(x):\n    return 2 * x\n",
    "nets.py": """
import math
from parts.blocks import block as make_block
import helpers

DEPTH = 3

def layer():
    return make_block() * DEPTH

class Net:
    def forward(self):
        return layer() + math.pi

def net(channels, image_size, classes):
    return Net()

def other():
    return helpers.scale(1)

def lazy():
    from helpers import scale
    return scale(1)

if __name__ == "__main__":
    print(net(1, 2, 3))
""",
}


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """The digest of a name of nets.py, after texts in the files were replaced."""
    monkeypatch.syspath_prepend(tmp_path)

    def digested(name="net", *replaced):
        for file, content in FILES.items():
            path = tmp_path / file
            path.parent.mkdir(exist_ok=True)
            text = content
            for where, old, new in replaced:
                assert where != file or old in text
                text = text.replace(old, new) if where == file else text
            path.write_bytes(text.encode())
        importlib.invalidate_caches()
        for module in [name for name in sys.modules if name.partition(".")[0] in ("parts", "helpers", "nets")]:
            del sys.modules[module]
        return source_digest(importlib.import_module("nets"), name)

    yield digested
    for module in [name for name in sys.modules if name.partition(".")[0] in ("parts", "helpers", "nets")]:
        del sys.modules[module]


@pytest.mark.parametrize(
    "change",
    [
        ("nets.py", "return Net()", "return Net( )"),
        ("nets.py", "math.pi", "math.e"),
        ("nets.py", "DEPTH = 3", "DEPTH = 4"),
        ("nets.py", "make_block() *", "make_block() +"),
        ("parts/blocks.py", "WIDTH = 8", "WIDTH = 9"),
        ("parts/blocks.py", "return WIDTH", "return -WIDTH"),
        ("nets.py", "import math", "import cmath as math"),
        ("nets.py", "DEPTH = 3", "DEPTH = 3\nfor _ in range(2):\n    DEPTH += 1"),
    ],
    ids=str,
)
def test_what_a_function_uses_changes_its_digest(digest, change):
    assert digest("net") != digest("net", change)


@pytest.mark.parametrize(
    "change",
    [
        ("nets.py", "DEPTH = 3", "DEPTH = 3  # layers\n\n# of them\n"),
        ("nets.py", "\n", "\r\n"),
        ("nets.py", "def other():\n    return helpers.scale(1)", "def another(trial):\n    return {}"),
        ("parts/blocks.py", "return 1", "return 2"),
        ("helpers.py", "2 * x", "3 * x"),
        ("nets.py", "print(net(1, 2, 3))", "print('hello')"),
    ],
    ids=str,
)
def test_comments_and_what_it_does_not_use_do_not(digest, change):
    assert digest("net") == digest("net", change)


@pytest.mark.parametrize("name", ["other", "lazy"])
def test_a_module_that_is_used_is_followed(digest, name):
    assert digest(name) != digest(name, ("helpers.py", "2 * x", "3 * x"))


def test_a_package_that_is_not_imported_is_not_imported_for_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slow_one").mkdir()
    (tmp_path / "slow_one" / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.setattr("tune_reg.user_source.is_the_users", lambda file: "slow_one" not in str(file))
    (tmp_path / "users_lazy_net.py").write_text("def net():\n    from slow_one import part\n    import slow_one.part\n")
    module = importlib.import_module("users_lazy_net")
    assert source_digest(module, "net") is not None
    assert "slow_one" not in sys.modules
    del sys.modules["users_lazy_net"]


def test_the_folder_of_a_file_is_no_part_of_it(digest, tmp_path, tmp_path_factory):
    here = digest("net")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for file, content in FILES.items():
        (elsewhere / file).parent.mkdir(exist_ok=True)
        (elsewhere / file).write_text(content)
    spec = importlib.util.spec_from_file_location("nets", elsewhere / "nets.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert source_digest(module, "net") == here


def test_code_of_packages_has_no_digest():
    import torch

    from tune_reg import regularizers

    assert source_digest(torch, "nn") is None
    assert source_digest(regularizers, "load_plugin") is None
