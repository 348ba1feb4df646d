"""Studies that are judged by another metric than the accuracy: numbers in its direction, words that say its name."""

import re
from types import SimpleNamespace

import pytest

import analysis
from analysis.measures.claim_rule import may_be_claimed, needed
from analysis.measures.comparisons import comparisons
from analysis.measures.data_equivalence import equivalences
from analysis.measures.metric import decimals
from analysis.measures.papers import paper_rows
from analysis.measures.results import largest_measured
from analysis.measures.search.picks import picks
from analysis.measures.search.response import responses, winners
from analysis.measures.search.tuning import tuning_points
from analysis.report.studies.compare import render
from analysis.report.write import render as report_files
from analysis.tables.catalogue import TABLES
from tune_reg.store import Metric, load

#: Columns that no loop reports which knows no accuracy.
OF_ACCURACIES = (
    *("val_accuracy", "test_accuracy", "train_accuracy", "generalization_gap", "max_over_epochs", "mean_last_10pct"),
    *("test_ece", "test_class_accuracy", "test_class_images"),
)
UP = {"name": "gain", "goal": "maximize", "unit": "m"}
DOWN = {"name": "rmse", "goal": "minimize", "unit": "m"}


def in_metric(parts, value):
    """The parts of a study in another metric, of which an accuracy has this ``value``; without robustness tests."""
    made = []
    for table, key, rows in parts:
        changed = [dict(row) for row in rows]
        for row in changed:
            for column, name in (("val_accuracy", "val_metric"), ("test_accuracy", "test_metric")):
                if row.get(column) is not None:
                    row[name] = value(row[column])
            for name in ("value", "expected_value"):
                if row.get(name) is not None:
                    row[name] = value(row[name])
            if row.get("expected_deviation") is not None:
                row["expected_deviation"] *= 4
            for name in OF_ACCURACIES:
                row.pop(name, None)
        if table != "robustness":
            made.append((table, key, changed))
    return made


@pytest.fixture(scope="module")
def write(lab, tmp_path_factory):
    """Writes the rich study in another metric."""

    def write_in(metric, value):
        study = {**lab.rich_study, "metric": metric, "robustness": {}, "confirm": {"seeds": 8, "margin": 0.01}}
        parts = in_metric(lab.expected_parts(), value)
        return lab.write_rich(tmp_path_factory.mktemp(metric["name"]), parts, study=study)

    return write_in


@pytest.fixture(scope="module")
def up(write):
    return analysis.Snapshot(load(write(UP, lambda accuracy: 4 * accuracy)))


@pytest.fixture(scope="module")
def down(write):
    return analysis.Snapshot(load(write(DOWN, lambda accuracy: 20 - 4 * accuracy)))


def mirrored(low, high):
    """Ends of an interval of values, as those of the other metric."""
    return pytest.approx((20 - high, 20 - low), abs=1e-4)


def test_means_are_in_the_unit_of_the_metric_and_differences_have_the_other_sign(up, down):
    for gain, error in zip(largest_measured(up), largest_measured(down), strict=True):
        assert error.test_accuracy.mean == pytest.approx(20 - gain.test_accuracy.mean)
        assert (error.test_accuracy.low, error.test_accuracy.high) == mirrored(*gain.test_accuracy[2:4])
        if gain.difference is not None:
            assert error.difference.mean == pytest.approx(-gain.difference.mean)
            assert error.difference.p == pytest.approx(gain.difference.p)


def test_decisions_claims_and_needs_are_those_of_the_mirrored_metric(up, down):
    rows = list(zip(comparisons(up), comparisons(down), strict=True))
    assert {(gain.decision, gain.established) for gain, _ in rows} == {("superior", True), ("superior", False)}
    for gain, error in rows:
        assert (gain.measure, error.measure) == ("test gain", "test rmse")
        assert (gain.decision, gain.established, gain.primary) == (error.decision, error.established, error.primary)
        assert error.effect.improvement == pytest.approx(gain.effect.improvement)
        assert error.effect.d == pytest.approx(-gain.effect.d)
        assert may_be_claimed(up, gain) == may_be_claimed(down, error)
        assert needed(up, gain) == needed(down, error)
        if gain.with_searches is not None:
            assert error.with_searches.mean == pytest.approx(-gain.with_searches.mean, abs=1e-4)


def test_the_search_is_read_in_the_direction_of_the_goal(up, down):
    assert picks(up)
    for gain, error in zip(picks(up), picks(down), strict=True):
        assert error.expected == pytest.approx(20 - gain.expected, abs=1e-4)
        for name in ("trial", "runner_up", "ties", "best_probability", "chance"):
            assert getattr(gain, name) == getattr(error, name), name
        for name in ("regret", "margin", "optimism", "regret_deviation"):
            assert getattr(error, name) == pytest.approx(getattr(gain, name), abs=1e-4), name
    for gain, error in zip(responses(up), responses(down), strict=True):
        assert (gain.optimum.best, gain.optimum.located) == (error.optimum.best, error.optimum.located)
        for one, other in zip(gain.curve, error.curve, strict=True):
            assert (one.x, other.mean) == (other.x, pytest.approx(20 - one.mean, abs=1e-4))
            assert (other.low, other.high) == mirrored(one.low, one.high)
    assert winners(up, "adadecay") == winners(down, "adadecay")
    for fraction, points in tuning_points(up).items():
        for gain, error in zip(points, tuning_points(down)[fraction], strict=True):
            assert gain.best is None or error.best == pytest.approx(20 - gain.best)
            assert gain.low is None or error.high == pytest.approx(20 - gain.low)


