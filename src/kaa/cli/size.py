"""Sizes as people read them."""

from __future__ import annotations


def size_text(number: int) -> str:
    """Return a number of bytes in decimal units, such as ``16.2 MB``."""
    from rich.filesize import decimal

    return decimal(number)
