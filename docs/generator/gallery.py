"""The gallery: the figures of the sample report, with the titles and captions of the code that draws them."""

from pathlib import Path

from analysis.figures.catalogue import FIGURES

SAMPLE = Path(__file__).parents[1] / "extra" / "sample-report"


def gallery_page() -> str:
    """The page with each figure that the sample report has as a file."""
    parts = [
        "# A sample report, and its figures\n",
        "The demo, `make demo`, searches three regularizers on scikit-learn's digits. Its report is a page that opens "
        'offline: <a href="../sample-report/index.html">the whole sample report</a>. It was made by\n',
        "<!-- not run: it takes minutes; the tests run smaller studies to their reports -->",
        "```sh\nmake demo\nmake sample\n```\n",
        "Each figure is drawn as SVG, PDF, PNG, and with its numbers as CSV.\n",
    ]
    for figure in FIGURES:
        if (SAMPLE / "figures" / f"{figure.name}.svg").is_file():
            parts += [
                f"## {figure.title}\n",
                f"![{figure.title}, of the demo](../extra/sample-report/figures/{figure.name}.svg)\n",
            ]
    return "\n".join(parts)