def test_what_a_regularizer_is_worth_in_images_is_the_same(up, down):
    assert equivalences(up)
    for gain, error in zip(equivalences(up), equivalences(down), strict=True):
        assert error.accuracy == pytest.approx(20 - gain.accuracy)
        assert (error.needed, error.place) == (pytest.approx(gain.needed), gain.place)


def test_the_papers_measures_are_left_out_with_a_reason(down):
    assert not [table for table in TABLES if table.name == "papers" and table.compute(down).rows]
    assert any("the papers' measures" in claim.sentence for claim in analysis.claims(down))
    assert all(row.max_over_epochs is None for row in paper_rows(down))


def test_the_verdict_and_the_claims_say_the_metric_and_its_unit(down):
    said = analysis.verdict(down)
    assert re.match(r"adadecay: \d+\.\d+ m \[.*\] test rmse, the lowest mean, over 8 runs\.", said.which)
    claims = [claim.sentence for claim in analysis.claims(down) if claim.kind == "may"]
    assert any(
        re.search(r"adadecay is better in rmse than weight-decay: -\d\.\d+ m of test rmse, 95 % interval", sentence)
        for sentence in claims
    )


@pytest.mark.usefixtures("without_paper")
def test_nothing_in_the_report_speaks_of_accuracies_per_cent_or_highest_values(down):
    files = report_files(down)
    text = files["report.md"].decode()
    about_the_rest = "The study is judged by the rmse, so what only accuracies have is left out"
    assert about_the_rest in text
    body = re.sub(r"## Citations.*?(?=\n## )", "", text, flags=re.DOTALL)
    for line in body.splitlines():
        if about_the_rest not in line:
            assert not re.search(
                r"accura|\bpoints?\b(?! out)|(?<!lowest to )highest|more accurate|\bpercent\b|per cent", line
            ), line
    html = files["index.html"].decode()
    shown = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    labels = set(re.findall(r"[^<>]*(?:accurac|(?<!\d )points)[^<>]*", shown)) - {""}
    assert not {label for label in labels if about_the_rest not in label and "title = {" not in label}
    headers = {name: text.decode().partition("\n")[0] for name, text in files.items() if name.endswith(".csv")}
    assert not {name for name, header in headers.items() if "accuracy" in header}
    assert "test_rmse_mean" in headers["tables/results.csv"]


def test_studies_by_different_metrics_are_compared_by_ranks_and_not_in_one_figure(up, down):
    files = render({"one": up, "other": down})
    text = files["compare.md"].decode()
    assert "The studies are judged by different metrics (gain, rmse)" in text
    assert "Average ranks over 2 studies, 1 being the best in the metric of each study: adadecay 1.00" in text
    assert re.search(r"\| \**3\.\d+ \\\[.*?\\\] m gain \(n = 8\)", text)
    assert re.search(r"\| \**16\.\d+ \\\[.*?\\\] m rmse \(n = 8\)", text)
    assert not re.search("accura|points", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    assert not [name for name in files if name.startswith("figures/")]


@pytest.mark.parametrize(
    ("values", "digits"),
    [
        ([0.4321, 0.4412, 0.4377, 0.4350], 5),  # the middle half is 0.0043 wide
        ([43_210.0, 44_120.0, 43_770.0, 43_500.0], 0),
        ([2.5, 2.5, 2.5, 2.5], 4),
        ([1e-9, 3e-9, 2e-9, 4e-9], 11),
    ],
)
def test_numbers_have_the_digits_in_which_runs_differ(values, digits):
    final = [{"state": "complete", "test_metric": value} for value in values]
    data = SimpleNamespace(metric=Metric("rmse", "minimize"), final=final, trials=[], memo={})
    assert decimals.__wrapped__(data) == digits


def test_a_loss_stands_beside_the_accuracies(lab, tmp_path):
    """The house's own training reports both: the study is judged by one, and shows the other."""
    study = {**lab.rich_study, "metric": {"name": "loss", "goal": "minimize"}}
    parts = lab.changed(lab.rich_parts(), "final", lambda row: {**row, "test_loss": 1 - row["test_accuracy"]})
    parts = lab.changed(parts, "epochs", lambda row: {**row, "val_loss": 1 - row["val_accuracy"]})
    parts = lab.changed(parts, "trials", lambda row: {**row, "value": row["value"] and 1 - row["value"]})
    data = analysis.Snapshot(load(lab.write_rich(tmp_path, parts, study=study)))
    measures = {row.measure for row in comparisons(data)}
    assert "test loss" in measures
    assert "mean accuracy over epsilon" in measures
    assert "test accuracy" not in measures
    assert {row.decision for row in comparisons(data) if row.measure == "test loss" and row.primary} >= {"superior"}
    table = next(table for table in TABLES if table.name == "accuracy").compute(data)
    assert table.rows
