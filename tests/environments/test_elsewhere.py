"""Directories in which environments have a path of their own are known before they are complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.environments.elsewhere import forget_directories, note_directory, noted_directories
from kaa.environments.prefix import Prefix
from kaa.store.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path


def test_a_directory_is_known_while_there_is_something_in_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "kaa")
    prefix = Prefix(tmp_path / "my projects" / "own")
    for _ in range(2):
        note_directory(layout, prefix)
    assert noted_directories(layout) == ()
    forget_directories(layout)
    prefix.generations.mkdir(parents=True)
    assert noted_directories(layout) == ()

    note_directory(layout, prefix)
    forget_directories(layout)
    assert noted_directories(layout) == (tmp_path / "my projects",)


def test_kaas_own_directory_need_not_be_noted(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "kaa")
    prefix = Prefix(layout.environments / "demo")
    prefix.generations.mkdir(parents=True)
    note_directory(layout, prefix)
    assert noted_directories(layout) == ()
    assert not (layout.root / "elsewhere").exists()


def test_what_is_no_note_is_left_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "kaa")
    own = layout.root / "elsewhere" / "trial"
    own.parent.mkdir(parents=True)
    own.symlink_to("nowhere")
    forget_directories(layout)
    assert own.is_symlink() and noted_directories(layout) == ()
