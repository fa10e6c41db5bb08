"""The entry point: ``kaa`` and ``python -m kaa``."""

from __future__ import annotations

import gc
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
    # A process of a second makes little garbage, and looking for it takes a tenth of that.
    gc.set_threshold(100_000)
    from kaa.cli.main import run

    run()


if __name__ == "__main__":
    main()
