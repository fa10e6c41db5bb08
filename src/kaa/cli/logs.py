"""What ``-v`` adds: the log of every room, on standard error."""

from __future__ import annotations

import logging
import sys


class _StandardError(logging.Handler):
    """Writes to what ``sys.stderr`` is now: a progress display replaces it while it draws."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one line (or more, with a traceback)."""
        try:
            sys.stderr.write(self.format(record) + "\n")
        except OSError:
            self.handleError(record)


def log_to_stderr(verbosity: int) -> None:
    """Log kaa's steps (1), or everything that any library logs (2 and more)."""
    handler = _StandardError()
    handler.setFormatter(logging.Formatter("%(relativeCreated)7.0f ms  %(name)s: %(message)s"))
    logger = logging.getLogger("kaa" if verbosity == 1 else None)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)
