"""``kaa why`` and ``kaa tree`` on an environment that ``kaa create`` has made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from conda_channel import CondaChannel
from conda_packages import build_conda_package
from local_index import LocalIndex
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli.answer import Answer

PYTHON = f"python={sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A root of kaa with an environment in it that has extras, conditions and a circle."""
    folder = tmp_path_factory.mktemp("zoo")
    root = folder / "kaa"
    with LocalIndex() as index:
        for name, options in {
            "ipykernel": {},
            "bear": {"requires": ["fur>=0.5", "honey[wild]~=1.0", "old-bee; python_version<'3'"]},
            "honey": {"requires": ["fur"], "extras": {"wild": ["bee!=2"], "tame": ["sugar"]}},
            "fur": {},
            "bee": {"requires": ["wax"]},
            "wax": {"requires": ["bee"]},
            "Wolf.Pack": {"requires": ["fur>=1,<2"]},
        }.items():
            index.add(build_wheel(folder / "wheels", name, **options))  # type: ignore[arg-type]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "kaa", "create", "-n", "zoo", "-c", "pypi", "-y", "-q"),
                *(PYTHON, "bear", "Wolf_Pack>=1"),
            ],
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_"))},
                "KAA_ROOT": str(root),
                "HOME": str(folder),
                "XDG_DATA_HOME": str(folder / "share"),
                "PIP_INDEX_URL": index.url,
                "PIP_CONFIG_FILE": os.devnull,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    yield root


@pytest.fixture
def kaa(
    kaa: Callable[..., Answer], zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Answer]:
    monkeypatch.setenv("KAA_ROOT", str(zoo))
    return lambda *arguments: kaa(*arguments, "-n", "zoo")


def lines(answer: Answer) -> list[str]:
    assert answer.code == 0, answer.err
    return [line.strip() for line in answer.out.splitlines()]


def test_why_says_who_needs_it_and_how(kaa: Callable[..., Answer]) -> None:
    assert lines(kaa("why", "fur")) == [
        "fur 1.0 (pypi)",
        "needed by what you asked for:",
        "bear → fur >=0.5",
        "Wolf_Pack>=1 → fur <2,>=1",
    ]
    assert (
        lines(kaa("why", "bee"))
        == [
            "bee 1.0 (pypi)",
            "needed by what you asked for:",
            "bear → honey[wild] 1.* → bee !=2",
        ]
        or "honey[wild]" in kaa("why", "bee").out
    )


def test_why_says_that_you_asked_for_it(kaa: Callable[..., Answer]) -> None:
    assert lines(kaa("why", "bear")) == ["bear 1.0 (pypi)", "you asked for it: bear"]
    python = lines(kaa("why", "python"))
    assert python[1:3] == [f"you asked for it: {PYTHON}", "also needed by what you asked for:"]
    assert [line.partition(" →")[0] for line in python[3:]] == ["bear", "Wolf_Pack>=1"]


@pytest.mark.parametrize("name", ["wolf-pack", "WOLF_PACK", "wolf.pack"])
def test_names_of_pypi_are_understood(kaa: Callable[..., Answer], name: str) -> None:
    assert lines(kaa("why", name)) == ["wolf-pack 1.0 (pypi)", "you asked for it: Wolf_Pack>=1"]


def test_a_package_that_is_not_there(kaa: Callable[..., Answer]) -> None:
    answer = kaa("why", "bera")
    assert answer.code == 3
    assert "there is no package 'bera' in this environment" in answer.err
    assert "did you mean `bear`?" in answer.err
    assert kaa("tree", "xyzzy", "--json").json["error"] == "PackageNotInstalledError"


def test_why_in_json(kaa: Callable[..., Answer]) -> None:
    answer = kaa("why", "bee", "--json").json
    assert answer["success"] is True
    assert answer["package"]["version"] == "1.0" and not answer["package"]["requested"]
    assert (answer["total"], answer["recorded"]) == (1, True)
    [chain] = answer["chains"]
    assert [(link["from"], link["to"], link["extra"]) for link in chain] == [
        ("bear", "honey", None),
        ("honey", "bee", "wild"),
    ]
    assert chain[0]["extras"] == ["wild"] and chain[1]["spec"] == "!=2"
    assert [link["from"] for link in answer["needed_by"]] == ["honey", "wax"]


def test_the_tree_shows_everything_once(kaa: Callable[..., Answer]) -> None:
    drawn = kaa("tree").out.splitlines()
    assert drawn[0] == "bear 1.0 (pypi)"
    assert drawn[1] == "├── fur 1.0 (pypi) >=0.5"
    assert any(line.startswith("├── honey[wild] 1.0 (pypi)") for line in drawn)
    assert "│   ├── fur 1.0 (pypi) (*)" in drawn
    assert any(line.startswith("│   │   │   └── bee 1.0") or "wax" in line for line in drawn)
    assert drawn[-1] == "(*) its branches are shown where it is first"
    assert not any("sugar" in line or "old-bee" in line for line in drawn)
    assert [line for line in drawn if line.startswith(("wolf", "python"))]


