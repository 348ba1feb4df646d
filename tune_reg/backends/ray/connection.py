"""A Ray for a study: connected to, or started on this machine and stopped again."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final

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


@contextmanager
def ray_running(address: str | None) -> Iterator[None]:
    """Ray, started on this machine if it is not running; what was started here is stopped again."""
    with ray_settings():
        import ray

        if ray.is_initialized():
            yield
            return
        local_settings: dict[str, Any] = {} if address else {"include_dashboard": False}
        on_sigterm = signal.getsignal(signal.SIGTERM)
        try:
            with nullcontext() if address else _on_loopback():
                ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **local_settings)
        except (ConnectionError, ValueError) as error:
            raise ClusterError(f"--address {address}: cannot be used ({one_line(error)})") from None
        try:
            yield
        finally:
            ray.shutdown()
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own ends the process with a trace of its stack


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
