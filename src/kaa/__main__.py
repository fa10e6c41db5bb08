"""The entry point: ``kaa`` and ``python -m kaa``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line.

    What a shell's hook asks for is answered first, because a user waits for it at a prompt; what
    it is refused, and everything else, takes the long way.
    """
    if sys.argv[1:2] in (["activate"], ["deactivate"], ["reactivate"]):
        from kaa.cli.hooked import answered

        if answered(sys.argv[1:]):
            return
    from kaa.cli.main import run

    run()


if __name__ == "__main__":
    main()
