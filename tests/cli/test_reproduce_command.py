"""The command that reproduces a table of a paper: what it prints, and what it trains."""

import pytest

from tune_reg.reproduction import REPRODUCTIONS


def test_the_list_has_every_table_and_figure_with_its_cost(tune_reg, monkeypatch):
    monkeypatch.setattr("tune_reg.data.at_hand", lambda *_: None)
    code, out, err = tune_reg("reproduce", "list")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert [row[:2] for row in rows if row and row[0] in REPRODUCTIONS] == [
        [name, scale] for name in REPRODUCTIONS for scale in ("full", "small")
    ]
    assert "lacks mnist" in out


def test_check_says_what_would_be_trained(tune_reg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = tune_reg("reproduce", "adadecay-table-2", "--check")
    assert (code, err) == (0, "")
    assert "AdaDecay, table II: constant, randomized and adaptive decay" in out
    assert ["studies/fashion-mnist-nn-2/paper", "5", "30"] in [line.split()[:3] for line in out.splitlines()]
    assert "- 25 epochs in place of 100" in out
    assert list(tmp_path.iterdir()) == []


def test_every_study_is_trained_and_reported(tune_reg, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(
        "tune_reg.backends.ray.launch.run_study", lambda study, out, **_: trained.append((study.protocol, out))
    )
    monkeypatch.chdir(tmp_path)
    code, out, _ = tune_reg("reproduce", "residual-smoothing-table-2/fashion-mnist-1-of-8")
    assert code == 0
    assert [protocol for protocol, _ in trained] == ["paper", "validation"]
    assert all("fashion-mnist-1-of-8" in str(path) for _, path in trained)
    assert "report: " in out
    page = tmp_path / "out/residual-smoothing-table-2-fashion-mnist-1-of-8-small/report/index.html"
    assert "not begun" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["adadecay-table-9"], "there is no table or figure 'adadecay-table-9'"),
        (["adadecay-table-1/mnist"], "has no block 'mnist' at scale small; it has fashion-mnist-nn-2"),
        (["list", "--scale", "full"], "--scale: means nothing with `reproduce list`; drop it"),
    ],
)
def test_bad_input_is_one_line(tune_reg, words, line):
    code, out, err = tune_reg("reproduce", *words)
    assert (code, out) == (2, "")
    assert line in err
    assert len(err.splitlines()) == 1
