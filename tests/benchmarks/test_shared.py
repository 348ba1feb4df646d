"""The clocks, processes and inputs that benchmarks have in common."""

import pytest
import torch


def test_memory_growth_sees_what_a_call_allocates(module):
    measuring = module("_shared.measuring")
    grown = measuring.memory_growth(lambda: torch.ones(50 * 2**20))
    assert 190 * 2**20 < grown < 300 * 2**20
    assert measuring.memory_growth(lambda: None) < 20 * 2**20


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_call_that_fails_while_its_memory_is_measured_is_no_number(module):
    with pytest.raises(RuntimeError, match="the process whose memory was measured has failed"):
        module("_shared.measuring").memory_growth(lambda: 1 / 0)


def test_the_least_of_calls_that_take_turns(module):
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    least = module("_shared.measuring").least_in_turn(calls, 2)
    assert order == ["a", "b", "a", "b"]
    assert least.keys() == {"a", "b"}


def test_numbers_of_a_process_come_as_they_are_sent(module, folder, tmp_path):
    own_process = module("_shared.own_process")
    (tmp_path / "child.py").write_text(
        f"import sys\nsys.path.insert(0, {str(folder)!r})\n"
        "from _shared.own_process import send_numbers\n"
        "print('{not numbers}')\nsend_numbers({'a': 1})\nsend_numbers({'a': 2})\n"
        "if sys.argv[1] == 'bad':\n    raise SystemExit('a reason')\n"
    )
    child = str(tmp_path / "child.py")
    assert list(own_process.numbers_of([child, "good"])) == [{"a": 1}, {"a": 2}]
    with pytest.raises(SystemExit, match="bad failed:\na reason"):
        list(own_process.numbers_of([child, "bad"]))


def test_synthetic_images_are_the_same_ones_each_time(module):
    images = module("_shared.images").synthetic_images
    one, other = images(20, 5), images(20, 5)
    assert torch.equal(one.train_images, other.train_images)
    assert (len(one.train_images), len(one.test_images)) == (20, 5)
    assert not torch.equal(one.train_images[0], one.train_images[10]), "noise differs within a class"


def test_synthetic_results_can_be_read(module, tmp_path):
    from tune_reg import load

    results = module("_shared.synthetic_results")
    for parts, files in (("few", 2), ("each", 8)):
        directory = tmp_path / parts
        directory.mkdir()
        results.write_results(directory, trials=8, epochs=2, parts=parts)
        tables = load(directory)
        assert tables.trials().num_rows == 8 * len(results.REGULARIZERS)
        searched = [row for row in tables.epochs().to_pylist() if row["stage"] == "search"]
        assert len(searched) == 2 * 8 * len(results.REGULARIZERS)
        names = [path.name for path in (directory / "tables" / "trials").glob(f"{results.REGULARIZERS[0]}-*")]
        assert len(names) == files
