"""The report: one HTML file that opens offline, with the data of every figure beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from analysis import text
from analysis.budget import budget
from analysis.claims import claims
from analysis.csv_table import panels_csv, results_csv
from analysis.figures import style
from analysis.missing import missing
from analysis.results import result_table
from analysis.sheets import SHEETS, Sheet
from analysis.tables import Snapshot, mapping
from tune_reg.errors import StoreError
from tune_reg.files import write_atomic
from tune_reg.store import load


class Drawn(NamedTuple):
    """One figure, ready for the page."""

    sheet: Sheet
    panels: tuple[tuple[str, str, str], ...]  # (id, alternative text, SVG)


def report(directory: str | Path) -> Path:
    """Write ``directory/report/index.html`` and return its path.

    Beside it lie ``results.csv`` and, for every figure, ``figures/NAME.csv`` and ``figures/NAME.svg``. The same
    tables give the same bytes, wherever the directory is and in whatever order rows were stored. An unfinished
    study is reported as far as it goes. Raises ``StoreError``, in one line, where there is no study, a file
    cannot be read, or the report cannot be written.

    >>> report("no-such-directory")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tune_reg.errors.StoreError: no-such-directory holds no study: study.toml is missing; run `tune-reg run ...
    """
    data = Snapshot(load(directory))
    files = render(data)
    target = Path(directory) / "report"
    try:
        (target / "figures").mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomic(target / name, content)
        # A figure of an earlier report that has no data now would contradict this one.
        for sheet in SHEETS:
            for suffix in ("csv", "svg"):
                if f"figures/{sheet.name}.{suffix}" not in files:
                    (target / "figures" / f"{sheet.name}.{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{target} cannot be written ({error.strerror}); make it writable and ask again") from None
    return target / "index.html"


def render(data: Snapshot) -> dict[str, bytes]:
    """Every file of the report, by its path in ``report/``; the page comes last."""
    files: dict[str, bytes] = {"results.csv": results_csv(result_table(data))}
    figures = []
    for sheet in SHEETS:
        numbers = sheet.compute(data)
        if not numbers.panels:
            continue
        files[f"figures/{sheet.name}.csv"] = panels_csv(numbers.panels)
        drawn = _drawn(sheet, numbers)
        alone = len(drawn.panels) == 1
        whole = drawn.panels[0][2] if alone else style.svg(sheet.draw(numbers), sheet.name)
        files[f"figures/{sheet.name}.svg"] = _standalone(whole)
        figures.append(drawn)
    files["index.html"] = _page(data, figures)
    return files


def _drawn(sheet: Sheet, numbers: Any) -> Drawn:
    # Each panel is an SVG of its own, so that a phone can put them below each other.
    panels = []
    for place, panel in enumerate(numbers.panels, start=1):
        figure = sheet.draw(numbers._replace(panels=(panel,)))
        name = f"{sheet.name}-{place}"
        axes = figure.axes[0]
        alt = f"{sheet.title}: {axes.get_title()}. {axes.get_ylabel()} against {axes.get_xlabel()}, {_extent(panel)}."
        panels.append((name, alt, style.svg(figure, name)))
    return Drawn(sheet, tuple(panels))


def _extent(panel: Any) -> str:
    series = sorted({point.regularizer for point in panel.points}) if "regularizer" in panel.points[0]._fields else []
    of = f" of {', '.join(series)}" if series else ""
    return f"{text.count(len(panel.points), 'point')}{of}"


def _standalone(svg: str) -> bytes:
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + svg.encode()


def _page(data: Snapshot, figures: list[Drawn]) -> bytes:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    page = environment.get_template("report.html.j2").render(
        name=str(data.study.get("name", "unnamed")),
        question=_question(data),
        picked_on_test=data.picked_on_test,
        missing=missing(data),
        claims=claims(data),
        headings=text.HEADINGS,
        rows=text.result_rows(data),
        baseline=data.baseline,
        figures=[
            {
                "name": drawn.sheet.name,
                "title": drawn.sheet.title,
                "caption": drawn.sheet.caption,
                # Safe: the SVG is matplotlib's, which escapes every name that stands in it.
                "panels": [(name, alt, Markup(svg)) for name, alt, svg in drawn.panels],
            }
            for drawn in figures
        ],
        budget=budget(data),
        methods=[_method(data, name) for name in data.regularizers],
        provenance=_flat(data.provenance, skip=("regularizers", "command")),
        command=data.provenance.get("command"),
        share=text.share,
        seconds=text.seconds,
    )
    return page.encode()


def _question(data: Snapshot) -> list[tuple[str, str]]:
    study = data.study
    shown = [
        ("Data set", study.get("dataset")),
        ("Model", study.get("model")),
        ("Regularizers", ", ".join(data.regularizers)),
        ("Baseline", data.baseline),
        ("Shares of the training data", _fractions(study.get("fractions"))),
        ("Strengths picked on", "the test set" if data.picked_on_test else "a validation split of the training data"),
        ("Training", _settings(study.get("training"))),
        ("Search, each regularizer", _settings(study.get("search"))),
        ("Confirmed on", _settings(study.get("confirm"))),
        ("Attacked by", _settings(study.get("robustness"))),
        ("Seed", study.get("seed")),
    ]
    return [(name, str(value)) for name, value in shown if value not in (None, "")]


def _fractions(value: object) -> str:
    return ", ".join(text.share(at) for at in sorted(value)) if isinstance(value, list) else ""


def _settings(value: object) -> str:
    return "; ".join(f"{key.replace('_', ' ')} {shown}" for key, shown in _flat(mapping(value)))


def _flat(value: object, *, prefix: str = "", skip: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    # Tables of tables become lines of "key key: value".
    found: list[tuple[str, str]] = []
    for key, inner in mapping(value).items():
        name = f"{prefix}{key}"
        if name in skip or inner is None:
            continue
        if isinstance(inner, dict):
            found += _flat(inner, prefix=f"{name} ")
        elif isinstance(inner, list):
            found.append((name, ", ".join(text.setting(item) for item in inner)))
        else:
            found.append((name, text.setting(inner)))
    return found


def _method(data: Snapshot, name: str) -> dict[str, Any]:
    method = data.method(name)
    return {
        "name": name,
        "formula": method.get("formula"),
        "reference": method.get("reference"),
        "strength": method.get("strength"),
        "space": [(key, _space(space)) for key, space in mapping(method.get("space")).items()],
    }


def _space(description: object) -> str:
    fields = mapping(description)
    if "choices" in fields:
        return "one of " + ", ".join(map(text.setting, fields["choices"]))
    if "low" in fields and "high" in fields:
        log = ", log" if fields.get("log") else ""
        return f"{text.setting(fields['low'])} to {text.setting(fields['high'])}{log}"
    return text.setting(fields["value"]) if "value" in fields else str(description)
