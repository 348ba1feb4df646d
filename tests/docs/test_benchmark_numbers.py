"""Tables of what a benchmark measured are those of its committed results."""

import json
import re

import pytest

BUDGETS = (4, 8, 16, 24, 40)
#: What a row of a table is called, with the file and the problems whose mean it shows.
ROWS = {
    "MNIST, 50 images a class: weight decay, dropout, label smoothing": ("mnist50_mlp", ("dropout", "ls", "wd")),
    "MNIST, 50 images a class: dropout": ("mnist50_mlp", ("dropout",)),
    "MNIST, 50 images a class: label smoothing": ("mnist50_mlp", ("ls",)),
    "MNIST, 50 images a class: weight decay": ("mnist50_mlp", ("wd",)),
    "MNIST, 50 images a class: noise injection": ("mnist50_noise", ("noise-injection",)),
    "MNIST, 50 images a class: double backprop": ("mnist50_double_backprop", ("db",)),
    "MNIST, 20 images a class: AdaDecay (lambda)": ("mnist20_adadecay", ("adadecay",)),
    "digits: dropout": ("digits_dropout", ("dropout",)),
    "digits: double backprop": ("digits_double_backprop", ("db",)),
    "digits, LeNet-4: noise injection": ("digits_noise_lenet", ("noise-injection",)),
    "digits: residual smoothing (alpha)": ("digits_residual_smoothing", ("residual-smoothing",)),
    "MNIST, 50 images a class: jac": ("mnist50_jac", ("jac",)),
    "Fashion-MNIST, 50 images a class: mixup (alpha)": ("fashion50_mixup", ("mixup",)),
    "Fashion-MNIST, 50 images a class: weight decay": ("fashion50_weight_decay", ("weight-decay",)),
}
#: The last rows: tables that were made after everything was chosen.
NEW = ("mnist50_jac", "fashion50_mixup", "fashion50_weight_decay")


@pytest.fixture(scope="module")
def results_of(docs):
    """What a benchmark wrote: results_of(stem of its file)."""

    def read(stem):
        return json.loads((docs.parent / "benchmarks" / "results" / f"{stem}.json").read_text(encoding="utf-8"))

    return read


@pytest.fixture(scope="module")
def measured(docs):
    """The mean over problems of a number of an arm: measured(file, problems, arm, workers, budget, number)."""
    rows = {}
    for path in (docs.parent / "benchmarks" / "results" / "search_efficiency").glob("*.json"):
        for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
            rows[path.stem, row["problem"], row["arm"], row["workers"], row["budget"]] = row

    def mean(file, problems, arm, workers, budget, number):
        return sum(rows[file, problem, arm, workers, budget][number] for problem in problems) / len(problems)

    return mean


def finding(docs, name):
    return (docs / "findings" / f"{name}.md").read_text(encoding="utf-8")


def tables_of(text):
    """Each table of a page: the text before it, from the end of the last one, and its rows of cells."""
    before, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.strip().startswith("|"):
            rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif rows:
            yield " ".join(before), rows
            before, rows = [], []
        else:
            before.append(line.strip())


def told_workers(text, before):
    """The workers of the tables that follow ``text``: those that it names, else as ``before``."""
    words = re.findall(r"With (\d+) workers, stock / ", text)
    return int(words[-1]) if words else before


def with_rate(problems):
    return tuple(f"{problem} x lr" for problem in problems)


@pytest.mark.parametrize(("page", "rows"), [("README.md", 22), ("docs/findings/searches-on-real-curves.md", 34)])
def test_regrets_of_stock_and_of_the_default(docs, measured, page, rows):
    workers, compared = 1, 0
    for text, (heading, _, *table) in tables_of((docs.parent / page).read_text(encoding="utf-8")):
        workers = told_workers(text, workers)
        if heading[0] not in ("table, strength alone", "strength and learning rate"):
            continue
        assert heading[1:] == [str(budget) for budget in BUDGETS]
        for label, *cells in table:
            file, alone = ROWS[label]
            problems = alone if heading[0] == "table, strength alone" else with_rate(alone)
            for budget, cell in zip(BUDGETS, cells, strict=True):
                regrets = [measured(file, problems, arm, workers, budget, "regret") for arm in ("stock", "default")]
                assert cell == " / ".join(f"{regret:.2f}" for regret in regrets), (label, workers, budget)
            compared += 1
    assert compared == rows


