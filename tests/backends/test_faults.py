"""Which exceptions of a worker are worth another try."""

import errno

import pytest
import torch

from tune_reg.backends.faults import deterministic_fault
from tune_reg.errors import StudyError, UnreachableError

OF_THE_MACHINE = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory"),
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: device-side assert triggered"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: 64 bytes"),
    RuntimeError("can't start new thread"),
    OSError(errno.EIO, "Input/output error"),
    ConnectionResetError("reset by peer"),
    TimeoutError("no answer"),
    FileNotFoundError("checkpoint"),
    UnreachableError("s3://bucket", "no answer"),
    KeyboardInterrupt(),
    SystemExit(1),  # Ray ends its processes so
]
AGAIN = [ValueError("no"), RuntimeError("mat1 and mat2 shapes cannot be multiplied (4x64 and 784x10)"), KeyError("a")]


@pytest.mark.parametrize("error", OF_THE_MACHINE, ids=repr)
def test_what_lies_with_the_machine_is_tried_again(error):
    assert deterministic_fault(error) is None


@pytest.mark.parametrize("error", AGAIN, ids=repr)
def test_what_the_same_run_would_raise_again_is_not(error):
    assert deterministic_fault(error).startswith(f"{type(error).__name__}: ")


@pytest.mark.parametrize("cause", [MemoryError(), OSError(errno.ESTALE, "Stale file handle")], ids=repr)
def test_an_exception_is_what_caused_it(cause):
    with pytest.raises(StudyError) as caught:
        raise StudyError("model 'nets:net': the function raised something") from cause
    assert deterministic_fault(caught.value) is None


@pytest.mark.parametrize(
    "raised", [FileNotFoundError("weights.pt"), ImportError("no module"), SystemExit("no weights")]
)
def test_what_the_users_code_lacks_is_lacking_at_every_try(raised):
    """The file of this test is a user's, to the package."""
    with pytest.raises(type(raised)) as caught:
        raise raised
    fault = deterministic_fault(caught.value)
    assert fault.startswith(f"{type(raised).__name__}: ")
    assert f"{__file__}:" in fault
