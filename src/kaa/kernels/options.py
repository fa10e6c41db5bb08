"""What the user has configured for kernels, in kaa's own file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kaa.kernels.offers import KernelOptions

if TYPE_CHECKING:
    from collections.abc import Mapping


def configured_options(environ: Mapping[str, str] | None = None) -> KernelOptions:
    """Return the options that kaa's own files have, the defaults where there is no file.

    Raises :class:`~kaa.model.errors.RequestError` for files and values that make no sense.
    """
    from kaa.settings.search import find_own

    environ = os.environ if environ is None else environ
    files = list(find_own(environ))
    if not files:
        return KernelOptions()  # at the price of a few questions to the file system
    from kaa.settings.configuration import load_configuration

    # conda's files know nothing of kernels.
    found = load_configuration(environ, condarc_files=(), own_files=files)
    return KernelOptions(
        env_filter=found.kernel_filter,
        name_format=found.kernel_name_format,
        base_name=found.kernel_base_name or "base",
        enable_debugger=found.kernel_debugger,
        aliases=found.kernel_aliases,
        hidden=frozenset(found.hidden_kernels),
        pinned=frozenset(found.pinned_kernels),
        icons={name: str(path) for name, path in found.kernel_icons.items()},
        roots=tuple(map(str, found.project_roots)),
    )


def environment_key(text: str) -> str:
    """Return how settings name an environment: names as they are, paths whole and without ``~``."""
    if text.startswith("~") or os.path.isabs(text):  # noqa: PTH117 - a text may be a name
        return os.path.normpath(os.path.expanduser(text))  # noqa: PTH111
    return text
