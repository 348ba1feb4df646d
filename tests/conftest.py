import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import cuda_tests
import pytest
from headless import chromium

if TYPE_CHECKING:
    from tune_reg.data import Dataset

#: One browser for all tests of a process: playwright drives no second one beside it.
__all__ = ["chromium"]

# Before numpy and torch are imported: where several tests run at a time, threads of one wait for those of another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Ray gives its workers a low priority, at which other tests that run at the same time would starve them.
os.environ.setdefault("RAY_worker_niceness", "0")

import torch

# A script that starts the tests with "&" lets them, and all that they start, ignore Ctrl-C, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """A machine lent for its GPU may lack pytest-timeout, without which pyproject.toml has a setting too many."""
    if not pluginmanager.has_plugin("timeout"):
        parser.addini("timeout", "seconds that a test may take; nothing without pytest-timeout")


def pytest_configure(config: pytest.Config) -> None:
    if cuda_tests.only(config.option.markexpr):
        config.pluginmanager.register(cuda_tests.OnlyTheirFiles())


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.hookimpl(trylast=True)  # what is left out is left out by then
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start Ray come first: they take longest, and the others fill the cores while they wait."""
    with_ray = {item.path for item in items if item.get_closest_marker("ray")}
    items.sort(key=lambda item: item.path not in with_ray)
    for item in items:
        if item.get_closest_marker("cuda"):  # where Triton has no C compiler, the tests of its kernels fail alone
            item.add_marker(pytest.mark.filterwarnings("ignore:lanes. no kernel for"))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What all files have imported stays to the end: the garbage collector need not look through it again and again."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Let go of what was frozen: Triton prints all that is never collected."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors are slower on many threads, and sums then depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def figures_drawn_here() -> Iterator[None]:
    """Without processes of their own: other tests run on the other cores. It holds for fixtures of a session, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.exports.processes.cores", lambda: 0)
        yield


@pytest.fixture(scope="session", autouse=True)
def files_are_not_flushed() -> Iterator[None]:
    """A killed process loses nothing without it, and no test cuts the power; disks are slow where many files are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def tiny(request: pytest.FixtureRequest) -> "Dataset":
    """The first digits: as many training and test images as ``TINY`` of the test's module says, else 240 and 90."""
    from tune_reg.data import Dataset, load

    n_train, n_test = getattr(request.module, "TINY", (240, 90))
    digits = load("digits")
    return Dataset(
        "tiny",
        digits.train_images[:n_train],
        digits.train_labels[:n_train],
        digits.test_images[:n_test],
        digits.test_labels[:n_test],
        classes=10,
    )


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One Ray for all tests of the session that want one running."""
    from tune_reg.backends.ray.connection import ray_running

    with ray_running(None):
        yield


@pytest.fixture
def tune_reg(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command, in this process: its words to exit code, standard output and standard error."""
    from tune_reg import cli

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tune-reg", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out = capsys.readouterr()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return code, out.out, out.err

    return call
