from analysis.exports import bibtex


def test_bibtex_entries_are_told_apart_and_not_repeated():
    one = "@article{b,\n  title = {{A} @ b},\n}"
    two = "@misc{a,\n}\n@misc{b,\n}"
    assert bibtex.entries([one, two, "no entry"]) == ("@misc{a,\n}", one)
    assert bibtex.keys(two) == ("a", "b")
