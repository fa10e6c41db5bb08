"""The kernels of this machine: what every environment offers, whoever made it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.environments.discovery import discover, this_machine
from kaa.kernels.dead import dead_foreign_kernelspecs
from kaa.kernels.in_step import Steps, Taken, find_steps, take_steps
from kaa.kernels.offers import Offer, all_offers, listed
from kaa.kernels.options import configured_options
from kaa.kernels.overlay import overlay_of, overlay_ready
from kaa.kernels.specs import is_jupyters, kernelspec_directory
from kaa.model.errors import KernelError
from kaa.store.disk import writing
from kaa.workflows.tolerance import tolerated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.kernels.offers import KernelOptions
    from kaa.store.layout import Layout

_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class KernelListing:
    """What was found: the offers, by whom each kernel is brought, and what did not answer.

    ``everything`` are the offers, those that settings leave out as well. ``lent`` maps the ids of
    kernels that the shared overlay starts to whether it is built.
    """

    everything: tuple[Offer, ...]
    lent: dict[str, bool]
    silent: tuple[str, ...] = ()

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The offers that no setting leaves out, the pinned ones first."""
        return listed(self.everything)

    def as_dict(self, offered: Sequence[Offer] | None = None) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "kernels": [
                {
                    "id": offer.id,
                    "display_name": offer.display_name,
                    "language": offer.language,
                    "kernel": self.brought_by(offer),
                    "prepared": self.lent.get(offer.id),
                    "pinned": offer.pinned,
                    "left_out": offer.left_out,
                    "icon": offer.icon,
                    "environment": offer.environment.as_dict(),
                }
                for offer in (self.offers if offered is None else offered)
            ],
            "unreachable": list(self.silent),
        }

    def brought_by(self, offer: Offer) -> str | None:
        """Return where the kernel program comes from; None for one that cannot run."""
        if offer.reason is not None:
            return None
        return "overlay" if offer.id in self.lent else "environment"


def list_kernels(layout: Layout, options: KernelOptions | None = None) -> KernelListing:
    """Return the kernels that the environments of this machine offer, without running anything.

    Kernelspecs on disk that say something else are brought up to date; that this is impossible is
    a warning. Raises :class:`~kaa.model.errors.RequestError` for settings that make no sense.
    """
    options = options or configured_options()
    listing = look_at_kernels(layout, options)
    with tolerated("kernelspecs on disk may be out of date", kernelspec_directory()):
        keep_in_step(listing, layout, options)
    return listing


def look_at_kernels(layout: Layout, options: KernelOptions) -> KernelListing:
    """Return the kernels that there are, and change nothing."""
    found = discover(layout, this_machine(options.roots))
    offered = all_offers(found.environments, options)
    lent = {}
    for offer in offered:
        facts = offer.environment.facts
        lends = offer.kernel is None and offer.reason is None and not facts.own_ipykernel
        minor = overlay_of(facts)
        if lends and minor is not None:
            lent[offer.id] = overlay_ready(layout, minor)
    return KernelListing(offered, lent, found.silent)


def keep_in_step(listing: KernelListing, layout: Layout, options: KernelOptions) -> Taken:
    """Bring the kernelspecs on disk up to date that are there already. Raises KernelError."""
    steps = find_steps(listing.everything, layout, listing.silent)
    if steps == Steps():
        return Taken()
    from kaa.store.locks import locked

    with locked(layout, "environments"):
        taken = take_steps(steps, layout, options)
    if taken.failed:
        raise taken.failed[0][1]
    return taken


def ago(moment: float | None) -> str:
    """Return how long ago a moment (in seconds since the epoch) is, in whole days; or its date."""
    if moment is None:
        return "?"
    days = int((time.time() - moment) // _DAY)
    if days < 1:
        return "today"
    if days < 60:
        return "yesterday" if days == 1 else f"{days} days ago"
    return time.strftime("%Y-%m-%d", time.localtime(moment))


@dataclass(frozen=True, slots=True)
class KernelSync:
    """What bringing the kernelspecs on disk up to date does, or did.

    ``written`` and ``removed`` are names; ``failed`` are those that could not be written, with the
    reason; ``dead`` are other programs' kernelspecs whose program is gone, by directory.
    """

    written: tuple[str, ...]
    removed: tuple[str, ...]
    failed: tuple[tuple[str, str], ...] = ()
    dead: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "written": list(self.written),
            "removed": list(self.removed),
            "failed": [{"name": name, "reason": reason} for name, reason in self.failed],
            "dead": [{"directory": path, "program": program} for path, program in self.dead],
        }


def sync_kernels(layout: Layout, *, dry_run: bool = False) -> KernelSync:
    """Write a kernelspec for every environment that can run one, and remove those of what is gone.

    Programs that never ask a manager (nbconvert, papermill, Quarto, editors) find them there.
    Raises :class:`~kaa.model.errors.KernelError` when none can be written at all.
    """
    options = configured_options()
    listing = look_at_kernels(layout, options)
    fit = [o for o in listing.offers if o.reason is None and not is_jupyters(o)]
    steps = find_steps(listing.everything, layout, listing.silent)
    dead = tuple((str(each.directory), each.missing) for each in dead_foreign_kernelspecs())
    if dry_run:
        names = tuple(offer.id.lower() for offer in fit)
        return KernelSync(names, tuple(spec.name for spec in steps.remove), dead=dead)
    from kaa.store.locks import locked

    with writing(kernelspec_directory()), locked(layout, "environments"):
        taken = take_steps(steps, layout, options, write_all=fit)
    if taken.failed and not taken.written:
        raise taken.failed[0][1]
    failed = tuple((name, f"{e.message} ({e.cause})") for name, e in taken.failed)
    removed = tuple(name for name in taken.removed if name not in taken.written)
    return KernelSync(taken.written, removed, failed, dead)


def check_written(done: KernelSync) -> None:
    """Raise :class:`~kaa.model.errors.KernelError` if something could not be written."""
    if done.failed:
        raise KernelError(
            f"{len(done.failed)} kernelspecs could not be written",
            cause="; ".join(f"{name}: {reason}" for name, reason in done.failed),
            hint="the others are there; run the same command again once this is settled",
        )