def signed(value):
    """Two digits with a sign; nothing that rounds to zero has one."""
    text = f"{value:+.2f}"
    return "0.00" if text[1:] == "0.00" else text


def test_biases_of_the_default(docs, measured):
    page = finding(docs, "searches-on-real-curves")
    (table,) = [rows for _, rows in tables_of(page) if rows[0] == ["table", "8", "16", "24", "40"]]
    for label, *cells in table[2:]:
        file, alone = ROWS[label]
        for budget, cell in zip(BUDGETS[1:], cells, strict=True):
            biases = [measured(file, problems, "default", 1, budget, "bias") for problems in (alone, with_rate(alone))]
            assert cell == " / ".join(signed(bias) for bias in biases), (label, budget)


def test_ratios_to_stock(docs, measured):
    """Those of the mean regrets over the seven tables that are neither the first one nor new."""
    page = finding(docs, "searches-on-real-curves")
    (table,) = [rows for _, rows in tables_of(page) if rows[0] == ["", *(str(budget) for budget in BUDGETS)]]
    others = {row for row in ROWS.values() if row[0] not in ("mnist50_mlp", *NEW)}
    assert len(others) == 7
    for label, *cells in table[2:6]:
        workers = 8 if "8 workers" in label else 1
        for budget, cell in zip(BUDGETS, cells, strict=True):
            stock, default = (
                sum(
                    measured(file, alone if "alone" in label else with_rate(alone), arm, workers, budget, "regret")
                    for file, alone in others
                )
                for arm in ("stock", "default")
            )
            assert cell.startswith(f"{default / stock:.2f} ["), (label, budget)


def test_what_pauses_cost(docs, results_of):
    """Means over the tables of the repository, with pauses and without, and the differences between them."""
    rows = {
        (row["table"], row["problem"], row["arm"], row["workers"], row["budget"]): row["regret"]
        for row in results_of("search_with_pauses")["rows"]
    }
    page = finding(docs, "searches-on-real-curves")
    (table,) = [rows for _, rows in tables_of(page) if rows[0][0] == "with pauses / without"]
    others = {row for row in ROWS.values() if row[0] not in ("mnist50_mlp", *NEW)}
    regrets = table[2::2]
    assert len(regrets) == 4
    for (label, *cells), (_, *differences) in zip(regrets, table[3::2], strict=True):
        workers = 8 if "8 workers" in label else 1
        for budget, cell, difference in zip(BUDGETS, cells, differences, strict=True):
            pauses, default = (
                sum(
                    rows[file, problem, arm, workers, budget]
                    for file, alone in others
                    for problem in (alone if "alone" in label else with_rate(alone))
                )
                / len(others)
                for arm in ("pauses", "default")
            )
            assert cell == f"{pauses:.2f} / {default:.2f}", (label, budget)
            assert difference.startswith(f"{signed(default - pauses).removeprefix('+')} ± "), (label, budget)


def searched(row):
    """What the tables of the same method twice call a search."""
    hyperparameters = "strength" if row["dims"] == 1 else "strength and learning rate"
    return hyperparameters + ", with pauses" * (row["sampler"] == "pauses")


def table_that_begins(page, *heading):
    (table,) = [rows[2:] for _, rows in tables_of(page) if tuple(rows[0][: len(heading)]) == heading]
    return table


def test_the_same_method_twice_on_real_curves(docs, results_of):
    """Shares of all studies, and those of the table that has the most false claims."""
    rows = results_of("real_curves_twice")["real_curves_twice"]
    of_all = {searched(row): row for row in rows if row["problem"] == "all"}
    table = table_that_begins((docs / "numbers.md").read_text(encoding="utf-8"), "searched", "false claims, %")
    assert [name for name, *_ in table] == list(of_all)
    for name, *cells in table:
        row = of_all[name]
        of_tables = [other for other in rows if searched(other) == name and other is not row]
        assert len(of_tables) == 7
        assert row["studies"] == sum(other["studies"] for other in of_tables) == 210
        assert cells == [
            f"{100 * row['false_claims']:.1f}",
            f"{100 * max(other['false_claims'] for other in of_tables):.0f}",
            *(f"{100 * row[share]:.0f}" for share in ("without_regret", "gain_claimed", "large_gain_claimed")),
            f"{row['regret']:.2f} / {row['true_regret']:.2f}",
        ]


