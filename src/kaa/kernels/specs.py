"""Kernelspecs on disk, at user level: every program that knows Jupyter finds them there.

Jupyter's own format, and nothing in it that has to be computed again when the environment
changes: the launcher looks at the environment at every start.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.kernels.logos import own_logos, place_logos
from kaa.kernels.unchanged import Unchanged
from kaa.kernels.writing import cannot_write, write_text
from kaa.model.discovered import Maker
from kaa.model.errors import KernelError
from kaa.store.disk import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kaa.kernels.offers import KernelOptions, Offer
    from kaa.model.discovered import Discovered
    from kaa.store.layout import Layout

_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]*")
"""Jupyter's kernel names, in the lower case it compares them in; hidden directories left out."""

_NATIVE = frozenset({"python2", "python3"})
"""The kernel of the Python that Jupyter itself runs in: a spec at user level would hide it."""


@dataclass(frozen=True, slots=True)
class Kernelspec:
    """A kernelspec that kaa wrote: its name in Jupyter, its directory, and its environment.

    ``kernel`` is what the kernel is called inside the environment, ``maker`` whose it is; ``inode``
    is the number of the environment's directory when it was written (of other makers' only).
    ``metadata`` is what launchers and notebooks go by, ``argv`` the command.
    """

    name: str
    directory: Path
    prefix: Path
    display_name: str
    kernel: str = "python3"
    maker: str = Maker.KAA.value
    inode: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    argv: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def wanted(self) -> str:
        """The name that a notebook wants, where it was written for that; else empty."""
        return str(self.metadata.get("kaa", {}).get("wanted", ""))

    @property
    def native(self) -> bool:
        """Whether it is the environment's Python itself."""
        return self.kernel in _NATIVE


def kernelspec_directory() -> Path:
    """Return the user's kernelspec directory, as Jupyter's settings have it."""
    # Imported late: only commands that change kernels need to know Jupyter's directories.
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "kernels"


def find_kernelspecs(kernels: Path | None = None) -> list[Kernelspec]:
    """Return the kernelspecs that carry kaa's mark, ordered by name.

    ``kernels`` is the directory they are in, the user's if none is given.
    """
    found = _marked(kernels or kernelspec_directory())
    return sorted((spec for spec in found if not spec.wanted), key=lambda spec: spec.name)


def find_aliases(kernels: Path | None = None) -> list[Kernelspec]:
    """Return the kernelspecs that ``kaa kernels match`` wrote under names that notebooks want."""
    found = _marked(kernels or kernelspec_directory())
    return sorted((spec for spec in found if spec.wanted), key=lambda spec: spec.name)


def write_kernelspec(
    name: str | None,
    prefix: Path,
    generation: Path,
    layout: Layout,
    options: KernelOptions | None = None,
) -> Kernelspec | None:
    """Make an environment a kernel, or bring its kernelspecs and the launcher up to date.

    ``name`` is the environment's name, None for one that has only its path. Returns the kernelspec
    of its Python; None when it has none, or is hidden, and then removes the one it had. Kernels of
    other languages in it get kernelspecs as well. Each appears, and changes, in one step. Raises
    KernelError when a file cannot be written, and RequestError for settings that make no sense.
    """
    from kaa.kernels.offers import all_offers
    from kaa.kernels.options import configured_options
    from kaa.kernels.overlay import python_minor

    own = _own_environment(name or prefix.name, prefix, generation)
    known = [spec for spec in find_kernelspecs() if spec.prefix == prefix]
    minor = python_minor(generation)
    written: list[Kernelspec] = []
    for offer in all_offers((own,), options or configured_options()):
        if offer.left_out is not None or (offer.native and minor is None):
            continue
        before = next((spec for spec in known if spec.native == offer.native), None)
        if not offer.native:
            before = next((spec for spec in known if spec.kernel == offer.kernel_name), None)
        content = _content(offer, minor, prefix, generation, layout)
        labels = own.label if offer.native else offer.id.lower()
        directory = before.directory if before else _free_directory(labels, prefix)
        kernel = _packages_of_kernel(generation, minor, layout) if minor else None
        logos = kernel / "ipykernel" / "resources" if offer.native and kernel else own_logos(offer)
        written.append(put_kernelspec(directory, content, offer, logos))
    remove_specs(
        spec for spec in known if all(spec.directory != each.directory for each in written)
    )
    return next((spec for spec in written if spec.native), None)


