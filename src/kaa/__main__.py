"""The entry point: ``kaa`` and ``python -m kaa``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from kaa.cli.main import run

    run()


if __name__ == "__main__":
    main()
