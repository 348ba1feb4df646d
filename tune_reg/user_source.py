"""A digest of the user's source: of a function or a class and of everything in the user's files that it uses.

Names are followed as they stand in the text: through the file that defines one, and through the user's files that are
imported there. Comments and empty lines count for nothing, and neither does the rest of a file: who adds a method to a
file of several changes none of the others. What is only named at run time (``getattr``, ``importlib``) is not seen.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from tune_reg.user_code import is_the_users


class _Wanted(NamedTuple):
    """A name of a user's module; every name of it, where that is None."""

    file: Path
    module: str
    name: str | None


class _Statement(NamedTuple):
    """A top-level statement of a file.

    ``names``: those that it gives; None where it does more than that, and counts for every name of the file.
    """

    names: set[str] | None
    text: str
    uses: list[_Wanted]


def source_digest(module: ModuleType, name: str) -> str | None:
    """16 hexadecimal digits of the source behind ``name`` in a user's module; None where the source is not the user's.

    ``name``: a function, a class, or an attribute of one, whose class then counts as a whole.
    """
    root = _wanted(module.__name__, name.partition(".")[0], module)
    if root is None:
        return None
    statements: dict[Path, list[_Statement]] = {}
    waiting, seen = [root], set()
    pieces: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        if wanted.file not in statements:
            statements[wanted.file] = []
            with contextlib.suppress(OSError, ValueError, SyntaxError):  # gone since it was imported, or no text
                statements[wanted.file] = list(_statements(wanted.file, wanted.module))
        for statement in statements[wanted.file]:
            if wanted.name is None or statement.names is None or wanted.name in statement.names:
                pieces.add(statement.text)
                waiting += statement.uses
    return hashlib.sha256("\0".join(sorted(pieces)).encode()).hexdigest()[:16]


def _statements(file: Path, module: str) -> Iterator[_Statement]:
    """The top-level statements of a user's file."""
    data = file.read_bytes()
    lines = _without_comments(data)
    for node in ast.parse(data).body:
        begin = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))])
        text = "\n".join(line for line in lines[begin - 1 : node.end_lineno] if line)
        uses = []
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                uses.append(_Wanted(file, module, part.id))
            elif isinstance(part, ast.Import | ast.ImportFrom):
                uses += _imported(part, file, module)
        yield _Statement(_names(node), text, uses)


def _names(node: ast.stmt) -> set[str] | None:
    """The names that a top-level statement gives; None where it does more than that."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        bound = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        return None if "*" in bound else bound
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    # What stands below `if __name__ == "__main__":` does not run where the file is imported.
    is_main = isinstance(node, ast.If) and "__main__" in ast.dump(node.test)
    return set() if is_docstring or is_main else None


def _imported(node: ast.Import | ast.ImportFrom, file: Path, module: str) -> list[_Wanted]:
    """What an import in a file takes from the user's files."""
    if isinstance(node, ast.Import):
        wanted = [_wanted(alias.name, None) for alias in node.names]
        return [one for one in wanted if one is not None]
    base = node.module or ""
    if node.level:
        package = module.split(".")
        is_package = file.name == "__init__.py"
        package = package[: len(package) - node.level + is_package]
        base = ".".join([*package, *([base] if base else [])])
    found = []
    for alias in node.names:
        name = None if alias.name == "*" else alias.name
        # A name of a package may be one of its modules.
        one = (_wanted(f"{base}.{name}", None) if name else None) or _wanted(base, name)
        found += [] if one is None else [one]
    return found


def _wanted(module: str, name: str | None, loaded: ModuleType | None = None) -> _Wanted | None:
    """A name of a module, where the module is a file of the user's."""
    known = loaded or sys.modules.get(module)
    file = _file_not_imported(module) if known is None else getattr(known, "__file__", None)
    if file is None or not file.endswith(".py") or not is_the_users(file):
        return None
    return _Wanted(Path(file), module, name)


def _file_not_imported(module: str) -> str | None:
    """The file of a module that this process has not imported, as an import inside a function may not have been."""
    top = module.partition(".")[0]
    try:
        if top != module:  # to look for it imports the package, which may take seconds where it is not the user's
            package = importlib.util.find_spec(top)
            folders = (package.submodule_search_locations if package is not None else None) or ()
            if not any(is_the_users(folder) for folder in folders):
                return None
        spec = importlib.util.find_spec(module)
    except Exception:  # of a package of the user's that fails when it is imported, or of what is no package
        return None
    return spec.origin if spec is not None and spec.has_location else None


def _without_comments(data: bytes) -> list[str]:
    """The lines of a Python file without comments and what stands behind them."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    text = data.decode(encoding)
    lines = io.StringIO(text, newline=None).read().split("\n")
    tokens = tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline)
    for token in tokens:
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return [line.rstrip() for line in lines]
