"""The tables of a study in a form that two studies can be compared by."""

from tune_reg import load


def sorted_rows(rows, *, without=("wall_s",)):
    """Rows of a table in an order of their own, without columns of times; NaN equals NaN."""
    return sorted(
        tuple((name, repr(value)) for name, value in sorted(row.items()) if name not in without) for row in rows
    )


def everything(directory):
    """Every table of the study in ``directory``, without times."""
    results = load(directory)
    names = ("trials", "expected", "epochs", "final", "robustness", "decisions")
    return {name: sorted_rows(getattr(results, name)().to_pylist()) for name in names}


def written(results):
    """The files of the tables, and when each was written."""
    return sorted((path.name, path.stat().st_mtime_ns) for path in results.directory.glob("tables/*/*"))