def test_the_tree_of_some_packages_and_its_depth(kaa: Callable[..., Answer]) -> None:
    drawn = kaa("tree", "Honey", "wolf.pack", "--depth", "1").out.splitlines()
    assert [line for line in drawn if line[0].isalpha()] == [
        "honey 1.0 (pypi)",
        "wolf-pack 1.0 (pypi)",
    ]
    assert not any(line.startswith("│") for line in drawn)
    assert kaa("tree", "bear", "--depth", "0").out == "bear 1.0 (pypi)\n"


def test_the_tree_upside_down(kaa: Callable[..., Answer]) -> None:
    drawn = kaa("tree", "-i", "bee").out.splitlines()
    assert drawn[0] == "bee 1.0 (pypi)"
    assert "├── honey[wild] 1.0 (pypi) needs !=2" in drawn
    assert any(line.startswith("│   └── bear 1.0 (pypi) needs ") for line in drawn)
    assert all("asked for" not in line for line in drawn if "bear" not in line)
    assert kaa("tree", "--invert").out.startswith("python ")


def test_the_tree_in_json(kaa: Callable[..., Answer]) -> None:
    answer = kaa("tree", "honey", "--json").json
    names = [node["name"] for node in answer["nodes"]]
    assert names == ["fur", "honey", "python"] or names == ["bee", "fur", "honey", "python", "wax"]
    assert answer["roots"] == ["honey"] and answer["orphans"] == []
    assert {(edge["from"], edge["to"]) for edge in answer["edges"]} >= {
        ("honey", "fur"),
        ("honey", "python"),
    }


