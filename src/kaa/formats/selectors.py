"""Platform selectors: which lines of an environment file are meant for which platform.

In a comment behind an item (``# [linux64]``, ``# [unix and not osx]``), as conda-build and
conda-lock have them, or as a key (``sel(linux): numpy``), as micromamba has them.
"""

from __future__ import annotations

import ast
import re

_COMMENT = re.compile(r"#.*?\[([^\[\]]+)\][^()\[\]]*$")
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_SYSTEMS = {
    "linux": {"linux", "unix"},
    "osx": {"osx", "unix"},
    "win": {"win"},
}
_PROCESSORS = ("aarch64", "arm64", "armv6l", "armv7l", "ppc64", "ppc64le", "riscv64", "s390x")
_WORDS = {
    *("linux", "osx", "win", "unix", "x86", "x86_64", "linux32", "linux64", "osx64"),
    *("win32", "win64", *_PROCESSORS),
}


def selector_words(subdir: str) -> frozenset[str]:
    """Return the words that are true of a conda subdir (``linux-64``: linux, unix, linux64, ...).

    They are those of conda-build's preprocessing selectors that are about platforms.
    """
    system, _, processor = subdir.partition("-")
    words = set(_SYSTEMS.get(system, {system}))
    if processor in {"32", "64"}:
        words |= {"x86", f"{system}{processor}"}
        words |= {"x86_64"} if processor == "64" else set()
    else:
        words.add(processor)
    return frozenset(words)


def comment_selector(comment: str) -> str | None:
    """Return the selector in a comment, None if it has none.

    Brackets with anything but platform words (and ``and``, ``or``, ``not``, parentheses) in them
    are a remark, not a selector.
    """
    match = _COMMENT.match(comment)
    if match is None:
        return None
    selector = match[1].strip()
    return selector if is_selector(selector) else None


def unknown_selector(comment: str) -> str | None:
    """Return brackets of a comment that conda-build would take for a selector, and kaa does not.

    ``# [py36]`` and ``# [cuda and linux]`` are; ``# see [1]`` and ``# [the old one]`` are not.
    """
    match = _COMMENT.match(comment)
    if match is None or is_selector(match[1].strip()):
        return None
    return match[1].strip() if _names(match[1].strip()) else None


def is_selector(expression: str) -> bool:
    """Say whether an expression is of platform words only."""
    names = _names(expression)
    return bool(names) and names <= _WORDS


def selects(expression: str, subdir: str) -> bool:
    """Say whether a selector (see :func:`is_selector`) is true of a conda subdir."""
    words = selector_words(subdir)

    def holds(node: ast.expr) -> bool:
        if isinstance(node, ast.BoolOp):
            values = [holds(value) for value in node.values]
            return all(values) if isinstance(node.op, ast.And) else any(values)
        if isinstance(node, ast.UnaryOp):
            return not holds(node.operand)
        assert isinstance(node, ast.Name)
        return node.id in words

    tree = _tree(expression)
    assert tree is not None
    return holds(tree)


def _names(expression: str) -> set[str]:
    """Return the words of a boolean expression; none if it is anything else."""
    tree = _tree(expression)
    if tree is None:
        return set()
    names: set[str] = set()
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.BoolOp):
            pending += node.values
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            pending.append(node.operand)
        elif isinstance(node, ast.Name) and _WORD.fullmatch(node.id):
            names.add(node.id)
        else:
            return set()
    return names


def _tree(expression: str) -> ast.expr | None:
    # Only the syntax is Python's (as it is in conda-build); nothing is evaluated.
    if len(expression) > 200:
        return None
    try:
        return ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
