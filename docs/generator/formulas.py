"""A regularizer's formula, one line of text, as MathML, which browsers draw without a script."""

import html
import re

_LETTERS = {
    "lambda": "λ",
    "theta": "θ",
    "alpha": "α",
    "beta": "β",
    "epsilon": "ε",
    "kappa": "κ",
    "grad": "∇",
    "sum": "∑",
    "d~": "d̃",
}
_OPERATORS = {"<-": "←", "-": "−", "~": "∼", ">=": "≥", "<=": "≤"}
_FUNCTIONS = {"exp", "log", "min", "max", "mean", "std", "softmax", "sign", "diag", "Tr", "Bernoulli"}
_NAMES = {"lr", "dg", "dx", "dz"}
_SPACE = '<mspace width="0.17em"></mspace>'

_TOKEN = re.compile(r"<-|>=|<=|d~|[A-Za-z]+\d+|[A-Za-z]+|\d+(?:\.\d+)?|\s+|.")


def mathml(formula: str) -> str:
    """The formula as elements ``math``, one for each part between commas and semicolons outside of brackets.

    Greek letters stand by their names, ``_`` and ``^`` take the next letter, number or bracket, and words of English
    are set as text.

    >>> mathml("w <- w^2")
    '<math display="block"><mi>w</mi><mo>←</mo><msup><mi>w</mi><mn>2</mn></msup></math>'
    >>> mathml("y = f(a, b), a > 0").count("<math")
    2
    """
    return "\n".join(f'<math display="block">{_joined(_row(_TOKEN.findall(part)))}</math>' for part in _parts(formula))


def _parts(formula: str) -> list[str]:
    depth, parts = 0, [""]
    for letter in formula:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter in ",;" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _joined(elements: list[str]) -> str:
    """The elements as text; words that follow each other are one text."""
    return "".join(elements).replace("&nbsp;</mtext><mtext>&nbsp;", "&nbsp;")


def _row(tokens: list[str]) -> list[str]:
    elements: list[str] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        place += 1
        if token in ("_", "^") and elements:
            script, place = _script(tokens, place)
            elements.append(_with_script(elements.pop(), token, script))
        elif not token.isspace():
            elements.append(_element(token))
    return elements


def _script(tokens: list[str], place: int) -> tuple[str, int]:
    """What stands behind a ``_`` or ``^``, and where it ends."""
    if tokens[place] != "(":
        return _element(tokens[place]), place + 1
    depth, end = 0, place
    while end < len(tokens):
        depth += {"(": 1, ")": -1}.get(tokens[end], 0)
        end += 1
        if depth == 0:
            break
    return f"<mrow>{''.join(_row(tokens[place + 1 : end - 1]))}</mrow>", end


def _with_script(base: str, mark: str, script: str) -> str:
    below = re.fullmatch(r"<msub>(.*)</msub>", base)
    if mark == "^" and below:
        return f"<msubsup>{below[1]}{script}</msubsup>"
    tag = "msub" if mark == "_" else "msup"
    return f"<{tag}>{base}{script}</{tag}>"


def _element(token: str) -> str:
    if token in _LETTERS:
        tag = "mo" if token == "sum" else "mi"
        return f"<{tag}>{_LETTERS[token]}</{tag}>"
    if token in _FUNCTIONS:
        return f"{_SPACE}<mi>{token}</mi>{_SPACE}"
    if token in _NAMES or (len(token) == 1 and token.isalpha() and token != "a"):
        return f"<mi>{token}</mi>"
    if token.isalnum():
        return f"<mn>{token}</mn>" if token[0].isdigit() else f"<mtext>&nbsp;{token}&nbsp;</mtext>"
    stretchy = ' stretchy="false"' if token == "|" else ""
    return f"<mo{stretchy}>{html.escape(_OPERATORS.get(token, token))}</mo>"
