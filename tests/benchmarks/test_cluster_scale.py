"""What the benchmark of many CPUs computes of its arms."""

import json


def test_costs_are_those_since_the_mark_before(module, monkeypatch):
    driver_costs = module("_cluster_scale.driver_costs")
    clock = iter(range(100))
    monkeypatch.setattr(driver_costs.time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(driver_costs.time, "process_time", lambda: 0.0)
    rows = []
    costs = driver_costs.DriverCosts({2, 4}, rows.append)
    costs.journal = lambda: 7.0
    for _ in range(5):
        with costs.ask():
            pass
        costs.end()
    assert [row["trials"] for row in rows] == [2, 4]
    # Each trial reads the clock three times, and an ask lasts from one reading to the next.
    assert [row["seconds_a_trial"] for row in rows] == [3.0, 3.0]
    assert [row["ask_ms"] for row in rows] == [1000.0, 1000.0]
    assert all(row["driver_MiB"] > 10 for row in rows)
    assert rows[0]["journal_MiB"] == 7.0


def test_arms_stand_side_by_side_at_the_marks_that_both_reached(module):
    def row(trials, seconds, journal):
        return {"trials": trials, "seconds_a_trial": seconds, "journal_MiB": journal}

    measured = {"ours": [row(50, 2.0, 0.0), row(100, 4.0, 1.0)], "stock": [row(50, 3.0, 5.0), row(200, 9.0, 0.0)]}
    lines = module("cluster_scale")._side_by_side(measured)
    assert lines == ["stock / ours at 50 trials:  seconds_a_trial 1.50"]


def test_earlier_runs_are_drawn(main, folder, tmp_path):
    runs = json.loads((folder / "results" / "cluster_scale.json").read_text())
    assert {run["arm"] for run in runs} >= {"ours", "stock"}
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    main("cluster_scale", "--draw", "--out", "runs.json", "--figure", "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000
