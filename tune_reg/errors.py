"""The errors that a user can mend: each says in one line what is wrong and what to do."""

import difflib
import errno
from collections.abc import Iterable


def did_you_mean(name: str, possible: Iterable[str]) -> str:
    """The end of an error about an unknown name: the nearest possible name, and all of them.

    >>> did_you_mean("digit", ["digits", "mnist"])
    "; did you mean 'digits'? known: digits, mnist"
    """
    names = list(possible)
    near = difflib.get_close_matches(name, names, n=1) or difflib.get_close_matches(
        name.lower().replace("_", "-"), names, n=1
    )
    hint = f"; did you mean {near[0]!r}? known: " if near else "; known: "
    return hint + ", ".join(names)


def one_line(error: BaseException) -> str:
    """The message of an exception without its line breaks."""
    return " ".join(str(error).split())


class TuneRegError(Exception):
    """A mistake that the user can mend.

    The message is one line: the key, the rule, the value and what to do. The command line prints it
    without a traceback and exits with code 2.
    """


class StudyError(TuneRegError, ValueError):
    """The study is not valid."""


class DataError(TuneRegError):
    """A data set cannot be found or is not what it should be."""


class StoreError(TuneRegError):
    """A results directory cannot be used."""


class ClusterError(TuneRegError):
    """A cluster cannot be reached, lacks what a study needs, or has lost a job."""


class LostClusterError(ClusterError):
    """A cluster was lost while a study ran on it: nothing is wrong with the command.

    The command line exits with code 1.
    """


class NothingSucceededError(TuneRegError):
    """A study ran to its end, and no run of it came to a result.

    The command line exits with code 1, after the report is written.
    """


class UnreachableError(StoreError, OSError):
    """An object store does not answer, or not as it should: nothing may be wrong with the command.

    The command line exits with code 1.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(errno.EIO, reason)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: cannot be reached or used ({self.strerror}); mend that and give the command again"
