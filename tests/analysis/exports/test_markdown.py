import re

from analysis.exports import markdown
from analysis.exports.rendered_table import RenderedTable

TABLE = RenderedTable(
    "t", "A & B", "50 %", ("Name", "Test accuracy, %"), (("a|b", "1.0 [0, 2]"), ("*", "-1.0"), ("[x]", "none")), b""
)


def test_markdown_table_has_one_line_a_row_and_no_stray_column():
    lines = markdown.table(TABLE).splitlines()
    assert lines[1] == "| :--- | ---: |"
    assert [len(re.split(r"(?<!\\)\|", line)) for line in lines] == [4] * 5
    assert lines[2] == r"| a\|b | 1.0 \[0, 2\] |"


def test_markdown_shows_what_html_and_markdown_would_take():
    assert markdown.escape("<i>*a*</i>\n# b") == r"&lt;i&gt;\*a\*&lt;/i&gt; \# b"
    assert markdown.fenced("a ``` b").startswith("````\n")