def write_offer(offer: Offer, layout: Layout, kernels: Path | None = None) -> Kernelspec:
    """Write the kernelspec of an environment that another program made, under the offer's id.

    It is written into ``kernels``, the user's directory if none is given, carries kaa's mark, and
    appears and changes in one step. Raises KernelError when a file cannot be written, and for a
    name that is another program's already, or another environment's of kaa's.
    """
    from kaa.kernels.command import kernelspec_content
    from kaa.kernels.installed_launcher import install_launcher

    install_launcher(layout)
    directory = (kernels or kernelspec_directory()) / offer.id.lower()
    if (directory / "kernel.json").exists():
        check_replaceable(directory, offer)
    content = kernelspec_content(offer, layout)
    with contextlib.suppress(OSError):
        content["metadata"]["kaa"]["inode"] = os.stat(offer.environment.prefix).st_ino  # noqa: PTH116
    return put_kernelspec(directory, content, offer, own_logos(offer))


def check_replaceable(directory: Path, offer: Offer) -> None:
    """Raise KernelError if the kernelspec in a directory is somebody else's than the offer's."""
    there = _read_marked(directory / "kernel.json")
    if there is None and _is_nb_conda_kernels(directory / "kernel.json"):
        return
    if there is None:
        raise KernelError(
            f"there is a kernel {directory.name} already, and kaa did not write it",
            cause=f"it is in {directory}",
            hint=f"remove it: jupyter kernelspec remove {directory.name}",
        )
    others = str(there.prefix) != offer.environment.prefix
    if others and there.maker == Maker.KAA.value and not is_gone(there.prefix):
        raise KernelError(
            f"the kernel {directory.name} is that of another environment",
            cause=f"it is of {there.prefix}",
            hint="rename one of the two environments",
        )


def _is_nb_conda_kernels(file: Path) -> bool:
    """Say whether nb_conda_kernels wrote it: it has the same ids for the same kernels."""
    try:
        argv = json.loads(read_file(file))["argv"]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return isinstance(argv, list) and "nb_conda_kernels.runner" in argv[:3]


def put_kernelspec(
    directory: Path, content: dict[str, Any], offer: Offer, logos: Path | None
) -> Kernelspec:
    """Write a kernelspec, which appears and changes in one step; ``logos`` is where its logos are.

    Raises KernelError when a file cannot be written.
    """
    file = directory / "kernel.json"
    text = json.dumps(content, indent=1)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        place_logos(directory, offer.icon, logos)
    except OSError as error:
        raise cannot_write(directory, error) from error
    # Last, since Jupyter takes a directory for a kernelspec only when it has this file.
    if not _says(file, text):
        write_text(file, text)
    return _kernelspec(file, content)


def _says(file: Path, text: str) -> bool:
    try:
        return read_file(file) == text.encode()
    except OSError:
        return False


def remove_kernelspec(prefix: Path) -> list[Kernelspec]:
    """Remove the kernelspecs that carry kaa's mark for this prefix; return them.

    Raises KernelError when one cannot be deleted.
    """
    return remove_specs(
        spec for spec in (*find_kernelspecs(), *find_aliases()) if spec.prefix == prefix
    )


def prune_kernelspecs() -> list[Kernelspec]:
    """Remove kaa's kernelspecs whose environment is gone; return them.

    Raises KernelError when one cannot be deleted.
    """
    return remove_specs(
        spec for spec in (*find_kernelspecs(), *find_aliases()) if is_gone(spec.prefix)
    )


def remove_specs(specs: Iterable[Kernelspec]) -> list[Kernelspec]:
    """Remove these kernelspecs; return them. Raises KernelError when one cannot be deleted."""
    import shutil

    removed = []
    for spec in specs:
        try:
            # First, so that what is left after an interruption is not a kernelspec any more.
            (spec.directory / "kernel.json").unlink()
            shutil.rmtree(spec.directory)
        except OSError as error:
            raise cannot_write(spec.directory, error) from error
        removed.append(spec)
    return removed


def is_jupyters(offer: Offer) -> bool:
    """Say whether Jupyter finds a kernel itself, and starts it as kaa would: one of the system's.

    There is nothing to activate then, and a second kernelspec is a second entry in the launcher.
    """
    if offer.kernel is None or offer.environment.maker is not Maker.SYSTEM:
        return False
    from jupyter_core.paths import jupyter_path

    return os.path.dirname(offer.kernel.directory) in jupyter_path("kernels")  # noqa: PTH120


def _own_environment(label: str, prefix: Path, generation: Path) -> Discovered:
    """Return what discovery would find, of a generation that may not be linked yet."""
    from kaa.environments.facts import read_facts
    from kaa.model.discovered import Discovered, Facts

    facts = read_facts(str(generation), None) or Facts()
    return Discovered(str(prefix), Maker.KAA, label, label, facts)


