"""Lock files of every format, real ones among them: what they hold, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from formats.real_files import ENVIRONMENTS
from kaa.formats.conda_lock import CondaLock, read_conda_lock, render_conda_lock
from kaa.formats.explicit import read_explicit, render_explicit
from kaa.formats.locked_file import read_locked
from kaa.formats.pylock_toml import read_pylock, render_pylock
from kaa.formats.recognition import FileFormat, recognise
from kaa.model.errors import RequestError, UnsupportedError

CONDA_LOCKS = sorted((ENVIRONMENTS / "conda-lock").glob("*"))
EXPLICIT = sorted((ENVIRONMENTS / "explicit").glob("*"))
SHA256 = "ab" * 32


def again(lock: CondaLock, directory: Path) -> CondaLock:
    path = directory / "conda-lock.yml"
    path.write_text(render_conda_lock(lock), encoding="utf-8")
    return read_conda_lock(path)


@pytest.mark.parametrize("path", CONDA_LOCKS, ids=lambda path: path.name)
def test_a_real_conda_lock_is_written_back_with_the_same_meaning(
    path: Path, tmp_path: Path
) -> None:
    lock = read_conda_lock(path)
    assert len(lock.packages) > 100
    assert again(lock, tmp_path).meaning() == lock.meaning()
    assert recognise(path) is FileFormat.CONDA_LOCK


def test_categories_are_chosen() -> None:
    path = next(each for each in CONDA_LOCKS if "python-3.10" in each.name)
    main = read_locked(path, "linux-64")["default"].on("linux-64")
    dev = read_locked(path, "linux-64", ["dev"])["default"].on("linux-64")
    assert main is not None and dev is not None
    assert len(main.records) == 101
    assert len(dev.records) == 199
    assert not main.complete
    zlib = next(record for record in dev.records if record.name.normalized == "libzlib")
    assert (str(zlib.subdir), zlib.url.partition("linux-64")[0]) == ("linux-64", zlib.channel)
    with pytest.raises(RequestError, match="no category docs"):
        read_locked(path, "linux-64", ["docs"])


@pytest.mark.parametrize("path", EXPLICIT, ids=lambda path: path.name)
def test_a_real_list_of_urls_is_written_back_with_the_same_meaning(
    path: Path, tmp_path: Path
) -> None:
    listed = read_explicit(path)
    assert listed.platform == "linux-64"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "://" in line]
    assert [f"{each.url}#{each.md5}" for each in listed.packages] == lines
    there = tmp_path / "explicit.txt"
    there.write_text(render_explicit(listed.packages, "linux-64"), encoding="utf-8")
    assert [each.url for each in read_explicit(there).packages] == [
        each.url for each in listed.packages
    ]
    assert recognise(path) is recognise(there) is FileFormat.EXPLICIT
    locked = read_locked(path, "linux-64")["default"].on("linux-64")
    assert locked is not None
    assert [record.url for record in locked.records] == [each.url for each in listed.packages]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("numpy=1.2", "line 2: 'numpy=1.2' is no URL"),
        ("https://example.org/c/noarch/a-1-0.conda#beef", "line 2: 'beef' is neither an md5"),
        (
            "https://example.org/c/noarch/a-1-0.conda\nhttps://example.org/c/noarch/a-2-0.conda",
            "line 3: a is there twice",
        ),
    ],
)
def test_a_list_that_is_wrong(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"@EXPLICIT\n{line}\n", encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        read_explicit(path)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("metadata: {}\npackage: [\n", "line 3, column 1: this is not YAML"),
        ("version: 7\nmetadata: {}\npackage: []\n", "version 1 (it says 7)"),
        ("metadata: {}\npackage: [{name: a}]\n", "a package in it is none"),
        (
            (
                "metadata: {}\npackage:\n"
                "- {name: a, version: 1, manager: conda, platform: linux-64, url: a-1-0.conda}\n"
                "- {name: a, version: 2, manager: conda, platform: linux-64, url: a-2-0.conda}\n"
            ),
            "a for linux-64 is two packages: a-1-0.conda and a-2-0.conda",
        ),
    ],
)
def test_a_conda_lock_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "conda-lock.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        read_conda_lock(path)
    assert said in caught.value.message


PYLOCK = f"""\
lock-version = "1.0"
created-by = "somebody"
requires-python = ">=3.10"

[[packages]]
name = "bear"
version = "1.0"
marker = "sys_platform != 'win32'"
index = "https://example.org/simple"

[[packages.wheels]]
name = "bear-1.0-py3-none-any.whl"
path = "wheels/bear-1.0-py3-none-any.whl"
hashes = {{ sha256 = "{SHA256}" }}
"""


def test_a_pylock_is_written_back_with_the_same_meaning(tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    path.write_text(PYLOCK, encoding="utf-8")
    lock = read_pylock(path)
    (package,) = lock.packages
    assert package.files[0].url == (tmp_path / "wheels/bear-1.0-py3-none-any.whl").as_uri()
    assert (package.marker, lock.requires_python) == ('sys_platform != "win32"', ">=3.10")
    other = tmp_path / "pylock.other.toml"
    other.write_text(render_pylock(lock), encoding="utf-8")
    assert read_pylock(other) == lock
    assert recognise(other) is FileFormat.PYLOCK


def test_a_pylock_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    path.write_text(PYLOCK.replace('"1.0"\ncreated', '"2.0"\ncreated'), encoding="utf-8")
    with pytest.raises(RequestError, match=r"no pylock\.toml that can be read"):
        read_pylock(path)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("environment.yml", "dependencies: []\n", FileFormat.ENVIRONMENT_YML),
        ("x.txt", "numpy==1.2\n", FileFormat.REQUIREMENTS),
        ("x.txt", "# platform: linux-64\nnumpy=1.26=py310_0\n", FileFormat.MATCH_SPECS),
        ("x.txt", "a>=1 --hash=sha256:00\n", FileFormat.REQUIREMENTS),
        ("x.txt", "# mine\n@EXPLICIT\n", FileFormat.EXPLICIT),
        ("x.lock", "version: 6\nenvironments: {}\n", FileFormat.PIXI_LOCK),
        ("x.yml", "version: 6\nenvironments: {}\npackages: []\n", FileFormat.PIXI_LOCK),
        ("x.toml", "[workspace]\n", FileFormat.PIXI_TOML),
        ("x.toml", "[project]\nname = 'a'\n", FileFormat.PYPROJECT),
        ("x.toml", 'lock-version = "1.0"\n', FileFormat.PYLOCK),
    ],
)
def test_formats_are_told_apart(tmp_path: Path, name: str, text: str, kind: FileFormat) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert recognise(path) is kind


def test_lock_files_that_only_their_own_program_reads() -> None:
    with pytest.raises(UnsupportedError) as caught:
        recognise(Path("uv.lock"))
    assert caught.value.hint is not None
    assert "uv export" in caught.value.hint
