"""What users set for the kernels of single environments: name, hidden, pinned, picture."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.kernels.in_step import find_steps, take_steps
from kaa.kernels.logos import SUFFIXES
from kaa.kernels.offers import keys
from kaa.kernels.options import configured_options, environment_key
from kaa.kernels.specs import find_kernelspecs, kernelspec_directory
from kaa.model.discovered import Maker
from kaa.model.errors import EnvironmentNotFoundError, RequestError
from kaa.settings.environment_edits import EnvironmentEdit, edit_environments
from kaa.settings.search import find_own, user_file
from kaa.store.disk import writing
from kaa.store.locks import locked
from kaa.workflows.kernels import look_at_kernels
from kaa.workflows.tolerance import tolerated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kaa.kernels.offers import KernelOptions, Offer
    from kaa.model.discovered import Discovered
    from kaa.store.layout import Layout
    from kaa.workflows.kernels import KernelListing

TABLE = "kernels"


@dataclass(frozen=True, slots=True)
class KernelChange:
    """What is to become of an environment's kernels; None leaves it, an empty text takes it away.

    ``icon`` is the path of a directory with logos, or of a picture.
    """

    alias: str | None = None
    icon: str | None = None
    hidden: bool | None = None
    pinned: bool | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to change."""
        return self == KernelChange()


@dataclass(frozen=True, slots=True)
class KernelSettings:
    """What is set for an environment, and the file that a change is written to.

    ``left_out`` says by which setting it is not listed, None where it is; ``notes`` are what did
    not come about.
    """

    environment: Discovered
    file: Path
    alias: str | None
    icon: str | None
    pinned: bool
    left_out: str | None
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "environment": self.environment.as_dict(),
            "file": str(self.file),
            "alias": self.alias,
            "icon": self.icon,
            "pinned": self.pinned,
            "left_out": self.left_out,
            "notes": list(self.notes),
        }


def kernel_settings(layout: Layout, text: str) -> KernelSettings:
    """Return what is set for the environment of this name, label or path.

    Raises :class:`EnvironmentNotFoundError`, and :class:`RequestError` for a name that several have
    and for settings that make no sense.
    """
    options = configured_options()
    listing = look_at_kernels(layout, options)
    return _settings(find_discovered(_environments(listing.everything), text), listing, options)


def change_kernel(
    layout: Layout, text: str, change: KernelChange, *, dry_run: bool = False
) -> KernelSettings:
    """Write what an environment's kernels are to be into the user's file, and onto the disk.

    Returns what is set by then (for a dry run: before). Raises what :func:`kernel_settings` raises,
    :class:`RequestError` for a picture that is none, and the errors of the disk; that a kernelspec
    cannot be written is a warning.
    """
    icon = _checked_icon(change.icon) if change.icon else change.icon
    options = configured_options()
    listing = look_at_kernels(layout, options)
    environment = find_discovered(_environments(listing.everything), text)
    if dry_run:
        return _settings(environment, listing, options)
    edits = _edits(environment, change, icon)
    with writing(user_file(os.environ)), locked(layout, "settings"):
        edit_environments(os.environ, TABLE, edits, environment_key)
    options = configured_options()
    listing = look_at_kernels(layout, options)
    with (
        tolerated("the kernelspec on disk may be out of date", kernelspec_directory()),
        locked(layout, "environments"),
    ):
        steps = find_steps(listing.everything, layout, listing.silent)
        taken = take_steps(steps, layout, options, write_all=_on_disk(listing, environment))
        if taken.failed:
            raise taken.failed[0][1]
    found = next(e for e in _environments(listing.everything) if e.prefix == environment.prefix)
    return _settings(found, listing, options, change)


def follow_rename(layout: Layout, before: Path, after: Path) -> None:
    """Let settings of an environment at ``before`` be those of the one at ``after``.

    Only those by path: one by name means whatever is called so. Raises RequestError, and the errors
    of the disk.
    """
    if not any(True for _ in find_own(os.environ)):
        return
    options = configured_options()
    was = str(before)
    edits: list[EnvironmentEdit] = []
    for key, table in (("alias", options.aliases), ("icons", options.icons)):
        if was in table:
            edits += [
                EnvironmentEdit(key, (was,), None),
                EnvironmentEdit(key, (_written(str(after)),), table[was]),
            ]
    for key, names in (("hidden", options.hidden), ("pinned", options.pinned)):
        if was in names:
            edits += [
                EnvironmentEdit(key, (was,), None),
                EnvironmentEdit(key, (_written(str(after)),), True),
            ]
    if edits:
        with writing(user_file(os.environ)), locked(layout, "settings"):
            edit_environments(os.environ, TABLE, edits, environment_key)


