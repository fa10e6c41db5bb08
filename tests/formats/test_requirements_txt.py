"""Lines of requirements files, as pip's documentation has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kaa.formats.requirements_txt import (
    LineKind,
    expand_variables,
    parse_requirement_line,
    read_requirements,
)
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("rich", LineKind.REQUIREMENT, "rich"),
        (" rich >=13,<14  # why", LineKind.REQUIREMENT, "rich >=13,<14"),
        ("a#b", LineKind.REQUIREMENT, "a#b"),
        ('x>=1; python_version < "3.9"', LineKind.REQUIREMENT, 'x>=1; python_version < "3.9"'),
        ("p @ https://e.org/p.whl", LineKind.REQUIREMENT, "p @ https://e.org/p.whl"),
        ("p[a,b]@git+https://e.org/p", LineKind.REQUIREMENT, "p[a,b]@git+https://e.org/p"),
        ("https://e.org/p.zip#sha256=0", LineKind.LOCATION, "https://e.org/p.zip#sha256=0"),
        ("git+https://e.org/p#egg=p", LineKind.LOCATION, "git+https://e.org/p#egg=p"),
        ("./p", LineKind.LOCATION, "./p"),
        (".", LineKind.LOCATION, "."),
        ("../p", LineKind.LOCATION, "../p"),
        ("/opt/p", LineKind.LOCATION, "/opt/p"),
        ("C:\\p", LineKind.LOCATION, "C:\\p"),
        ("p-1.0-py3-none-any.whl", LineKind.LOCATION, "p-1.0-py3-none-any.whl"),
        ("-e .", LineKind.EDITABLE, "."),
        ("--editable=./p[x]", LineKind.EDITABLE, "./p[x]"),
        ("-e git+https://e.org/p#egg=p", LineKind.EDITABLE, "git+https://e.org/p#egg=p"),
        ("-r other.txt", LineKind.FILE, "other.txt"),
        ("-rother.txt", LineKind.FILE, "other.txt"),
        ("--requirement 'a b.txt'", LineKind.FILE, "a b.txt"),
        ("-c c.txt", LineKind.CONSTRAINTS, "c.txt"),
        ("-i https://e.org/s", LineKind.INDEX_URL, "https://e.org/s"),
        ("--index-url=https://e.org/s", LineKind.INDEX_URL, "https://e.org/s"),
        ("--extra-index-url https://e.org/s", LineKind.EXTRA_INDEX_URL, "https://e.org/s"),
        ("-f ./wheels", LineKind.FIND_LINKS, "./wheels"),
        ("--pre", LineKind.OPTION, "--pre"),
        ("--no-binary :all:", LineKind.OPTION, "--no-binary=:all:"),
    ],
)
def test_one_thing(text: str, kind: LineKind, value: str) -> None:
    (line,) = parse_requirement_line(text, 7, "r.txt")
    assert (line.kind, line.value, line.line, line.hashes) == (kind, value, 7, ())


@pytest.mark.parametrize("text", ["", "   ", "# a remark", "  # -e ."])
def test_nothing(text: str) -> None:
    assert parse_requirement_line(text, 1, "r.txt") == ()


def test_several_options_in_a_line() -> None:
    lines = parse_requirement_line("--no-index --find-links a -f b", 1, "r.txt")
    assert [(line.kind, line.value) for line in lines] == [
        (LineKind.FIND_LINKS, "a"),
        (LineKind.FIND_LINKS, "b"),
        (LineKind.OPTION, "--no-index"),
    ]


@pytest.mark.parametrize(
    "text",
    ["--bogus", "-e", "rich --bogus", "rich --hash=sha256:xyz", "rich --hash=md5:0", "-e 'x"],
)
def test_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"r\.txt, line 3: "):
        parse_requirement_line(text, 3, "r.txt")


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(
        "\ufeff# header \\\n"
        f"rich==13.0 ; python_version >= '3.8' \\\n    --hash=sha256:{DIGEST} \\\n"
        f"    --hash=sha256:{DIGEST.upper()}  # two\n"
        "-r more.txt\r\n"
        "last \\",
        encoding="utf-8",
    )
    first, more, last = read_requirements(path)
    assert first.value == "rich==13.0 ; python_version >= '3.8'"
    assert first.hashes == (f"sha256:{DIGEST}", f"sha256:{DIGEST}")
    assert (first.line, more.line, last.line) == (2, 5, 6)
    assert (more.kind, more.value) == (LineKind.FILE, "more.txt")
    assert last.value == "last"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        read_requirements(tmp_path / "absent.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(RequestError, match="UTF-8"):
        read_requirements(tmp_path / "latin.txt")


def test_variables_are_pips() -> None:
    environ = {"TOKEN": "secret", "lower": "x"}
    text = "https://${TOKEN}@e.org/${lower}/${UNSET}/$TOKEN"
    assert expand_variables(text, environ) == "https://secret@e.org/${lower}/${UNSET}/$TOKEN"
