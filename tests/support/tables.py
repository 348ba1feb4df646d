"""The tables of a study in a form that two studies can be compared by."""

from tune_reg import load


def sorted_rows(table, *, without=("wall_s",)):
    """The rows of a table in an order of their own, without columns of times; NaN equals NaN."""
    return sorted(
        tuple((name, repr(value)) for name, value in sorted(row.items()) if name not in without)
        for row in table.to_pylist()
    )


def everything(directory):
    """Every table of the study in ``directory``, without times."""
    results = load(directory)
    return {name: sorted_rows(getattr(results, name)()) for name in ("trials", "epochs", "final", "robustness")}


def written(results):
    """The files of the tables, and when each was written."""
    return sorted((path.name, path.stat().st_mtime_ns) for path in results.directory.glob("tables/*/*"))