def test_without_unicode(
    zoo: Path, kaa_process: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAA_ROOT", str(zoo))
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    out = kaa_process("tree", "-n", "zoo", "bear").out
    assert out.isascii() and "|-- fur 1.0 (pypi) >=0.5" in out
    assert " -> fur" in kaa_process("why", "-n", "zoo", "fur").out


def test_packages_complete(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAA_ROOT", str(zoo))
    for words in ("kaa why -n zoo b", "kaa tree -n zoo b"):
        done = subprocess.run(
            [sys.executable, "-m", "kaa"],
            env={
                **os.environ,
                "_KAA_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": "4",
            },
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == ["plain,bear", "plain,bee"]


# --- environments of other programs -----------------------------------------------------------


def write_record(prefix: Path, name: str, **fields: Any) -> None:
    folder = prefix / "conda-meta"
    folder.mkdir(parents=True, exist_ok=True)
    record = {"name": name, "version": "1.0", "build": "h1_0", **fields}
    (folder / f"{name}-1.0-h1_0.json").write_text(json.dumps(record, indent=2, sort_keys=True))


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """What conda writes: nothing is known of what was asked for; run constraints; a circle."""
    prefix = tmp_path / "foreign"
    channel = "https://conda.example.org/forge/"
    write_record(prefix, "gdal", channel=channel, depends=["libgdal 1.0.*", "__glibc >=2.17"])
    write_record(prefix, "libgdal", channel=channel, depends=["libcurl >=8,<9.0a0"])
    write_record(prefix, "libcurl", channel=channel)
    write_record(prefix, "blas", channel=channel, constrains=["libcurl <8.5", "other <1"])
    write_record(
        prefix, "pytorch", channel=channel, purls=["pkg:pypi/torch"], depends=["circle", "lost"]
    )
    write_record(prefix, "circle", channel=channel, depends=["pytorch"])
    return prefix


def test_where_nobody_knows_what_was_asked_for(
    foreign: Path, kaa_process: Callable[..., Answer]
) -> None:
    answer = kaa_process("why", "-p", str(foreign), "libcurl", "-v")
    assert lines(answer) == [
        "libcurl 1.0 (forge)",
        "nobody knows what was asked for; these need it, and nothing needs them:",
        "gdal → libgdal 1.0.* → libcurl >=8,<9.0",
        "held back by the run constraints of",
        "blas 1.0 → libcurl <8.5",
    ]
    assert "held back" not in kaa_process("why", "-p", str(foreign), "libcurl").out
    assert "nothing needs it" in kaa_process("why", "-p", str(foreign), "blas").out
    assert lines(kaa_process("why", "-p", str(foreign), "torch")) == [
        "pytorch 1.0 (forge)",
        "needed by circle",
    ]


def test_what_conda_calls_something_else_is_found_without_its_record_saying_so(
    foreign: Path, kaa_process: Callable[..., Answer]
) -> None:
    write_record(foreign, "pytables")
    assert lines(kaa_process("why", "-p", str(foreign), "tables"))[0].startswith("pytables 1.0")


def test_circles_virtual_and_missing_packages(
    foreign: Path, kaa_process: Callable[..., Answer]
) -> None:
    drawn = kaa_process("tree", "-p", str(foreign), "torch", "gdal").out.splitlines()
    assert drawn == [
        "pytorch 1.0 (forge)",
        "├── circle 1.0 (forge)",
        "│   └── pytorch 1.0 (forge) (*)",
        "└── lost (not installed)",
        "gdal 1.0 (forge)",
        "├── __glibc (virtual) >=2.17",
        "└── libgdal 1.0 (forge) 1.0.*",
        "    └── libcurl 1.0 (forge) >=8,<9.0",
        "",
        "(*) its branches are shown where it is first",
    ]
    inverted = kaa_process("tree", "-p", str(foreign), "-i", "__glibc").out.splitlines()
    assert inverted == ["__glibc (virtual)", "└── gdal 1.0 (forge) needs >=2.17"]


def test_what_nothing_needs_any_more_is_a_tree_of_its_own(
    foreign: Path, kaa_process: Callable[..., Answer]
) -> None:
    write_record(foreign, "gdal", requested_spec="gdal", depends=["libgdal"])
    drawn = kaa_process("tree", "-p", str(foreign), "--depth", "0").out.splitlines()
    assert drawn[0].startswith("gdal 1.0")
    assert drawn[1:3] == ["", "Not needed by anything that was asked for:"]
    assert [line.split()[0] for line in drawn[3:]] == ["blas"]
    assert lines(kaa_process("why", "-p", str(foreign), "torch"))[1:] == [
        "nothing that was asked for needs it",
        "needed by circle",
    ]


def test_an_environment_of_conda_packages(
    tmp_path: Path, kaa_process: Callable[..., Answer]
) -> None:
    packages = tmp_path / "packages"
    with CondaChannel(tmp_path / "forge") as channel:
        channel.add(build_conda_package(packages, "wax", "1.0", constrains=["honey <9"]))
        needed = ["wax >=0.5,<2.0a0", "__glibc >=2.17"]
        channel.add(build_conda_package(packages, "honey", "2.0", depends=needed))
        channel.add(build_conda_package(packages, "bear", "1.0", depends=["honey >=1"]))
        made = kaa_process("create", "-n", "den", "-c", channel.url, "bear", "-y")
        assert made.code == 0, made.err
    assert kaa_process("tree", "-n", "den").out.splitlines() == [
        "bear 1.0 (forge)",
        "└── honey 2.0 (forge) >=1",
        "    ├── __glibc (virtual) >=2.17",
        "    └── wax 1.0 (forge) >=0.5,<2.0",
    ]
    assert lines(kaa_process("why", "-n", "den", "wax"))[2:] == [
        "bear → honey >=1 → wax >=0.5,<2.0"
    ]
    held = lines(kaa_process("why", "-n", "den", "honey", "-v"))
    assert held[-2:] == ["held back by the run constraints of", "wax 1.0 → honey <9"]
    shown = lines(kaa_process("repoquery", "whoneeds", "-n", "den", "wax"))
    assert shown[2].split() == ["honey", "2.0", "0", "forge", ">=0.5,<2.0"]


def test_chains_beyond_the_limit_are_counted(
    tmp_path: Path, kaa_process: Callable[..., Answer]
) -> None:
    prefix = tmp_path / "many"
    write_record(prefix, "goal")
    for number in range(12):
        write_record(prefix, f"a{number:02}", depends=["goal"], requested_spec=f"a{number:02}")
    short = lines(kaa_process("why", "-p", str(prefix), "goal"))
    assert len(short) == 13 and short[-1] == "... and 2 more (-v)"
    assert len(lines(kaa_process("why", "-p", str(prefix), "goal", "-v"))) == 14


def test_names_cannot_steer_the_terminal(
    tmp_path: Path, kaa_process: Callable[..., Answer]
) -> None:
    prefix = tmp_path / "bad"
    write_record(prefix, "evil", version="\x1b[31m1", depends=["x \x1b]0;1"], requested_spec="evil")
    write_record(prefix, "x", constrains=["evil \x1b[2J"])
    for command in (["tree"], ["why", "x"], ["why", "evil", "-v"], ["tree", "-i", "x"]):
        answer = kaa_process(*command, "-p", str(prefix))
        assert answer.code == 0
        assert "\x1b" not in answer.out


def test_neither_command_imports_the_solver(
    foreign: Path, kaa_process: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    for command in (["tree"], ["why", "torch"]):
        imported = kaa_process(*command, "-p", str(foreign)).err
        assert "kaa.environments.graph" in imported
        for heavy in ("rattler", "httpx", "packaging", "rich", "asyncio"):
            assert f" {heavy}\n" not in imported
