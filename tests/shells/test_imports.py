"""A user waits for activate at a prompt: what it does not need, it does not import."""

from __future__ import annotations

import subprocess
import sys

from shells.environments import environment

NOT_NEEDED = ("click", "pathlib", "dataclasses", "typing", "re", "json", "rattler", "kaa.cli.main")


def test_activate_and_deactivate_import_next_to_nothing() -> None:
    environment("a", virtual=True)
    script = (
        "import sys; before = set(sys.modules); from kaa.__main__ import main; main();"
        f"print(*sorted((set(sys.modules) - before) & set({NOT_NEEDED!r})), file=sys.stderr)"
    )
    for arguments in (["activate", "--shell", "bash", "a"], ["deactivate", "--shell", "zsh"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
        )
        assert done.stderr.replace("no environment is active", "").strip() == ""
