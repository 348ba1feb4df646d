"""What the pages show: every study is valid, every command exists, the code runs, or the page says why not."""

import re
import shlex
import subprocess
import sys
import tomllib
import warnings

import pytest
import typer
from snippets import ROOT, pages, snippets

from tune_reg import Study
from tune_reg.cli.app import app
from tune_reg.regularizers import registry

#: Pages whose commands are carried out, one after the other, in an empty folder.
CARRIED_OUT = (
    pytest.param("docs/first-study.md", marks=pytest.mark.slow),  # its study is run twice
    "docs/own-model.md",
    "docs/own-regularizer.md",
)
#: Of other pages commands are only looked at: each must exist, with its options.
ALL = [(str(page.relative_to(ROOT)), snippet) for page in pages() for snippet in snippets(page)]


def of(language, *, files=False):
    return [
        pytest.param(page, snippet, id=f"{page}-{number}")
        for number, (page, snippet) in enumerate(ALL)
        if snippet.language == language and not snippet.reason and bool(snippet.file) == files
    ]


def test_what_is_not_run_has_a_reason():
    reasons = [snippet.reason for _, snippet in ALL if snippet.reason]
    assert all(len(reason.split()) >= 5 for reason in reasons)
    assert len(reasons) < len(ALL) / 2


def commands(text):
    """The commands ``tune-reg`` of a block, as lists of words; pipes, comments and line continuations are cut."""
    for line in text.replace("\\\n", " ").splitlines():
        part = re.search(r"\btune-reg\s+[a-z].*", line)
        if part and not line.lstrip().startswith("#"):
            words = shlex.split(part[0], comments=True)
            yield words[1 : next((i for i, word in enumerate(words) if word[0] in "|>;&"), len(words))]


@pytest.mark.parametrize(("page", "snippet"), of("sh"))
def test_commands_and_their_options_exist(page, snippet):
    group = typer.main.get_command(app)
    for words in commands(snippet.text):
        command, rest = group, words
        while isinstance(command, typer.core.TyperGroup):
            assert rest, f"{page}: tune-reg {shlex.join(words)} is only a part of a command"
            command, rest = command.commands.get(rest[0]), rest[1:]
        assert command is not None, f"{page}: there is no tune-reg {words[0]}"
        context = command.context_class(command, info_name=words[0])
        command.make_parser(context).parse_args(list(rest))  # raises for an option that there is not
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", snippet.text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page}: there is no make {target}"


def test_a_command_that_is_not_there_would_be_seen():
    snippet = snippets(ROOT / "docs" / "first-study.md")[1]._replace(text="tune-reg run a.toml --outt b  # no\n")
    assert list(commands(snippet.text)) == [["run", "a.toml", "--outt", "b"]]
    with pytest.raises(Exception, match="No such option: --outt"):
        test_commands_and_their_options_exist("a page", snippet)


SMALL = {"name": "part", "dataset": "fashion-mnist", "model": "lenet-4", "regularizers": ["weight-decay"]}


@pytest.mark.parametrize(("page", "snippet"), of("toml"))
def test_studies_and_parts_of_them_are_valid(page, snippet):
    part = tomllib.loads(snippet.text)
    if "regularizers" in part and "model" not in part and "weight-decay" not in part["regularizers"]:
        part["regularizers"] = {"weight-decay": {}, **part["regularizers"]}
    Study(**(part if "name" in part else {**SMALL, **part}))


@pytest.mark.ray
@pytest.mark.parametrize(("page", "snippet"), of("python"))
def test_code_runs(page, snippet, tmp_path, monkeypatch, ray_cluster):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry.regularizers()))  # a page may add its own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, in the stock Tuner
        exec(compile(snippet.text, page, "exec"), {"__name__": "a_page"})


@pytest.mark.ray
@pytest.mark.timeout(900)  # half a dozen processes, one after the other
@pytest.mark.parametrize("page", CARRIED_OUT)
def test_a_page_is_carried_out(page, tmp_path):
    """As a reader would: files are written where the page says so, commands are given in the order of the page."""
    blocks = snippets(ROOT / page)
    for snippet in blocks:
        if snippet.file:
            (tmp_path / snippet.file).write_text(snippet.text, encoding="utf-8")
    shell = f'tune-reg() {{ "{sys.executable}" -m tune_reg.cli "$@"; }}\n'
    for snippet in blocks:
        if snippet.language == "sh" and not snippet.reason:
            done = subprocess.run(
                ["bash", "-euc", shell + snippet.text], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{snippet.text}{done.stdout}{done.stderr}"


def test_the_studies_of_the_repository_are_valid():
    studies = sorted((ROOT / "studies").glob("*.toml"))
    assert [Study.from_toml(path).name for path in studies] == [path.stem for path in studies]