def test_two_methods_on_real_curves(docs, results_of):
    rows = results_of("two_methods")["two_methods"]
    table = table_that_begins((docs / "numbers.md").read_text(encoding="utf-8"), "first and second method")
    names = {"db": "double backprop"}
    assert len(table) == len(rows) == 8
    for row, cells in zip(rows, table, strict=True):
        methods = [row[place].removesuffix(" x lr") for place in ("first", "second")]
        shares = ("right", "wrong", "covers", "right_alone", "wrong_alone", "covers_alone")
        assert cells == [
            ", ".join(names.get(method, method.replace("-", " ")) for method in methods),
            "strength" if row["dims"] == 1 else "strength and learning rate",
            f"{row['true_difference']:+.2f} ± {row['true_error']:.2f}",
            *(f"{100 * row[share]:.0f}" for share in shares),
        ]


def test_the_same_made_up_method_twice(docs, results_of):
    rows = results_of("same_method_twice")["same_method_twice"]
    by_seeds = {(searched(row), f"{row['images']:,}", row["seeds"]): row for row in rows}
    table = table_that_begins((docs / "numbers.md").read_text(encoding="utf-8"), "searched", "validation images")
    assert len(table) == len(rows) / 3 == 8
    for name, images, *shares, regrets in table:
        ten, twenty = (by_seeds[name, images, seeds] for seeds in (10, 20))
        assert shares == [
            f"{100 * ten[share]:.0f} / {100 * twenty[share]:.0f}"
            for share in ("false_claims", "without_regret", "gain_claimed", "large_gain_claimed")
        ]
        assert regrets == f"{ten['regret']:.2f} / {ten['true_regret']:.2f}"


def test_what_judging_early_costs(docs, results_of):
    rows = {(row["table"], row["epoch"]): row for row in results_of("early_stopping")["rows"]}
    ((_, (_, _, *table)),) = tables_of(finding(docs, "early-stopping"))
    assert len(table) == 5
    for label, best, *picked, cost in table:
        name = label.split("`")[1]
        assert [float(cell) for cell in picked] == pytest.approx(
            [rows[name, epoch]["picked"] for epoch in (3, 9, 18, 27)], rel=0.02
        )
        row = rows[name, 9]
        assert float(best) == pytest.approx(row["best"], rel=0.02)
        assert cost == f"{row['cost']:.2f} [{row['cost_low']:.2f}, {row['cost_high']:.2f}]"


def test_what_picking_on_the_test_set_reports(docs, results_of):
    parts = {str(part["seeds"]): part for part in results_of("picked_on_test")["parts"]}
    ((_, (_, _, *table)),) = tables_of(finding(docs, "picked-on-test"))
    assert len(table) == 6
    for seeds, picked_on, *cells, _ in table:
        rows = {row["method"]: row for row in parts[seeds]["rows"] if row["picked_on"] == picked_on}
        for method, cell in zip(("dropout", "db", "residual-smoothing"), cells, strict=True):
            assert cell == f"{rows[method]['reported']:.2f}, {rows[method]['worth']:.2f}"


def test_the_best_decay_of_each_amount_of_data(docs, results_of):
    (row,) = results_of("weight_decay_and_data")["rows"]
    page = finding(docs, "weight-decay-and-data")
    ((_, (_, _, *table)),) = tables_of(page)
    assert table == [
        [
            f"{amount['images']:,}",
            f"{amount['best']:g} [{amount['low']:g}, {amount['high']:g}]",
            f"{amount['timescale']:.2g}",
            f"{100 * amount['accuracy']:.2f}",
            f"{100 * amount['without']:.2f}",
        ]
        for amount in row["amounts"]
    ]
    assert f"The slope is {abs(row['slope']):.2f} [{row['slope_low']:.2f}, {row['slope_high']:+.2f}]" in page
