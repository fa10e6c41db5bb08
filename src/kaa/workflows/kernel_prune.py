"""Kernelspecs that cannot start any more are removed: kaa's own, and others' where meant."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.kernels.dead import dead_foreign_kernelspecs, dead_kernelspecs
from kaa.kernels.specs import kernelspec_directory, remove_specs
from kaa.model.errors import KernelError
from kaa.store.disk import writing
from kaa.store.locks import locked

if TYPE_CHECKING:
    from kaa.kernels.dead import DeadKernelspec
    from kaa.kernels.specs import Kernelspec
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class KernelPrune:
    """What cannot start any more: kaa's kernelspecs, and other programs'.

    ``foreign`` says whether those are removed as well; ``removed`` are directories, ``failed``
    directories with the reason.
    """

    own: tuple[Kernelspec, ...]
    others: tuple[DeadKernelspec, ...]
    foreign: bool
    removed: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be removed."""
        return not self.own and not (self.foreign and self.others)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "dead": [
                {
                    "name": spec.name,
                    "directory": str(spec.directory),
                    "missing": str(spec.prefix),
                    "kaa": True,
                }
                for spec in self.own
            ]
            + [
                {
                    "name": spec.name,
                    "directory": str(spec.directory),
                    "missing": spec.missing,
                    "kaa": False,
                }
                for spec in self.others
            ],
            "removed": list(self.removed),
            "failed": [{"directory": path, "reason": reason} for path, reason in self.failed],
        }


def plan_prune(*, foreign: bool) -> KernelPrune:
    """Return what there is to remove, in all directories that Jupyter looks in."""
    return KernelPrune(tuple(dead_kernelspecs()), tuple(dead_foreign_kernelspecs()), foreign)


def carry_out_prune(plan: KernelPrune, layout: Layout) -> KernelPrune:
    """Remove what the plan has that is still dead; what cannot be removed is told in the answer."""
    removed: list[str] = []
    failed: list[tuple[str, str]] = []
    with writing(kernelspec_directory()), locked(layout, "environments"):
        now = plan_prune(foreign=plan.foreign)
        for spec in now.own:
            if any(spec.directory == each.directory for each in plan.own):
                try:
                    remove_specs([spec])
                    removed.append(str(spec.directory))
                except KernelError as error:
                    failed.append((str(spec.directory), error.cause or error.message))
        for other in now.others if plan.foreign else ():
            if other in plan.others:
                try:
                    _remove(other)
                    removed.append(str(other.directory))
                except OSError as error:
                    failed.append((str(other.directory), error.strerror or str(error)))
    return KernelPrune(plan.own, plan.others, plan.foreign, tuple(removed), tuple(failed))


def _remove(spec: DeadKernelspec) -> None:
    if os.path.islink(spec.directory):  # noqa: PTH114 - as `jupyter kernelspec install --symlink`
        spec.directory.unlink()
        return
    # First, so that what is left after an interruption is not a kernelspec any more.
    (spec.directory / "kernel.json").unlink()
    shutil.rmtree(spec.directory)
