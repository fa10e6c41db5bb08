"""What the environments of this machine offer as kernels, under nb_conda_kernels' names.

The manager in a Jupyter server, the kernelspecs on disk and the listings all take it from here, so
that they cannot disagree.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kaa.model.discovered import Maker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kaa.model.discovered import Discovered, InnerKernel

NAME_FORMAT = "{language} [conda env:{environment}]"
"""nb_conda_kernels' own form of the names that a launcher shows."""
_NATIVE = frozenset({"python2", "python3"})
_SHORT = {"python2": "py", "python3": "py", "ir": "r"}


@dataclass(frozen=True, slots=True)
class KernelOptions:
    """How kernels are named and which are left out: nb_conda_kernels' options, and kaa's own.

    ``env_filter`` is a regular expression: environments whose path it is found in are left out.
    ``name_format`` has the fields ``{language}`` (or ``{0}``), ``{environment}`` (or ``{1}``),
    ``{kernel}``, ``{display_name}`` and ``{conda_kernel}``; None is :data:`NAME_FORMAT`, and for
    kaa's own environments the name that their kernelspecs have on disk. ``base_name`` is what
    conda's own installation is called. ``enable_debugger`` is what kernels say of themselves, None
    leaves it to each of them. ``aliases`` are names to be shown, ``icons`` directories with logos
    or pictures, both by environments; these are named by path, label or name, as in ``hidden`` and
    ``pinned``. ``roots`` are directories to look for projects in.
    """

    env_filter: str | None = None
    name_format: str | None = None
    base_name: str = "base"
    enable_debugger: bool | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    pinned: frozenset[str] = frozenset()
    icons: Mapping[str, str] = field(default_factory=dict)
    roots: tuple[str, ...] = ()

    def alias(self, environment: Discovered) -> str | None:
        """Return the name to be shown for an environment's kernel, None where there is none."""
        return next((self.aliases[k] for k in keys(environment) if k in self.aliases), None)

    def icon(self, environment: Discovered) -> str | None:
        """Return the directory with logos, or the picture, that is configured."""
        return next((self.icons[key] for key in keys(environment) if key in self.icons), None)

    def is_hidden(self, environment: Discovered) -> bool:
        """Whether an environment is on the list of those that are hidden."""
        return not self.hidden.isdisjoint(keys(environment))

    def is_pinned(self, environment: Discovered) -> bool:
        """Whether an environment's kernels come first."""
        return not self.pinned.isdisjoint(keys(environment))


def keys(environment: Discovered) -> tuple[str, ...]:
    """Return by what an environment is named in settings, the most telling first."""
    return environment.prefix, environment.label, environment.name


@dataclass(frozen=True, slots=True)
class Offer:
    """One kernel of one environment.

    ``kernel`` is the kernelspec inside the environment, None for a Python without one; ``reason``
    says why it cannot run, where it cannot. ``left_out`` says by which setting it is not listed,
    None where it is.
    """

    id: str
    display_name: str
    language: str
    metadata: Mapping[str, Any]
    environment: Discovered
    kernel: InnerKernel | None = None
    icon: str | None = None
    pinned: bool = False
    left_out: str | None = None

    @property
    def reason(self) -> str | None:
        """Why the kernel cannot run, None where it can."""
        return self.environment.facts.problem

    @property
    def native(self) -> bool:
        """Whether it is the environment's Python itself, with an ipykernel of its own or lent."""
        return self.kernel is None or self.kernel.name in _NATIVE

    @property
    def kernel_name(self) -> str:
        """What the kernel is called inside its environment."""
        return self.kernel.name if self.kernel is not None else "python3"


def offers(
    environments: Iterable[Discovered], options: KernelOptions, running_in: str = ""
) -> tuple[Offer, ...]:
    """Return the kernels of all environments that are not left out, the pinned ones first.

    ``running_in`` is the prefix of the Python that asks. Raises :class:`re.error` for a filter that
    is no regular expression.
    """
    return listed(all_offers(environments, options, running_in))


def listed(offered: Iterable[Offer]) -> tuple[Offer, ...]:
    """Return the offers that no setting leaves out."""
    return tuple(offer for offer in offered if offer.left_out is None)


def all_offers(
    environments: Iterable[Discovered], options: KernelOptions, running_in: str = ""
) -> tuple[Offer, ...]:
    """Return the kernels of all environments, those that are left out as well: see :func:`offers`.

    Their ids do not depend on what is left out.
    """
    expression = re.compile(options.env_filter) if options.env_filter else None
    found: dict[str, Offer] = {}
    for environment in environments:
        left_out = _left_out(environment, options, expression)
        pinned = options.is_pinned(environment)
        for offer in _of(environment, options, running_in):
            identifier = _free(offer.id, found)
            found[identifier] = replace(offer, id=identifier, pinned=pinned, left_out=left_out)
    return tuple(sorted(found.values(), key=lambda offer: not offer.pinned))


