"""Compile Python files, as a program of the standard library alone.

It is run by the interpreter of an environment, of any version from 3.8 on, and not imported. Each
line of its input is a JSON list of pairs, a path and the name for messages; for each it answers
with a line, the list of the paths of the bytecode. It ends with its input.
"""

from __future__ import annotations

import json
import py_compile
import sys


def compile_all(sources: list[list[str]]) -> list[str]:
    """Compile what can be compiled; what cannot is a template, or written for another Python."""
    made = []
    for path, name in sources:
        try:
            # Neither a hash, whatever the environment says, nor another level than Python's own.
            mode = py_compile.PycInvalidationMode.TIMESTAMP
            target = py_compile.compile(
                path, dfile=name, doraise=True, optimize=0, invalidation_mode=mode
            )
        except Exception:  # noqa: S112 - whatever it is that a compiler says
            continue
        made.append(str(target))
    return made


def main() -> None:
    """Answer line by line."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(compile_all(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
