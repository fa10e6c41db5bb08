"""Kernelspecs on disk, at user level: every program that knows Jupyter finds them there.

Jupyter's own format, and nothing in it that has to be computed again when the environment
changes: the launcher looks at the environment at every start.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.kernels.writing import cannot_write, write_text
from kaa.model.errors import KernelError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kaa.kernels.offers import Offer
    from kaa.store.layout import Layout

_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]*")
"""Jupyter's kernel names, in the lower case it compares them in; hidden directories left out."""

_NATIVE = frozenset({"python2", "python3"})
"""The kernel of the Python that Jupyter itself runs in: a spec at user level would hide it."""


@dataclass(frozen=True, slots=True)
class Kernelspec:
    """A kernelspec that kaa wrote: its name in Jupyter, its directory, and its environment."""

    name: str
    directory: Path
    prefix: Path
    display_name: str


def kernelspec_directory() -> Path:
    """Return the user's kernelspec directory, as Jupyter's settings have it."""
    # Imported late: only commands that change kernels need to know Jupyter's directories.
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "kernels"


def find_kernelspecs() -> list[Kernelspec]:
    """Return the kernelspecs that carry kaa's mark, ordered by name."""
    return sorted(_marked(kernelspec_directory()), key=lambda spec: spec.name)


def write_kernelspec(
    name: str | None, prefix: Path, generation: Path, layout: Layout
) -> Kernelspec | None:
    """Make an environment a kernel, or bring its kernelspec and the launcher up to date.

    ``name`` is the environment's name, None for one that has only its path. Returns the
    kernelspec, or None when the environment has no Python, and then removes the one it had.
    The spec appears, and changes, in one step. Raises KernelError when a file cannot be written.
    """
    from kaa.environments.activation import interpreter
    from kaa.kernels.installed_launcher import install_launcher
    from kaa.kernels.launcher import has_ipykernel, site_packages
    from kaa.kernels.overlay import overlay_site_packages, python_minor

    minor = python_minor(generation)
    if minor is None:
        remove_kernelspec(prefix)
        return None
    launcher = install_launcher(layout)
    label = name or prefix.name
    argv = [
        *(interpreter(prefix), "-I", "-S", str(launcher)),
        *("--prefix", str(prefix), "--overlays", str(layout.overlays)),
        *("--", "-f", "{connection_file}"),
    ]
    own = Path(site_packages(str(generation), minor))
    kernel = own if has_ipykernel(str(own)) else overlay_site_packages(layout, minor)
    content = _content(argv, f"Python {minor} ({label})", name or str(prefix), prefix)
    content["metadata"].update(_encryption(kernel))
    directory = _directory_for(label, prefix)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _copy_logos(directory, kernel)
    except OSError as error:
        raise cannot_write(directory, error) from error
    # Last, since Jupyter takes a directory for a kernelspec only when it has this file.
    write_text(directory / "kernel.json", json.dumps(content, indent=1))
    return Kernelspec(directory.name, directory, prefix, content["display_name"])


def write_offer(offer: Offer, layout: Layout) -> Kernelspec:
    """Write the kernelspec of an environment that another program made, under the offer's id.

    It carries kaa's mark, and appears and changes in one step. Raises KernelError when a file
    cannot be written, and for a name that is another program's already.
    """
    from kaa.kernels.command import kernelspec_content
    from kaa.kernels.installed_launcher import install_launcher

    install_launcher(layout)
    directory = kernelspec_directory() / offer.id.lower()
    prefix = Path(offer.environment.prefix)
    file = directory / "kernel.json"
    if file.exists() and all(spec.directory != directory for spec in find_kernelspecs()):
        raise KernelError(
            f"there is a kernel {directory.name} already, and kaa did not write it",
            cause=f"it is in {directory}",
            hint=f"remove it: jupyter kernelspec remove {directory.name}",
        )
    text = json.dumps(kernelspec_content(offer, layout), indent=1)
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            _copy_logos(directory, Path(offer.environment.facts.packages_directory or ""))
        except OSError as error:
            raise cannot_write(directory, error) from error
        write_text(file, text)
    return Kernelspec(directory.name, directory, prefix, offer.display_name)


def remove_kernelspec(prefix: Path) -> list[Kernelspec]:
    """Remove the kernelspecs that carry kaa's mark for this prefix; return them.

    Raises KernelError when one cannot be deleted.
    """
    return _remove(spec for spec in find_kernelspecs() if spec.prefix == prefix)


def prune_kernelspecs() -> list[Kernelspec]:
    """Remove kaa's kernelspecs whose environment is gone; return them.

    Raises KernelError when one cannot be deleted.
    """
    return _remove(spec for spec in find_kernelspecs() if is_gone(spec.prefix))


def _content(argv: list[str], display_name: str, environment: str, prefix: Path) -> dict[str, Any]:
    from kaa import __version__

    return {
        "argv": argv,
        "display_name": display_name,
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {
            "debugger": True,
            # The keys of nb_conda_kernels, which launchers and notebooks go by.
            "conda_env_name": environment,
            "conda_env_path": str(prefix),
            "conda_language": "Python",
            "conda_raw_kernel_name": "python3",
            "kaa": {"prefix": str(prefix), "version": __version__},
        },
    }


def _directory_for(label: str, prefix: Path) -> Path:
    """Return where the spec of this prefix is, or else a directory whose name nobody has."""
    kernels = kernelspec_directory()
    for spec in _marked(kernels):
        if spec.prefix == prefix:
            return spec.directory
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
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            prefix = Path(content["metadata"]["kaa"]["prefix"])
        except (OSError, ValueError, LookupError, TypeError):
            continue  # another program's, or broken: not ours to touch
        display_name = str(content.get("display_name", file.parent.name))
        yield Kernelspec(file.parent.name, file.parent, prefix, display_name)


def is_gone(prefix: Path) -> bool:
    """Say whether there is nothing at a path; one that is out of reach may be there."""
    try:
        return not prefix.exists()
    except PermissionError:
        return False  # out of reach for now, which is not the same


def _remove(specs: Iterable[Kernelspec]) -> list[Kernelspec]:
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


def _copy_logos(directory: Path, site: Path) -> None:
    """Copy ipykernel's logos, those that the kernelspec has not got yet."""
    import shutil

    for logo in (site / "ipykernel" / "resources").glob("logo-*"):
        if not (directory / logo.name).exists():
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(logo, directory / logo.name)
