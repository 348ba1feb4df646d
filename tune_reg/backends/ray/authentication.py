"""Ray's token, by which a cluster knows who may run code on it."""

from __future__ import annotations

import logging
from typing import Final

from tune_reg.errors import ClusterError, one_line

#: What to do where a cluster refuses this machine's calls.
NO_TOKEN: Final = (
    "the cluster asks for a token, and this machine has none that fits; copy ~/.ray/auth_token from the head, readable "
    "by you alone"
)


def use_token() -> None:
    """Let Ray's clients show the token of this machine, where it has one and the environment does not say otherwise.

    Ray does so by itself where it starts, but not in its client for jobs. ``ClusterError`` where the token that the
    environment names cannot be read.
    """
    from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
    from ray.exceptions import AuthenticationError

    # It warns that a token is used, as one would have it.
    logging.getLogger(maybe_enable_token_auth_if_token_available.__module__).setLevel(logging.ERROR)
    try:
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    except AuthenticationError as error:
        raise ClusterError(f"Ray's token: {one_line(error)}") from None
