"""The kernels of this machine: what every environment offers, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.environments.discovery import Discovery, discover
from kaa.environments.prefix import Prefix
from kaa.kernels.dead import dead_foreign_kernelspecs
from kaa.kernels.offers import KernelOptions, Offer, offers
from kaa.kernels.overlay import overlay_ready
from kaa.kernels.specs import (
    find_kernelspecs,
    remove_kernelspec,
    write_kernelspec,
    write_offer,
)
from kaa.model.discovered import Maker
from kaa.model.errors import KernelError
from kaa.store.locks import locked

if TYPE_CHECKING:
    from kaa.kernels.specs import Kernelspec
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class KernelListing:
    """What was found: the offers, by whom each kernel is brought, and what did not answer.

    ``lent`` maps the ids of kernels that the shared overlay starts to whether it is built.
    """

    offers: tuple[Offer, ...]
    lent: dict[str, bool]
    silent: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "kernels": [
                {
                    "id": offer.id,
                    "display_name": offer.display_name,
                    "language": offer.language,
                    "kernel": self.brought_by(offer),
                    "environment": offer.environment.as_dict(),
                }
                for offer in self.offers
            ],
            "unreachable": list(self.silent),
        }

    def brought_by(self, offer: Offer) -> str | None:
        """Return where the kernel program comes from; None for one that cannot run."""
        if offer.reason is not None:
            return None
        return "overlay" if offer.id in self.lent else "environment"


def list_kernels(layout: Layout, options: KernelOptions | None = None) -> KernelListing:
    """Return the kernels that the environments of this machine offer, without running anything."""
    found = discover(layout)
    return _listing(found, offers(found.environments, options or KernelOptions()), layout)


def _listing(found: Discovery, offered: tuple[Offer, ...], layout: Layout) -> KernelListing:
    lent = {}
    for offer in offered:
        facts = offer.environment.facts
        lends = offer.kernel is None and offer.reason is None and not facts.own_ipykernel
        if lends and facts.python is not None:
            lent[offer.id] = overlay_ready(layout, ".".join(facts.python.split(".")[:2]))
    return KernelListing(offered, lent, found.silent)


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
    Raises :class:`~kaa.model.errors.KernelError` when one cannot be removed.
    """
    listing = list_kernels(layout)
    fit = [offer for offer in listing.offers if offer.reason is None]
    kept = {offer.environment.prefix for offer in fit}
    stale = [spec for spec in find_kernelspecs() if str(spec.prefix) not in kept]
    gone = [spec for spec in stale if str(spec.prefix) not in listing.silent]
    dead = tuple((str(path), program) for path, program in dead_foreign_kernelspecs())
    if dry_run:
        names = tuple(offer.id.lower() for offer in fit)
        return KernelSync(names, tuple(spec.name for spec in gone), dead=dead)
    written, failed = [], []
    with locked(layout, "environments"):
        for offer in fit:
            try:
                written.append(_write(offer, layout).name)
            except KernelError as error:
                failed.append((offer.id, f"{error.message} ({error.cause})"))
        removed = [spec.name for spec in gone for _ in remove_kernelspec(spec.prefix)]
    return KernelSync(tuple(written), tuple(dict.fromkeys(removed)), tuple(failed), dead)


def _write(offer: Offer, layout: Layout) -> Kernelspec:
    environment = offer.environment
    if environment.maker is not Maker.KAA or not offer.native:
        return write_offer(offer, layout)
    prefix = Prefix(Path(environment.prefix))
    written = write_kernelspec(prefix.name, prefix.path, prefix.current, layout)
    return written or write_offer(offer, layout)
