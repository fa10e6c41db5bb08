"""conda's own history: written so that conda reads it, and read as conda reads its own."""

from __future__ import annotations

import re
from ast import literal_eval
from typing import TYPE_CHECKING, Any

import pytest

from kaa.environments.conda_history import (
    HISTORY,
    State,
    append_history,
    asked_in_history,
    dist_name,
)
from prefix_records import write_record

if TYPE_CHECKING:
    from pathlib import Path

WHEN = "2026-03-04T05:06:07+00:00"
OF_CONDA = """\
==> 2024-01-02 03:04:05 <==
# cmd: /opt/conda/bin/conda create -n science numpy=1.26 pandas
# conda version: 23.11.0
+conda-forge/linux-64::numpy-1.26.4-py312_0
+conda-forge/noarch::tzdata-2024a-0
# update specs: ['numpy=1.26', 'pandas', 'conda-forge::scipy[version=">=1"]']
==> 2024-01-03 03:04:05 <==
# cmd: /opt/conda/bin/conda remove pandas
# conda version: 23.11.0
-conda-forge/linux-64::pandas-2.1.0-py312_0
# remove specs: ['pandas']
==> 2024-01-04 03:04:05 <==
# cmd: /opt/conda/bin/conda install zlib gone
# update specs: ['zlib', 'gone']
# neutered specs: ['numpy']
"""


def record(name: str, version: str = "1.0", channel: str = "pypi") -> dict[str, Any]:
    return {"name": name, "version": version, "build": "0", "channel": channel, "subdir": "noarch"}


def as_conda_reads(text: str) -> tuple[set[str], dict[str, str], list[str]]:
    """Return the state, the specs and the commands, by the rules of conda's ``history.py``."""
    state: set[str] = set()
    specs: dict[str, str] = {}
    commands = []
    content: set[str] = set()
    for line in [*text.splitlines(), "==> end <=="]:
        if re.match(r"==>\s*(.+?)\s*<==", line):
            if not any(each.startswith(("-", "+")) for each in content):
                state = content or state
            for each in content:
                assert each[0] in "+-", f"conda would take {each!r} for a package"
                (state.add if each[0] == "+" else state.discard)(each[1:])
            content = set()
        elif line.startswith("#"):
            if command := re.match(r"#\s*cmd:\s*(\S.+)", line):
                commands.append(command[1])
            if found := re.match(r"#\s*(\w+)\s*specs:\s*(.+)?", line):
                for spec in literal_eval(found[2]):
                    name = re.split(r"[\s=<>!~\[]", spec)[0]
                    specs.pop(name, None)
                    if found[1] == "update":
                        specs[name] = spec
        elif line.strip():
            content.add(line)
    return state, specs, commands


def history(prefix: Path) -> str:
    return (prefix / HISTORY).read_text(encoding="utf-8")


def test_conda_reads_what_was_done(tmp_path: Path) -> None:
    bear, newer, fur = record("bear"), record("bear", "1.1"), record("fur", channel="conda-forge")
    first = State((bear, fur), ("bear", "fur"))
    append_history(tmp_path, "kaa create -n demo bear fur", WHEN, State(), first)
    assert history(tmp_path).startswith("==> 2026-03-04 05:06:07 <==\n# cmd: kaa create")
    second = State((newer,), ("bear>=1.1",))
    append_history(tmp_path, "kaa remove\n-x  fur", WHEN, first, second)
    state, specs, commands = as_conda_reads(history(tmp_path))
    assert state == {"pypi/noarch::bear-1.1-0"}
    assert specs == {"bear": "bear>=1.1"}
    assert commands == ["kaa create -n demo bear fur", "kaa remove -x fur"]
    assert dist_name(fur) == "conda-forge/noarch::fur-1.0-0"
    # And back again.
    append_history(tmp_path, "kaa undo", WHEN, second, first)
    state, specs, _ = as_conda_reads(history(tmp_path))
    assert state == {"pypi/noarch::bear-1.0-0", "conda-forge/noarch::fur-1.0-0"}
    assert specs == {"bear": "bear", "fur": "fur"}


def test_specs_are_such_as_conda_can_read(tmp_path: Path) -> None:
    specs = ("pypi::bear[warm,soft]>=1", "fur @ https://example.org/fur.whl", "python=3.12", "wolf")
    append_history(tmp_path, "kaa", WHEN, State(), State((), (*specs, 'a[build="py*"]')))
    line = history(tmp_path).splitlines()[-1]
    found = ["bear>=1", "fur", "python=3.12", "wolf", 'a[build="py*"]']
    assert literal_eval(line.partition("specs: ")[2]) == found


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / HISTORY
    file.parent.mkdir()
    file.write_bytes(OF_CONDA.encode() + "# größer: \udcff".encode("utf-8", "surrogateescape"))
    before = file.read_bytes()
    other = tmp_path / "other-name-of-the-same-file"
    other.hardlink_to(file)
    append_history(tmp_path, "kaa x", WHEN, State((record("bear"),)), State())
    assert file.read_bytes().startswith(before + b"\n==> 2026")
    assert other.read_bytes() == before, "it may be shared"
    # Without a history nothing was there before, as far as conda knows.
    append_history(tmp_path / "new", "kaa x", WHEN, State((record("a"),)), State((record("a"),)))
    assert "+pypi/noarch::a-1.0-0" in history(tmp_path / "new")


def test_what_conda_was_asked_for(tmp_path: Path) -> None:
    for name in ("numpy", "tzdata", "scipy", "zlib"):
        write_record(tmp_path, name)
    (tmp_path / HISTORY).write_text(OF_CONDA, encoding="utf-8")
    asked = asked_in_history(tmp_path)
    # pandas was removed, gone is not there any more, and numpy was loosened by conda.
    assert asked == ("numpy", 'conda-forge::scipy[version=">=1"]', "zlib")


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        ("# install specs: bear >=1,fur", ("bear >=1", "fur")),  # before conda 4.4
        ("# update specs: []", ()),
        ("# update specs:", ()),
        ("# update specs: ['bear', 'mkl@']", ("bear",)),
        ("# update specs: ['bear'", ("'bear'",)),
        ("# remove specs: ['bear']\n# update specs: ['bear=2']", ("bear=2",)),
        ("# update specs: ['bear=2']\n# remove specs: ['bear']", ("bear=2",)),
        ("# update specs: ['Bear']\n==> x <==\n# remove specs: ['bear']", ()),
        ("# update specs: 7", ()),
        ("no history at all", ()),
    ],
)
def test_other_forms(tmp_path: Path, lines: str, asked: tuple[str, ...]) -> None:
    for name in ("bear", "fur", "'bear'"):
        write_record(tmp_path, name)
    (tmp_path / HISTORY).write_text(f"==> 2020-01-01 00:00:00 <==\n{lines}\n", encoding="utf-8")
    assert asked_in_history(tmp_path) == asked


def test_no_history_asks_for_nothing(tmp_path: Path) -> None:
    assert asked_in_history(tmp_path) == ()
    (tmp_path / HISTORY).mkdir(parents=True)
    assert asked_in_history(tmp_path) == ()
