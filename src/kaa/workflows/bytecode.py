"""Have the bytecode of what an environment has been linked from compiled, in the background."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kaa.transaction.cached import not_compiled, python_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rattler import RepoDataRecord

    from kaa.environments.prefix import Prefix
    from kaa.settings.configuration import Configuration
    from kaa.store.layout import Layout

_PYTHON = "python.exe" if os.name == "nt" else "bin/python"


def compile_later(
    records: Sequence[RepoDataRecord], prefix: Prefix, layout: Layout, configuration: Configuration
) -> None:
    """Start to compile those of ``records`` that are not, unless the settings say otherwise.

    The environment at ``prefix`` has been made of them; the next one will have their bytecode.
    Nobody waits for it, and nothing is said of it.
    """
    if not configuration.compile_bytecode:
        return
    version, entries = python_version(records), not_compiled(layout, records)
    python = prefix.current / _PYTHON
    if version is None or not entries or not python.exists():
        return
    if os.access(layout.packages, os.W_OK):
        from kaa.store.compiling import start_compiling

        start_compiling(layout, version, python, entries)
