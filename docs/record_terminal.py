"""Make ``docs/terminal.svg``: kaa's real output, as a picture.

Run it with the interpreter of an environment that has kaa: ``python docs/record_terminal.py``. It
works in a temporary root and leaves nothing behind.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 92
COMMANDS = [
    "kaa create -y -n demo -c pypi python pandas matplotlib",
    'kaa run -n demo python -c "import pandas; print(pandas.__version__)"',
    "kaa env list",
    "jupyter kernelspec list",
]


def main() -> None:
    """Run the commands on a pseudo-terminal and write what they showed."""
    console = Console(record=True, width=COLUMNS, file=Path(os.devnull).open("w"))  # noqa: SIM115
    with tempfile.TemporaryDirectory() as directory:
        environ = {
            **os.environ,
            "KAA_ROOT": f"{directory}/kaa",
            "JUPYTER_DATA_DIR": f"{directory}/jupyter",
            "HOME": directory,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TERM": "xterm-256color",
            "COLUMNS": str(COLUMNS),
        }
        for command in COMMANDS:
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
            shown = _on_terminal(command, environ)
            shown = shown.replace(f"{directory}/kaa", "~/.local/share/kaa")
            shown = shown.replace(f"{directory}/jupyter", "~/.local/share/jupyter")
            shown = shown.replace(sys.prefix, "/opt/jupyter")
            console.print(Text.from_ansi(shown.strip("\n")))
            console.print()
    svg = console.export_svg(title="kaa")
    # The fonts of the reader's machine do; a picture should not load anything from elsewhere.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    Path(__file__).with_name("terminal.svg").write_text(svg, encoding="utf-8")


def _on_terminal(command: str, environ: dict[str, str]) -> str:
    """Return what a command writes to a terminal, without the progress it wipes out again."""
    master, terminal = pty.openpty()
    process = subprocess.Popen(command, shell=True, stdout=terminal, stderr=terminal, env=environ)
    os.close(terminal)
    chunks = []
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:  # the other end was closed
            break
        chunks.append(chunk)
    process.wait()
    os.close(master)
    return _visible(b"".join(chunks).decode())


def _visible(output: str) -> str:
    """Carry out what the progress display uses: carriage return, line erased, cursor up."""
    lines = [""]
    row = 0
    for part in re.split(r"(\r|\n|\x1b\[2K|\x1b\[1?A|\x1b\[\?25[lh])", output):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part in ("\x1b[1A", "\x1b[A"):
            row = max(row - 1, 0)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part and part != "\r" and not part.startswith("\x1b[?25"):
            lines[row] += part
    return "\n".join(line.rstrip() for line in lines)


if __name__ == "__main__":
    main()
