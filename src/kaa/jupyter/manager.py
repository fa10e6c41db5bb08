"""The kernelspec manager: in Lab, Notebook and every Jupyter server, all environments are kernels.

jupyter_client's seam is a subclass. It takes nb_conda_kernels' options under the same names, those
that users have written for ``CondaKernelSpecManager`` too, and gives kernels the same ids.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from traitlets import Bool, Dict, List, TraitError, Unicode, validate

from kaa.environments.discovery import discover, this_machine
from kaa.kernels.command import kernelspec_content
from kaa.kernels.installed_launcher import install_launcher
from kaa.kernels.nearest import installed_in, nearest
from kaa.kernels.offers import NAME_FORMAT, KernelOptions, offers
from kaa.kernels.specs import find_kernelspecs
from kaa.kernels.wanted import Wanted
from kaa.settings.directories import this_layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kaa.kernels.nearest import Nearest
    from kaa.kernels.offers import Offer

T = TypeVar("T")

_PATIENCE = 0.25
"""Seconds that a listing waits for a look at the disk, before it answers what was there before."""


class KaaKernelSpecManager(KernelSpecManager):
    """Finds the kernels of every environment, beside those that Jupyter finds itself."""

    conda_only = Bool(
        False,
        help="List the environments' kernels only, and not those that Jupyter finds itself.",
    ).tag(config=True)
    env_filter = Unicode(
        None,
        allow_none=True,
        help="Leave out environments in whose path this regular expression is found.",
    ).tag(config=True)
    name_format = Unicode(
        NAME_FORMAT,
        help="What launchers show; fields: {0} or {language}, {1} or {environment}, {kernel}, "
        "{display_name}, {conda_kernel}.",
    ).tag(config=True)
    kernelspec_path = Unicode(
        None,
        allow_none=True,
        help="Understood and without effect: `kaa kernels sync` writes kernelspecs to disk.",
    ).tag(config=True)
    enable_debugger = Bool(
        None, allow_none=True, help="Say whether kernels can be debugged; unset asks each of them."
    ).tag(config=True)
    base_name = Unicode("base", help="What conda's own installation is called.").tag(config=True)
    aliases = Dict(help="Names to show, by the paths of environments.").tag(config=True)
    icons = Dict(help="Directories with logos, by the paths of environments.").tag(config=True)
    hidden = List(Unicode(), help="Environments to leave out, by name or path.").tag(config=True)
    pinned = List(Unicode(), help="Environments to list first, by name or path.").tag(config=True)
    roots = List(Unicode(), help="Directories to look for projects in.").tag(config=True)
    match_unknown = Bool(
        True, help="Take the nearest environment for a kernel that this machine does not have."
    ).tag(config=True)

    @validate("kernelspec_path")
    def _valid_path(self, proposal: Mapping[str, Any]) -> str | None:
        value: str | None = proposal["value"]
        if value and value not in ("--user", "--sys-prefix") and not os.path.isdir(value):  # noqa: PTH112
            raise TraitError(f"kernelspec_path is neither an option nor a directory: {value!r}")
        return value

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        theirs = self.config.get("CondaKernelSpecManager", {})
        ours = self.config.get(type(self).__name__, {})
        for name, value in theirs.items():
            if name not in ours and self.has_trait(name):
                setattr(self, name, value)
        if self.kernelspec_path is not None:
            self.log.warning(
                "kernelspec_path has no effect: `kaa kernels sync` writes kernelspecs to disk"
            )
        self._layout = this_layout()
        self._offers: tuple[Offer, ...] = ()
        self._lock = threading.Lock()
        self._looking: threading.Thread | None = None
        install_launcher(self._layout)

    def find_kernel_specs(self) -> dict[str, str]:
        """Return the resource directories by kernel name, the environments' own among them."""
        found = {} if self.conda_only else super().find_kernel_specs()
        found.update({offer.id: self._directory(offer) for offer in self._listed()})
        return self._allowed(found)

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return one kernelspec, that of the nearest environment for a name that is unknown.

        Raises ``NoSuchKernel``.
        """
        for offer in self._current():
            if offer.id == kernel_name:
                return self._spec(offer)
        try:
            if self.conda_only:
                raise NoSuchKernel(kernel_name)
            return super().get_kernel_spec(kernel_name)
        except NoSuchKernel:
            found = self.nearest_to(Wanted(kernel_name))
            if found is None:
                raise
            return self._standing_in(found, kernel_name)

    def get_all_specs(self) -> dict[str, Any]:
        """Return all kernelspecs as Jupyter's REST API has them; the disk is looked at once."""
        found: dict[str, Any] = {}
        if not self.conda_only:
            for name, directory in super().find_kernel_specs().items():
                try:
                    spec = self._get_kernel_spec_by_name(name, directory)
                except NoSuchKernel:
                    continue  # its provisioner is missing, which has been said
                except Exception:
                    self.log.warning("the kernelspec %s cannot be read", name, exc_info=True)
                    continue
                found[name] = {"resource_dir": directory, "spec": spec.to_dict()}
        # What this version of Jupyter says of every kernelspec; making one of each takes too long.
        usual = self.kernel_spec_class().to_dict()
        for offer in self._listed():
            found[offer.id] = {
                "resource_dir": self._directory(offer),
                "spec": {**usual, **kernelspec_content(offer, self._layout)},
            }
        return self._allowed(found)

    def nearest_to(self, wanted: Wanted) -> Nearest | None:
        """Return the kernel that is nearest to one that is unknown; None where none is."""
        if not self.match_unknown:
            return None
        return nearest(wanted, self._current(), installed_in)

    def _standing_in(self, found: Nearest, wanted: str) -> KernelSpec:
        self.log.warning(
            "there is no kernel %s; %s is taken: %s", wanted, found.offer.id, found.reason
        )
        spec = self._spec(found.offer)
        spec.display_name = f"{spec.display_name}, for {wanted}"
        told = {"wanted": wanted, "because": found.because.value}
        spec.metadata = {**spec.metadata, "kaa": {**spec.metadata["kaa"], **told}}
        return spec

    def _listed(self) -> list[Offer]:
        """Return the offers without those that are on the disk under a name of their own.

        That name is the better one to save a notebook under, since other programs know it, too;
        the id still leads to the kernel.
        """
        offered = self._current()
        written = set() if self.conda_only else {str(spec.prefix) for spec in find_kernelspecs()}
        return [o for o in offered if not o.native or o.environment.prefix not in written]

    def _allowed(self, found: dict[str, T]) -> dict[str, T]:
        if not self.allowed_kernelspecs:
            return found
        return {name: what for name, what in found.items() if name in self.allowed_kernelspecs}

    def _spec(self, offer: Offer) -> KernelSpec:
        content = kernelspec_content(offer, self._layout)
        return self.kernel_spec_class(resource_dir=self._directory(offer), **content)

    def _directory(self, offer: Offer) -> str:
        if offer.icon:
            return offer.icon
        if offer.kernel is not None:
            return offer.kernel.directory
        packages = offer.environment.facts.packages_directory or ""
        return os.path.join(packages, "ipykernel", "resources")  # noqa: PTH118

    def _current(self) -> tuple[Offer, ...]:
        """Return what there is, as far as the disk says so in time; a late answer is for the next.

        The look is taken in a thread: a server's event loop must not wait for a file system.
        """
        with self._lock:
            if self._looking is None or not self._looking.is_alive():
                self._looking = threading.Thread(target=self._look, daemon=True)
                self._looking.start()
            looking = self._looking
        looking.join(timeout=_PATIENCE if self._offers else None)
        return self._offers

    def _look(self) -> None:
        try:
            found = discover(self._layout, this_machine(self.roots))
            self._offers = offers(found.environments, self._options(), sys.prefix)
        except Exception:  # whatever it is, the kernels of before are better than none
            self.log.warning("kaa could not look for environments", exc_info=True)

    def _options(self) -> KernelOptions:
        return KernelOptions(
            env_filter=self.env_filter,
            name_format=self.name_format,
            base_name=self.base_name,
            enable_debugger=self.enable_debugger,
            aliases=dict(self.aliases),
            hidden=frozenset(self.hidden),
            pinned=frozenset(self.pinned),
            icons=dict(self.icons),
        )
