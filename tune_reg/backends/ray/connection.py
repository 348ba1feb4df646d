"""A Ray for a study: connected to, or started on this machine and stopped again."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_AS, RLIMIT_FSIZE, getrlimit
from typing import Any, Final

from tune_reg.backends.ray.process_watcher import unmark, watched
from tune_reg.errors import ClusterError, one_line

#: Before Ray is imported or started: quiet, and no thread of a numerical library beyond a trial's share.
_ENVIRONMENT: Final = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    # Tune's own logs of results would be written for nobody: the store has them.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ctrl-C ends the run at once: what is finished is stored and what is running goes on from its checkpoints.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # The searcher itself holds back.
    "TUNE_MAX_PENDING_TRIALS_PG": str(2**20),
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Large activations come and go in every step; handing them back to the system costs page faults.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}

#: Where Ray puts its files and sockets, the first that is set.
_TEMPORARY: Final = ("RAY_TMPDIR", "TMPDIR") if sys.platform == "linux" else ("RAY_TMPDIR",)
#: A socket's path has 107 bytes, of which Ray takes these for itself.
_LONGEST_FOLDER: Final = 107 - len("/ray/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store")
#: Limits of memory and of the size of files that a start of Ray can fail by, by their letter in ``ulimit``.
_LIMITS: Final = {"v": RLIMIT_AS, "f": RLIMIT_FSIZE}
#: A part of what Ray raises where its own processes are not there after 30 s, a time that cannot be set.
_SLOW_START: Final = "timed out during startup"
#: Settings of the system that it can fail by.
_SUSPECTS: Final = (*_TEMPORARY, "HOME", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


@contextmanager
def ray_running(address: str | None) -> Iterator[None]:
    """Ray, started on this machine if it is not running; what was started here is stopped again."""
    given = sorted(name for name in os.environ if name in _SUSPECTS or name.startswith("RAY_"))
    with ray_settings():
        import ray

        if ray.is_initialized():
            yield
            return
        local_settings: dict[str, Any] = {} if address else {"include_dashboard": False}
        on_sigterm = signal.getsignal(signal.SIGTERM)
        if not address:
            refuse_temporary_folder()
        with nullcontext() if address else watched():
            try:
                with nullcontext() if address else _on_loopback():
                    _init(address or "local", **local_settings)
                unmark()
            except Exception as error:  # Ray has many, of the system, of its own and of other packages
                ray.shutdown()
                raise ClusterError(_why_not(address, error, given)) from None
            try:
                yield
            finally:
                with _ctrl_c_ignored():  # by someone who pressed it twice: Ray's processes would stay
                    ray.shutdown()
                if threading.current_thread() is threading.main_thread():
                    signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own ends the process with a trace of its stack


def _init(address: str, **settings: Any) -> None:
    """``ray.init``, once more where Ray's processes took longer than it waits for them, as on a busy machine."""
    import ray

    start = partial(ray.init, address=address, log_to_driver=False, logging_level=logging.ERROR, **settings)
    try:
        start()
    except Exception as error:  # Ray raises this one as a plain Exception
        if _SLOW_START not in str(error):
            raise
        ray.shutdown()
        start()


def refuse_temporary_folder() -> None:
    """``ClusterError`` with the setting where Ray, started here, could not put its files and sockets."""
    name = next((name for name in _TEMPORARY if os.environ.get(name)), None)
    if name is None:
        return
    folder = os.environ[name]
    for rule, is_held in (
        ("must be an absolute path", Path(folder).is_absolute()),
        ("must have ASCII letters only, as Ray names its files by it", folder.isascii()),
        (f"must have at most {_LONGEST_FOLDER} letters, as sockets have short names", len(folder) <= _LONGEST_FOLDER),
        ("must be a folder that can be written", os.access(folder, os.W_OK | os.X_OK) and Path(folder).is_dir()),
    ):
        if not is_held:
            raise ClusterError(f"{name}: {rule}, but is {folder!r}; set it to another folder, as {name}=/tmp")


def _why_not(address: str | None, error: Exception, given: Sequence[str]) -> str:
    """One line about a Ray that cannot be reached or started, with the settings that are likely the reason.

    ``given``: their names alone, as the address of a proxy may hold a password.
    """
    reason = f"{type(error).__name__}: {one_line(error)}" if str(error) else type(error).__name__
    if address:
        return f"--address {address}: cannot be used ({reason})"
    limited = [f"`ulimit -{letter}`" for letter, limit in _LIMITS.items() if getrlimit(limit)[0] != RLIM_INFINITY]
    settings = f"; look at {' and '.join(limited)}, which is limited" if limited else ""
    settings += f"; look at {', '.join(given)} in the environment" if given else ""
    return f"Ray cannot be started on this machine ({reason}){settings}; `tune-reg doctor` tries it alone"


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def ray_settings() -> Iterator[None]:
    """Put Ray's settings for a study into the environment, and take them back: other Tuners want their loggers."""
    added = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Let a Ray that is started meanwhile listen on 127.0.0.1 alone: on one machine nobody else has to reach it.

    On Linux it would listen on every interface. It does not where it is told that there are no clusters, as it is on
    other systems; a user who has set that variable decides.
    """
    from ray._private import ray_constants

    name = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    if name in os.environ:
        yield
        return
    before = ray_constants.ENABLE_RAY_CLUSTER
    os.environ[name], ray_constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        del os.environ[name]
        ray_constants.ENABLE_RAY_CLUSTER = before
