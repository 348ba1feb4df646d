"""The tables of what the search is worth are those of the committed measurements."""

import json
import re

import pytest

BUDGETS = (4, 8, 16, 24, 40)
#: What a row of a table is called, with the file and the problems whose mean it shows.
ROWS = {
    "MNIST, 50 images a class": ("mnist50_mlp", ("dropout", "ls", "wd")),
    "MNIST, 50 images a class: weight decay, dropout, label smoothing": ("mnist50_mlp", ("dropout", "ls", "wd")),
    "MNIST, 50 images a class: dropout": ("mnist50_mlp", ("dropout",)),
    "MNIST, 50 images a class: label smoothing": ("mnist50_mlp", ("ls",)),
    "MNIST, 50 images a class: weight decay": ("mnist50_mlp", ("wd",)),
    "MNIST, 50 images a class: noise injection": ("mnist50_noise", ("noise-injection",)),
    "MNIST, 50 images a class: double backprop": ("mnist50_double_backprop", ("db",)),
    "MNIST, 20 images a class: AdaDecay (lambda)": ("mnist20_adadecay", ("adadecay",)),
    "MNIST, 20 images a class: adadecay": ("mnist20_adadecay", ("adadecay",)),
    "digits: dropout": ("digits_dropout", ("dropout",)),
    "digits: double backprop": ("digits_double_backprop", ("db",)),
    "digits, LeNet-4: noise injection": ("digits_noise_lenet", ("noise-injection",)),
    "digits: residual smoothing (alpha)": ("digits_residual_smoothing", ("residual-smoothing",)),
    "digits: residual smoothing": ("digits_residual_smoothing", ("residual-smoothing",)),
}


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


@pytest.mark.parametrize(("page", "rows"), [("README.md", 16), ("docs/findings/searches-on-real-curves.md", 28)])
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
    page = (docs / "findings" / "searches-on-real-curves.md").read_text(encoding="utf-8")
    (table,) = [rows for _, rows in tables_of(page) if rows[0] == ["table", "8", "16", "24", "40"]]
    for label, *cells in table[2:]:
        file, alone = ROWS[label]
        for budget, cell in zip(BUDGETS[1:], cells, strict=True):
            biases = [measured(file, problems, "default", 1, budget, "bias") for problems in (alone, with_rate(alone))]
            assert cell == " / ".join(signed(bias) for bias in biases), (label, budget)


def test_ratios_to_stock(docs, measured):
    """Those of the mean regrets over the tables of which nothing was chosen."""
    page = (docs / "findings" / "searches-on-real-curves.md").read_text(encoding="utf-8")
    (table,) = [rows for _, rows in tables_of(page) if rows[0] == ["", *(str(budget) for budget in BUDGETS)]]
    others = {ROWS[label] for label in ROWS if not ROWS[label][0].startswith("mnist50_mlp")}
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
