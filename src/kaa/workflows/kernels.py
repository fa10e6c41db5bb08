"""The kernels of this machine: what every environment offers, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.environments.discovery import Discovery, discover
from kaa.kernels.offers import KernelOptions, Offer, offers
from kaa.kernels.overlay import overlay_ready

if TYPE_CHECKING:
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