def _left_out(
    environment: Discovered, options: KernelOptions, expression: re.Pattern[str] | None
) -> str | None:
    if options.is_hidden(environment):
        return "hidden"
    return "env-filter" if expression and expression.search(environment.prefix) else None


def _of(environment: Discovered, options: KernelOptions, running_in: str) -> Iterator[Offer]:
    facts = environment.facts
    inner = {kernel.name: kernel for kernel in facts.kernels}
    native = next((inner[name] for name in ("python3", "python2") if name in inner), None)
    has_native = facts.python is not None or (native is None and not inner)
    if has_native:
        yield _offer(environment, native, options, running_in)
    others = [kernel for name, kernel in inner.items() if name not in _NATIVE]
    for kernel in others:
        yield _offer(
            environment, kernel, options, running_in, alone=not has_native and len(others) == 1
        )


def _offer(
    environment: Discovered,
    kernel: InnerKernel | None,
    options: KernelOptions,
    running_in: str,
    *,
    alone: bool = True,
) -> Offer:
    """Make an offer; with an alias, ``alone`` says that no other kernel is to be told from it."""
    is_base = environment.maker is Maker.CONDA and environment.name == "base"
    name = environment.label
    if is_base:
        name = options.base_name + name.removeprefix("base")
    kernel_name = kernel.name if kernel else "python3"
    shown = _shown_language(kernel)
    identifier = kernel_id(name, kernel_name, is_base=is_base)
    is_here = _is_same(environment.prefix, running_in)
    title = options.alias(environment)
    if title is None:
        title = _title(environment, kernel, name, shown, identifier, options.name_format)
    elif not alone:
        title = f"{title} ({shown})"
    if environment.facts.problem is not None:
        title += " (cannot run)"
    elif is_here:
        title += " *"
    metadata: dict[str, Any] = {
        **({"debugger": True} if kernel is None else kernel.metadata),
        "conda_env_name": name,
        "conda_env_path": environment.prefix,
        "conda_language": shown,
        "conda_raw_kernel_name": kernel_name,
        "conda_is_base_environment": is_base,
        "conda_is_currently_running": is_here,
        "kaa": {
            "prefix": environment.prefix,
            "maker": environment.maker.value,
            "python": environment.facts.python,
            "problem": environment.facts.problem,
            "pinned": options.is_pinned(environment),
        },
    }
    if options.enable_debugger is not None:
        metadata["debugger"] = options.enable_debugger
    language = (kernel.language if kernel else "") or "python"
    icon = options.icon(environment)
    return Offer(identifier, title, language, metadata, environment, kernel, icon)


def _shown_language(kernel: InnerKernel | None) -> str:
    """Return nb_conda_kernels' ``language``: the kernel's name, and Python without version."""
    if kernel is None or kernel.name in _NATIVE or kernel.display_name.startswith("Python"):
        return "Python"
    return kernel.display_name


def _title(
    environment: Discovered,
    kernel: InnerKernel | None,
    name: str,
    shown: str,
    identifier: str,
    form: str | None,
) -> str:
    native = kernel is None or kernel.name in _NATIVE
    if form is None and native and environment.maker is Maker.KAA:
        return f"Python {environment.facts.minor or '?'} ({name})"
    words = {
        "language": shown,
        "environment": name,
        "kernel": kernel.name if kernel else "python3",
        "display_name": kernel.display_name
        if kernel
        else f"Python {environment.facts.python or '?'}",
        "conda_kernel": identifier,
    }
    return (form or NAME_FORMAT).format(shown, name, **words)


def _is_same(prefix: str, other: str) -> bool:
    try:
        return bool(other) and os.path.samefile(prefix, other)  # noqa: PTH121
    except OSError:
        return False


def kernel_id(environment: str, kernel: str, *, is_base: bool = False) -> str:
    """Return nb_conda_kernels' name for a kernel of an environment (``conda-env-demo-py``)."""
    short = _SHORT.get(kernel.lower(), kernel.lower())
    return clean_name(f"conda-{'' if is_base else 'env-'}{environment}-{short}")


def clean_name(name: str) -> str:
    """Return a name that Jupyter takes: accents dropped, other characters replaced by ``_``."""
    if not name.isascii():
        import unicodedata

        parts = unicodedata.normalize("NFKD", name)
        name = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return re.sub(r"[^a-zA-Z0-9._-]", "_", name)


def _free(identifier: str, taken: Mapping[str, Offer]) -> str:
    """Return the id with a number, where two environments would have the same."""
    free, count = identifier, 2
    while free in taken:
        free, count = f"{identifier}-{count}", count + 1
    return free