def find_discovered(environments: Iterable[Discovered], text: str) -> Discovered:
    """Return the environment that a label, a name or a path means.

    Raises :class:`EnvironmentNotFoundError`, and :class:`RequestError` for a name that several
    have and that is nobody's label.
    """
    found = list(environments)
    for environment in found:
        if environment.label == text:
            return environment
    path = os.path.realpath(os.path.expanduser(text))  # noqa: PTH111
    same = [each for each in found if os.path.realpath(each.prefix) == path]
    named = [each for each in found if each.name == text]
    if len(same or named) == 1:
        return (same or named)[0]
    if named:
        labels = ", ".join(f"{each.label!r} ({each.prefix})" for each in named)
        raise RequestError(
            f"several environments are called {text}",
            cause=f"they are {labels}",
            hint=f"name one as it is listed, or by its path: kaa kernels change {named[0].prefix}",
        )
    raise _not_found(found, text)


def _not_found(found: list[Discovered], text: str) -> EnvironmentNotFoundError:
    import difflib

    near = difflib.get_close_matches(text, [each.label for each in found], n=1)
    return EnvironmentNotFoundError(
        f"there is no environment {text!r}",
        hint=f"did you mean {near[0]!r}?" if near else "to see which there are: kaa kernels list",
    )


def _environments(offered: Iterable[Offer]) -> list[Discovered]:
    return list({offer.environment.prefix: offer.environment for offer in offered}.values())


def _settings(
    environment: Discovered,
    listing: KernelListing,
    options: KernelOptions,
    change: KernelChange | None = None,
) -> KernelSettings:
    own = [o for o in listing.everything if o.environment.prefix == environment.prefix]
    left_out = own[0].left_out if own else None
    pinned = options.is_pinned(environment)
    alias, icon = options.alias(environment), options.icon(environment)
    notes = []
    if change is not None:
        stays = {
            f"hidden, by {left_out}": change.hidden is False and left_out is not None,
            "pinned": change.pinned is False and pinned,
            f"called {alias!r}": change.alias == "" and alias is not None,
            "with a picture": change.icon == "" and icon is not None,
        }
        notes = [
            f"it is still {what}: the settings of the system say so, or an expression does"
            for what, so in stays.items()
            if so
        ]
    return KernelSettings(
        environment, user_file(os.environ), alias, icon, pinned, left_out, tuple(notes)
    )


def _edits(
    environment: Discovered, change: KernelChange, icon: str | None
) -> list[EnvironmentEdit]:
    # By its path: a name may be that of several, and of others one day.
    names = (_written(environment.prefix), *keys(environment))
    edits = []
    if change.alias is not None:
        edits.append(EnvironmentEdit("alias", names, change.alias or None))
    if icon is not None:
        edits.append(EnvironmentEdit("icons", names, icon or None))
    if change.hidden is not None:
        edits.append(EnvironmentEdit("hidden", names, change.hidden or None))
    if change.pinned is not None:
        edits.append(EnvironmentEdit("pinned", names, change.pinned or None))
    return edits


def _written(path: str) -> str:
    """Return a path as a person would write it: from the home directory, where it is in there."""
    home = os.path.expanduser("~")  # noqa: PTH111
    inside = len(home) > 1 and path.startswith(home + os.sep)
    return "~" + path[len(home) :] if inside else path


def _checked_icon(icon: str) -> str:
    path = Path(icon).expanduser().absolute()
    if path.is_dir() and any(path.glob("logo-*")):
        return str(path)
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        return str(path)
    raise RequestError(
        f"{icon} is no picture",
        cause="it is neither a file .png or .svg nor a directory with files logo-*.png or .svg",
        hint="give the path of a picture, best one of 64x64 points",
    )


def _on_disk(listing: KernelListing, environment: Discovered) -> list[Offer]:
    """Return the environment's offers that belong on the disk: written before, or kaa's own.

    Where kernels of other programs are on the disk at all, the user wants those of all.
    """
    specs = find_kernelspecs()
    wanted = environment.maker is Maker.KAA or any(s.maker != Maker.KAA.value for s in specs)
    return [
        offer
        for offer in listing.offers
        if wanted and offer.environment.prefix == environment.prefix and offer.reason is None
    ]
