"""The site: `make docs` builds it into out/site. Warnings are errors, and nothing is fetched to build or to read it."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))  # generator

from generator.site import rewrite_links, write_made_pages

from tune_reg import __version__

project = "tune-reg"
author = "the contributors of tune-reg"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_ambiguous"]
exclude_patterns = ["extra", "search.md"]  # it is made/how-it-searches, as Sphinx has a search.html of its own
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
default_role = "code"

html_theme = "furo"
html_title = f"tune-reg {__version__}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_extra_path = ["extra"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def setup(app: Sphinx) -> None:
    """Write the pages that are made of the code before any page is read."""
    app.connect("builder-inited", lambda app: write_made_pages(Path(app.srcdir) / "made"))
    app.connect("source-read", rewrite_links)
