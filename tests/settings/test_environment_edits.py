"""What kaa's own file says of environments is changed, and nothing else of it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from kaa.kernels.options import configured_options, environment_key
from kaa.model.errors import RequestError
from kaa.settings.environment_edits import EnvironmentEdit, edit_environments

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """\
# what I use most
channels = ["corp", "pypi"]   # in this order

[kernels]
# the old ones
hidden = [
    "old",          # until summer
    "/envs/older",
]
name-format = "{environment}"

[kernels.alias]
"/envs/shop" = "The shop"  # as in the contract

[proxies]
https = "http://proxy.example.org:3128"
"""


def edit(file: Path, *edits: EnvironmentEdit) -> str:
    environ = {"KAA_CONFIG": str(file), "HOME": "/home/bear"}
    assert edit_environments(environ, "kernels", edits, environment_key) == file.resolve()
    return file.read_text()


def names(path: str) -> tuple[str, ...]:
    return (path, path.rpartition("/")[2])


def test_comments_and_order_stay(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(WHOLE)
    assert edit(file, EnvironmentEdit("hidden", names("/envs/none"), None)) == WHOLE
    assert edit(file, EnvironmentEdit("hidden", names("/envs/old"), True)) == WHOLE, (
        "it is on the list"
    )
    changed = edit(file, EnvironmentEdit("alias", names("/envs/shop"), "Shop"))
    assert changed == WHOLE.replace("The shop", "Shop")
    changed = edit(file, EnvironmentEdit("hidden", names("/envs/older"), None))
    assert changed == WHOLE.replace("The shop", "Shop").replace('    "/envs/older",\n', "")
    edit(
        file,
        EnvironmentEdit("pinned", names("/envs/new"), True),
        EnvironmentEdit("icons", ("/envs/new",), "/l.png"),
    )
    options = configured_options({"KAA_CONFIG": str(file)})
    assert (set(options.pinned), set(options.hidden)) == ({"/envs/new"}, {"old"})
    assert dict(options.icons) == {"/envs/new": "/l.png"}
    assert dict(options.aliases) == {"/envs/shop": "Shop"}
    assert "# what I use most" in file.read_text() and "# in this order" in file.read_text()


def test_a_file_is_made_and_only_where_it_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "config.toml"
    environ = {"KAA_CONFIG": str(file)}
    edit_environments(environ, "kernels", [EnvironmentEdit("alias", ("a",), None)])
    assert not file.exists()
    edit(file, EnvironmentEdit("alias", ("a",), "A"), EnvironmentEdit("pinned", ("a",), True))
    options = configured_options(environ)
    assert (dict(options.aliases), set(options.pinned)) == ({"a": "A"}, {"a"})


@pytest.mark.parametrize(
    "text",
    [
        'kernels.pinned = ["b"]\nkernels.alias.b = "B"\n',
        'kernels = {pinned = ["b"], alias = {b = "B"}}\n',
        '[kernels.alias]\nb = "B"\n[other]\n[kernels]\npinned = ["b"]\n',
    ],
)
def test_every_way_to_write_a_table(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text.replace("[other]\n", ""))
    edit(
        file,
        EnvironmentEdit("pinned", ("a",), True),
        EnvironmentEdit("alias", ("a",), "A"),
        EnvironmentEdit("alias", ("b",), None),
    )
    options = configured_options({"KAA_CONFIG": str(file)})
    assert (set(options.pinned), dict(options.aliases)) == ({"a", "b"}, {"a": "A"})


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text(WHOLE)
    real.chmod(0o600)
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    assert '"a"' in edit(link, EnvironmentEdit("pinned", ("a",), True))
    assert link.is_symlink()
    assert os.name == "nt" or stat.S_IMODE(real.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["[kernels", "kernels = 3\n", "[kernels]\nhidden = {\n"])
def test_what_is_no_toml_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(RequestError):
        edit(file, EnvironmentEdit("pinned", ("a",), True))
    assert file.read_text() == text


def test_no_file_at_all_is_no_place_to_write_to() -> None:
    with pytest.raises(RequestError, match="from no file"):
        edit_environments(
            {"KAA_CONFIG": os.devnull}, "kernels", [EnvironmentEdit("pinned", ("a",), True)]
        )
