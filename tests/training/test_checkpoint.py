import pytest
import torch

from tune_reg.training import checkpoint


def state(epoch):
    return {
        "epoch": epoch,
        "history": [{"val_loss": 0.1 * epoch}],
        "model": {"weight": torch.full((50,), float(epoch))},
    }


def saved(directory, epochs):
    return [checkpoint.save(directory, epoch, state(epoch)) for epoch in epochs]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def empty(path):
    path.write_bytes(b"")


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def unlink(path):
    path.unlink()


def test_the_newest_is_read(tmp_path):
    saved(tmp_path / "deep" / "down", [1, 2])
    loaded = checkpoint.load_newest(tmp_path / "deep" / "down")
    assert loaded["epoch"] == 2
    assert loaded["history"] == [{"val_loss": 0.2}]
    assert loaded["model"]["weight"].equal(torch.full((50,), 2.0))


def test_newest_is_by_number_and_not_by_time_or_text(tmp_path):
    for epoch in (9, 10, 100, 1_000_000):
        checkpoint.save(tmp_path, epoch, state(epoch))
        assert checkpoint.load_newest(tmp_path)["epoch"] == epoch


def test_an_interrupted_epoch_is_newer_than_the_one_before_and_older_than_the_whole_epoch(tmp_path):
    saved(tmp_path, [1, 2])
    for step in (7, 30):
        checkpoint.save(tmp_path, 2, {**state(2), "left": step}, step=step)
        assert checkpoint.load_newest(tmp_path)["left"] == step
        assert "left" not in checkpoint.load_newest(tmp_path, whole_epochs=True)
        assert [path.name[:20] for path in sorted(tmp_path.iterdir())][2:] == [f"epoch-000002-step-{step:06d}"[:20]]
    saved(tmp_path, [3])
    assert checkpoint.load_newest(tmp_path)["epoch"] == 3
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("harm", [truncate, zero, empty, flip_a_bit, unlink])
def test_the_older_one_is_read_where_the_newest_is_broken(tmp_path, harm):
    _, newest = saved(tmp_path, [1, 2])
    harm(newest)
    assert checkpoint.load_newest(tmp_path)["epoch"] == 1


@pytest.mark.parametrize("harm", [truncate, zero, empty, flip_a_bit, unlink])
def test_none_where_all_are_broken(tmp_path, harm):
    for path in saved(tmp_path, [1, 2]):
        harm(path)
    assert checkpoint.load_newest(tmp_path) is None


def test_none_where_there_is_nothing(tmp_path):
    assert checkpoint.load_newest(tmp_path) is None
    assert checkpoint.load_newest(tmp_path / "absent") is None


def test_two_are_kept_and_nothing_half_written(tmp_path):
    for count, epoch in enumerate(range(1, 6), start=1):
        checkpoint.save(tmp_path, epoch, state(epoch))
        assert len(list(tmp_path.iterdir())) == min(count, 2)
    assert [path.name[:12] for path in sorted(tmp_path.iterdir())] == ["epoch-000004", "epoch-000005"]


def test_other_files_are_left_alone(tmp_path):
    strange = [tmp_path / "notes.txt", tmp_path / "epoch-000009.pt", tmp_path / ".epoch-000007-00.pt.12.tmp"]
    for path in strange:
        path.write_text("mine")
    saved(tmp_path, [1, 2, 3])
    assert checkpoint.load_newest(tmp_path)["epoch"] == 3
    assert all(path.read_text() == "mine" for path in strange)


def test_plain_torch_load_reads_it(tmp_path):
    (path,) = saved(tmp_path, [4])
    loaded = torch.load(path, weights_only=True)
    assert loaded["epoch"] == 4
    assert loaded["model"]["weight"].equal(torch.full((50,), 4.0))


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    checkpoint.save(tmp_path, 1, {"epoch": Evil()})
    with pytest.raises(Exception, match=r"[Ww]eights"):
        checkpoint.load_newest(tmp_path)


def test_remove(tmp_path):
    saved(tmp_path / "run", [1, 2])
    checkpoint.remove(tmp_path / "run")
    checkpoint.remove(tmp_path / "run")
    assert not (tmp_path / "run").exists()