def _content(
    offer: Offer, minor: str | None, prefix: Path, generation: Path, layout: Layout
) -> dict[str, Any]:
    from kaa import __version__
    from kaa.environments.activation import interpreter
    from kaa.kernels.command import kernelspec_content, reads_launcher
    from kaa.kernels.installed_launcher import install_launcher

    launcher = install_launcher(layout)
    content = kernelspec_content(offer, layout)
    content["metadata"]["kaa"]["version"] = __version__
    if offer.native and minor is not None and offer.reason is None:
        content["metadata"].update(_encryption(_packages_of_kernel(generation, minor, layout)))
        if reads_launcher(offer.environment.facts.python or ""):
            # What its own launcher needs: it works without kaa, but for what is typed in the
            # notebook and where there is no kernel to start (yet).
            content["argv"] = [
                *(interpreter(prefix), "-I", "-S", str(launcher)),
                *("--prefix", str(prefix), "--overlays", str(layout.overlays)),
                *("--fallback", sys.executable, "--", "-f", "{connection_file}"),
            ]
    return content


def _packages_of_kernel(generation: Path, minor: str, layout: Layout) -> Path:
    """Return the directory of packages that ipykernel will come from."""
    from kaa.kernels.launcher import has_ipykernel, site_packages
    from kaa.kernels.overlay import overlay_site_packages

    own = Path(site_packages(str(generation), minor))
    return own if has_ipykernel(str(own)) else overlay_site_packages(layout, minor)


def _free_directory(label: str, prefix: Path) -> Path:
    """Return a directory for the spec of this prefix whose name nobody has."""
    kernels = kernelspec_directory()
    taken = _taken_names(kernels)
    return kernels / next(name for name in _candidates(label, prefix) if name not in taken)


def _candidates(label: str, prefix: Path) -> Iterable[str]:
    import hashlib

    digest = hashlib.sha256(os.fsencode(prefix)).hexdigest()[:8]
    plain = _as_kernel_name(label) or f"environment-{digest}"
    yield plain
    yield f"kaa-{plain}"
    yield f"kaa-{plain}-{digest}"


def _as_kernel_name(label: str) -> str:
    """Return the name that is nearest to ``label``; empty when it has no letter of ASCII."""
    name = label.lower()
    if _NAME.fullmatch(name):
        return name
    import unicodedata

    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9._-]+", "-", ascii_only).strip("-.")


def _taken_names(kernels: Path) -> set[str]:
    from jupyter_core.paths import jupyter_path

    names = set(_NATIVE)
    for directory in (kernels, *map(Path, jupyter_path("kernels"))):
        names.update(file.parent.name.lower() for file in directory.glob("*/kernel.json"))
    return names


def _marked(kernels: Path) -> Iterable[Kernelspec]:
    for file in kernels.glob("*/kernel.json"):
        spec = _files.read(str(file), partial(_read_marked, file))
        if spec is not None:
            yield spec


_files: Unchanged[Kernelspec | None] = Unchanged()


def _read_marked(file: Path) -> Kernelspec | None:
    try:
        content = json.loads(read_file(file))
        return _kernelspec(file, content)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # another program's, or broken: not ours to touch


def _kernelspec(file: Path, content: Mapping[str, Any]) -> Kernelspec:
    metadata = content["metadata"]
    mark = metadata["kaa"]
    return Kernelspec(
        file.parent.name,
        file.parent,
        Path(mark["prefix"]),
        str(content.get("display_name", file.parent.name)),
        str(metadata.get("conda_raw_kernel_name", "python3")),
        str(mark.get("maker", Maker.KAA.value)),
        int(mark.get("inode", 0)),
        metadata,
        tuple(map(str, content.get("argv", ()))),
    )


def is_gone(prefix: Path) -> bool:
    """Say whether there is nothing at a path; one that is out of reach may be there."""
    try:
        return not prefix.exists()
    except PermissionError:
        return False  # out of reach for now, which is not the same


def _encryption(site: Path) -> dict[str, list[str]]:
    """Return the metadata that lets Jupyter encrypt the connection, if this ipykernel can.

    New versions say so in the kernelspec that they write for themselves; an older one would not
    understand the keys, so that nothing is promised for it.
    """
    try:
        source = (site / "ipykernel" / "kernelspec.py").read_text(encoding="utf-8")
    except OSError:
        return {}
    return {"supported_encryption": ["curve"]} if '"supported_encryption"' in source else {}
