"""The kernelspec manager: in Lab, Notebook and every Jupyter server, all environments are kernels.

jupyter_client's seam is a subclass. It takes nb_conda_kernels' options under the same names, those
that users have written for ``CondaKernelSpecManager`` too, and gives kernels the same ids.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_core.paths import SYSTEM_JUPYTER_PATH
from traitlets import Bool, Dict, List, TraitError, Unicode, validate

from kaa.environments.discovery import discover, this_machine
from kaa.jupyter.keeping import Keeper, WatchedOptions
from kaa.jupyter.starting import made_at_each_start
from kaa.kernels.command import kernelspec_content, through_this_python
from kaa.kernels.installed_launcher import install_launcher
from kaa.kernels.logos import icon_directory
from kaa.kernels.nearest import installed_in, nearest
from kaa.kernels.offers import NAME_FORMAT, all_offers, listed
from kaa.kernels.options import environment_key
from kaa.kernels.specs import find_kernelspecs, is_jupyters
from kaa.kernels.unchanged import Unchanged
from kaa.kernels.wanted import Wanted
from kaa.model.discovered import Maker
from kaa.model.errors import KaaError
from kaa.settings.directories import this_layout
from kaa.settings.values import NAME_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kaa.kernels.nearest import Nearest
    from kaa.kernels.offers import KernelOptions, Offer
    from kaa.kernels.specs import Kernelspec
    from kaa.store.layout import Layout

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
        help="Where to write the kernelspecs, too, for programs that ask no manager: nowhere "
        "(unset), for all users (an empty text), --user, --sys-prefix, or a prefix, in which they "
        "are in share/jupyter/kernels. With it, conda_only is true.",
    ).tag(config=True)
    enable_debugger = Bool(
        None,
        allow_none=True,
        help="Say of every kernel that it can, or cannot, be debugged; unset asks each of them.",
    ).tag(config=True)
    base_name = Unicode("base", help="What conda's own installation is called.").tag(config=True)
    aliases = Dict(help="Names to show, by names or paths of environments.").tag(config=True)
    icons = Dict(help="Pictures, or directories with logos, by names or paths.").tag(config=True)
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
        self._chosen = frozenset((*theirs, *ours, *options))
        self._usual = {name: trait.default() for name, trait in self.traits(config=True).items()}
        self._layout = this_layout()
        self._offers: tuple[Offer, ...] = ()
        self._contents: dict[str, tuple[Offer, dict[str, Any]]] = {}
        self._seen: object = None
        self._refused: set[tuple[str, str]] = set()
        self._on_disk: Unchanged[dict[str, Any] | None] = Unchanged()
        self._lock = threading.Lock()
        self._looking: threading.Thread | None = None
        self._settings = WatchedOptions(self.log)
        self._keeper = Keeper(self._layout, self.log)
        try:
            install_launcher(self._layout)
        except KaaError as error:  # the kernels are listed, and Jupyter's own start
            self.log.warning("kernels of environments cannot start: %s", error)
        if self.kernelspec_path is not None:
            self.conda_only = True  # nb_conda_kernels: what is written there is listed once
            self._look_in_background()

    def find_kernel_specs(self) -> dict[str, str]:
        """Return the resource directories by kernel name, the environments' own among them."""
        self._current()
        found = {name: place.resources for name, place in self._places().items()}
        return self._allowed(found)

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return one kernelspec, also of a kernel that is hidden.

        For a name that is unknown it is that of the nearest environment. Raises ``NoSuchKernel``.
        """
        for offer in self._current():
            if offer.id == kernel_name and offer.left_out != "env-filter":
                return self._spec(offer)
        place = self._places().get(kernel_name)
        try:
            if self.conda_only and place is None:
                raise NoSuchKernel(kernel_name)
            spec = super().get_kernel_spec(kernel_name)
        except NoSuchKernel:
            found = self.nearest_to(Wanted(kernel_name))
            if found is None:
                raise
            return self._standing_in(found, kernel_name)
        if place is not None and place.offer is not None:
            said = _told(spec.to_dict(), place.offer, self._layout)
            return self._started_directly(said, place.resources)
        return spec

    def get_all_specs(self) -> dict[str, Any]:
        """Return all kernelspecs as Jupyter's REST API has them; the disk is looked at once."""
        self._current()
        found: dict[str, Any] = {}
        # What this version of Jupyter says of every kernelspec; making one of each takes too long.
        usual = self.kernel_spec_class().to_dict()
        for name, place in self._places().items():
            said = self._said(name, place, usual)
            if said is not None:
                found[name] = {"resource_dir": place.resources, "spec": said}
        return self._allowed(found)

    def remove_kernel_spec(self, name: str) -> str:
        """Remove a kernelspec that Jupyter finds itself, and return where it was.

        What environments offer is in the environments, and not to be deleted. Raises KeyError for
        that, as Jupyter's own manager does for what is not there.
        """
        plain = KernelSpecManager(data_dir=self.data_dir, kernel_dirs=self.kernel_dirs)
        removed: str = plain.remove_kernel_spec(name)
        return removed

    def nearest_to(self, wanted: Wanted) -> Nearest | None:
        """Return the kernel that is nearest to one that is unknown; None where none is."""
        if not self.match_unknown:
            return None
        return nearest(wanted, listed(self._current()), installed_in)

    def _standing_in(self, found: Nearest, wanted: str) -> KernelSpec:
        self.log.warning(
            "there is no kernel %s; %s is taken: %s", wanted, found.offer.id, found.reason
        )
        spec = self._spec(found.offer)
        spec.display_name = f"{spec.display_name}, for {wanted}"
        told = {"wanted": wanted, "because": found.because.value}
        spec.metadata = {**spec.metadata, "kaa": {**spec.metadata["kaa"], **told}}
        return spec

    def _said(self, name: str, place: Place, usual: dict[str, Any]) -> dict[str, Any] | None:
        directory, offer = place.directory, place.offer
        if directory is None:
            assert offer is not None
            made = self._contents.get(offer.id)
            known = made is not None and made[0] is offer
            content = made[1] if made and known else self._content(offer)
            return {**usual, **content, "metadata": {**content["metadata"]}}
        file = f"{directory}{os.sep}kernel.json"
        said = self._on_disk.read(file, partial(self._read, name, directory))
        return said if said is None or offer is None else _told(said, offer, self._layout)

    def _read(self, name: str, directory: str) -> dict[str, Any] | None:
        try:
            spec = self._get_kernel_spec_by_name(name, directory)
        except NoSuchKernel:
            return None  # its provisioner is missing, which has been said
        except Exception as error:  # whatever is in it, the others are listed
            self.log.warning("the kernelspec %s in %s cannot be read: %s", name, directory, error)
            return None
        said: dict[str, Any] = spec.to_dict()
        return said

    def _places(self) -> dict[str, Place]:
        """Return what is listed, by name: what Jupyter finds itself, and the offers.

        An offer that is on the disk under a name of its own is listed under that: other programs
        know it, too. Its id still leads to the kernel.
        """
        offered = {(each.environment.prefix, _kernel(each)): each for each in self._offers}
        written = {str(spec.directory): spec for spec in find_kernelspecs()}
        of_disk: dict[str, Place] = {}
        on_disk = set()
        found = self._found_by_jupyter(written)
        for name, directory in found.items():
            spec = written.get(directory)
            key = (str(spec.prefix), "python3" if spec.native else spec.kernel) if spec else None
            offer = offered.get(key) if key else None
            if key is not None:
                on_disk.add(key)
            if offer is None or offer.left_out is None:
                logos = self._icon(offer) if offer is not None else None
                of_disk[name] = Place(logos or directory, directory, offer)
        of_environments = {
            offer.id: Place(self._icon(offer) or self._directory(offer), None, offer)
            for key, offer in offered.items()
            if offer.left_out is None and key not in on_disk
            if not (is_jupyters(offer) and self._directory(offer) in found.values())
        }
        places = {**of_disk, **of_environments}
        first = {
            name: place for name, place in places.items() if place.offer and place.offer.pinned
        }
        return {**first, **places}

    def _found_by_jupyter(self, written: Mapping[str, Kernelspec]) -> dict[str, str]:
        """Return Jupyter's own; with ``conda_only`` those of kaa's environments at most."""
        if not self.conda_only:
            return dict(super().find_kernel_specs())
        if self.kernelspec_path is None:
            return {}
        return {s.name: path for path, s in written.items() if s.maker == Maker.KAA.value}

    def _allowed(self, found: dict[str, T]) -> dict[str, T]:
        if not self.allowed_kernelspecs:
            return found
        return {name: what for name, what in found.items() if name in self.allowed_kernelspecs}

    def _spec(self, offer: Offer) -> KernelSpec:
        resources = self._icon(offer) or self._directory(offer)
        return self._started_directly(self._content(offer), resources)

    def _started_directly(self, said: dict[str, Any], resources: str) -> KernelSpec:
        argv = made_at_each_start(said["argv"], self._layout)
        return self.kernel_spec_class(**{**said, "argv": argv, "resource_dir": resources})

    def _content(self, offer: Offer) -> dict[str, Any]:
        content = kernelspec_content(offer, self._layout)
        return {**content, "argv": through_this_python(content["argv"], offer, self._layout)}

    def _icon(self, offer: Offer) -> str | None:
        return icon_directory(offer.icon, self._layout) if offer.icon else None

    def _directory(self, offer: Offer) -> str:
        if offer.kernel is not None:
            return offer.kernel.directory
        packages = offer.environment.facts.packages_directory or offer.environment.prefix
        return os.path.join(packages, "ipykernel", "resources")  # noqa: PTH118

    def _current(self) -> tuple[Offer, ...]:
        """Return what there is, as far as the disk says so in time; a late answer is for the next.

        The look is taken in a thread: a server's event loop must not wait for a file system.
        """
        looking = self._look_in_background()
        looking.join(timeout=_PATIENCE if self._offers else None)
        return self._offers

    def _look_in_background(self) -> threading.Thread:
        with self._lock:
            if self._looking is None or not self._looking.is_alive():
                self._looking = threading.Thread(target=self._look, daemon=True)
                self._looking.start()
            return self._looking

    def _look(self) -> None:
        try:
            configured = self._settings.current()
            options = self._options(configured)
            found = discover(self._layout, this_machine(options.roots))
            directory = self._kernels_directory()
            seen = (found.environments, found.silent, configured, options, directory)
            if seen == self._seen:
                return
            offered = all_offers(found.environments, options, sys.prefix)
            contents = [self._content(offer) for offer in offered]
            pairs = zip(offered, contents, strict=True)
            self._contents = {offer.id: (offer, content) for offer, content in pairs}
            self._offers, self._seen = offered, seen
        except Exception:  # whatever it is, the kernels of before are better than none
            self.log.warning("kaa could not look for environments", exc_info=True)
            return
        self._keeper.keep(found, configured, options, directory)

    def _kernels_directory(self) -> Path | None:
        """Return where kernelspecs are to be written (``kernelspec_path``), None for nowhere."""
        path = self.kernelspec_path
        if path is None:
            return None
        if path == "--user":
            return Path(self.user_kernel_dir)
        if path == "":
            return Path(SYSTEM_JUPYTER_PATH[0], "kernels")
        prefix = sys.prefix if path == "--sys-prefix" else path
        return Path(prefix, "share", "jupyter", "kernels").absolute()

    def _options(self, configured: KernelOptions) -> KernelOptions:
        """Return kaa's own settings, and over them what Jupyter's configuration says."""
        values: dict[str, Any] = {
            "env_filter": self.env_filter,
            "name_format": self.name_format,
            "base_name": self.base_name,
            "enable_debugger": self.enable_debugger,
            "aliases": {environment_key(name): text for name, text in self.aliases.items()},
            "hidden": frozenset(map(environment_key, self.hidden)),
            "pinned": frozenset(map(environment_key, self.pinned)),
            "icons": {environment_key(n): environment_key(p) for n, p in self.icons.items()},
            "roots": tuple(map(environment_key, self.roots)),
        }
        said = {
            name: value
            for name, value in values.items()
            if self._is_chosen(name) and self._makes_sense(name, value)
        }
        return replace(configured, **said)

    def _makes_sense(self, name: str, value: Any) -> bool:
        """Whether an option can be used; what cannot is said, once, and counts as not given."""
        try:
            if name == "env_filter" and value:
                re.compile(value)
            elif name == "name_format":
                value.format("", "", **dict.fromkeys(NAME_FIELDS, ""))
        except (re.error, LookupError, ValueError, AttributeError) as error:
            if (name, value) not in self._refused:
                self._refused.add((name, value))
                self.log.warning("%s is left out, since %r makes no sense: %s", name, value, error)
            return False
        return True

    def _is_chosen(self, name: str) -> bool:
        """Whether a trait was set: in a file, on the command line, or by a program later."""
        return name in self._chosen or getattr(self, name) != self._usual[name]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a listed kernel is: its logos, its directory on disk, and the offer that it is."""

    resources: str
    directory: str | None
    offer: Offer | None


def _kernel(offer: Offer) -> str:
    return "python3" if offer.native else offer.kernel_name


def _told(said: dict[str, Any], offer: Offer, layout: Layout) -> dict[str, Any]:
    """Return what a kernelspec on disk says, with the name and metadata that it has here."""
    metadata = {**said["metadata"], **offer.metadata}
    argv = through_this_python(said["argv"], offer, layout)
    return {**said, "argv": argv, "display_name": offer.display_name, "metadata": metadata}
