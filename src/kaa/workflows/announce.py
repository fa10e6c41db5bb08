"""Jupyter, conda and editors are told of an environment.

Apart from all that makes environments: going back to an earlier generation imports nothing else.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from kaa.environments.registry import conda_environments_file, register
from kaa.kernels.specs import find_kernelspecs, kernelspec_directory, write_kernelspec
from kaa.store.locks import locked
from kaa.transaction.commit import announced
from kaa.workflows.tolerance import tolerated

if TYPE_CHECKING:
    from kaa.environments.prefix import Prefix
    from kaa.store.layout import Layout


def announce(prefix: Prefix, layout: Layout) -> None:
    """Let Jupyter, conda and editors know of the environment."""
    with (
        tolerated(f"{prefix.name} is not known to Jupyter and conda", layout.locks),
        locked(layout, "environments"),
    ):
        if not prefix.path.is_symlink():
            return  # another process has removed it already
        with tolerated(f"{prefix.name} is not on conda's list", conda_environments_file()):
            register(layout, prefix.path)
        with tolerated(f"{prefix.name} is not a Jupyter kernel", kernelspec_directory()):
            write_kernelspec(prefix.name, prefix.path, prefix.current, layout)
        with contextlib.suppress(OSError):  # then it is told once more by the next command
            announced(prefix)
    bring_others_in_step(layout)


def bring_others_in_step(layout: Layout) -> None:
    """Bring the kernelspecs of other programs' environments up to date, where there are any.

    Those programs tell nobody when they change something, so that whoever looks has to.
    """
    from kaa.model.discovered import Maker

    with tolerated("kernelspecs on disk may be out of date", kernelspec_directory()):
        if all(spec.maker == Maker.KAA.value for spec in find_kernelspecs()):
            return
        from kaa.kernels.options import configured_options
        from kaa.workflows.kernels import keep_in_step, look_at_kernels

        options = configured_options()
        keep_in_step(look_at_kernels(layout, options), layout, options)
