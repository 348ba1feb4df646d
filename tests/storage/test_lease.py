"""One run at a time on a folder of a store."""

import json
import threading
import time

import pytest

from tune_reg.errors import StoreError, UnreachableError
from tune_reg.storage import lease as leases
from tune_reg.storage.lease import Lease, leased


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(leases, "EXPIRY_S", 1.5)
    monkeypatch.setattr(leases, "BEAT_S", 0.2)
    monkeypatch.setattr(leases, "_LOOK_S", 0.1)


def locks(store):
    return (store / ".locks").glob("*")


def test_it_is_held_and_released(store):
    with leased(store):
        assert len(locks(store)) == 1
    assert locks(store) == []
    with leased(store):
        pass


def test_a_second_run_is_refused_with_who_holds_it(store, caplog):
    with leased(store):
        with pytest.raises(StoreError, match=r"in use by process \d+ on .*; wait for it, or choose another"):
            Lease(store).take()
        assert len(locks(store)) == 1
    assert "waiting 1.5 s for a sign of life" in caplog.text


def test_a_dead_one_is_taken_over(store):
    (store / ".locks" / "dead.json").write_bytes(json.dumps({"holder": "process 1", "took_over": []}).encode())
    begin = time.monotonic()
    with leased(store):
        assert time.monotonic() - begin >= 1.5
        assert [path.name for path in locks(store)] != ["dead.json"]
        assert len(locks(store)) == 1


def test_one_that_slept_finds_that_it_was_taken_over(store):
    slept = Lease(store)
    slept._write()
    with leased(store):
        with pytest.raises(StoreError, match=r"this run stood still for more than 1\.5 s, and another one has gone on"):
            slept.beat()
        # Between two of its requests it may have slept, too.
        slept._write()
        with pytest.raises(StoreError, match="stood still"):
            slept.beat()


def test_a_lost_lease_is_told_once(store):
    errors = []
    with leased(store) as lease:
        lease.call_on_loss(errors.append)
        for path in locks(store):
            path.unlink()
        lease._thread.join(5)
        assert [type(error) for error in errors] == [StoreError]
    late = []
    lease.call_on_loss(late.append)
    assert late == errors


def test_of_many_who_come_at_once_at_most_one_goes_on(store):
    barrier, held, refused = threading.Barrier(6), [], []

    def come():
        lease = Lease(store)
        barrier.wait()
        try:
            lease.take()
        except StoreError as error:
            refused.append(error)
        else:
            held.append(lease)

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) <= 1
    assert len(held) + len(refused) == 6
    for lease in held:
        lease.release()
    assert locks(store) == []


def test_a_store_that_cannot_be_written_is_told(store, monkeypatch):
    def refuse(self, data):
        raise UnreachableError(str(self), "Access Denied")

    monkeypatch.setattr("tune_reg.storage.paths.RemotePath.write_bytes", refuse)
    with pytest.raises(StoreError, match=r"--out .*: cannot be written \(Access Denied\); choose another"):
        Lease(store).take()
