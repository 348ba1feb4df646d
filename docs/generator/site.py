"""All pages that are made at build time, and the links of those that are not."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generator.catalogues import names_page, rules_page
from generator.gallery import gallery_page
from generator.markdown import inside
from generator.regularizer_pages import write_regularizer_pages
from generator.study_file import study_file_page

ROOT = Path(__file__).parents[2]


def write_made_pages(folder: Path) -> None:
    """Write the made pages into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "regularizers").mkdir(parents=True)
    write_regularizer_pages(folder / "regularizers")
    for name, text in pages().items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def pages() -> Mapping[str, str]:
    """The made pages, apart from those of the regularizers, by their names."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## (Which numbers to trust\n.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    assert section is not None
    return {
        "study-file": study_file_page(),
        "rules": rules_page(),
        "names": names_page(),
        "gallery": gallery_page(),
        "which-numbers": inside(f"# {section[1]}", "", moved=True),
        "how-it-searches": _moved("docs", "search.md"),
        "release-notes": _moved("", "CHANGELOG.md"),
        "contributing": _moved("", "CONTRIBUTING.md"),
    }


def _moved(folder: str, name: str) -> str:
    return inside((ROOT / folder / name).read_text(encoding="utf-8"), folder, moved=True)


def rewrite_links(_: object, name: str, source: list[Any]) -> None:
    """Links of a page that lead out of docs/, as Sphinx's event ``source-read`` gives the page."""
    if not name.startswith("made/"):
        source[0] = inside(source[0], "/".join(["docs", *name.split("/")[:-1]]))
