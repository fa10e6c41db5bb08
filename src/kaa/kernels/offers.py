"""What the environments of this machine offer as kernels, under nb_conda_kernels' names.

The manager in a Jupyter server, the kernelspecs on disk and the listings all take it from here, so
that they cannot disagree.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
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
    ``{kernel}``, ``{display_name}`` and ``{conda_kernel}``. ``base_name`` is what conda's own
    installation is called. ``aliases`` are names to be shown by the paths of environments,
    ``hidden`` and ``pinned`` paths or names, ``icons`` directories with logos by path.
    """

    env_filter: str | None = None
    name_format: str = NAME_FORMAT
    base_name: str = "base"
    enable_debugger: bool | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    pinned: frozenset[str] = frozenset()
    icons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offer:
    """One kernel of one environment.

    ``kernel`` is the kernelspec inside the environment, None for a Python without one; ``reason``
    says why it cannot run, where it cannot.
    """

    id: str
    display_name: str
    language: str
    metadata: Mapping[str, Any]
    environment: Discovered
    kernel: InnerKernel | None = None
    icon: str | None = None

    @property
    def reason(self) -> str | None:
        """Why the kernel cannot run, None where it can."""
        return self.environment.facts.problem

    @property
    def native(self) -> bool:
        """Whether it is the environment's Python itself, with an ipykernel of its own or lent."""
        return self.kernel is None or self.kernel.name in _NATIVE


def offers(
    environments: Iterable[Discovered], options: KernelOptions, running_in: str = ""
) -> tuple[Offer, ...]:
    """Return the kernels of all environments that are not left out, the pinned ones first.

    ``running_in`` is the prefix of the Python that asks. Raises :class:`re.error` for a filter that
    is no regular expression.
    """
    left_out = re.compile(options.env_filter) if options.env_filter else None
    found: dict[str, Offer] = {}
    for environment in environments:
        if left_out and left_out.search(environment.prefix):
            continue
        if {environment.prefix, environment.name, environment.label} & options.hidden:
            continue
        for offer in _of(environment, options, running_in):
            found.setdefault(_free(offer.id, found), offer)
    named = [_with_id(offer, identifier) for identifier, offer in found.items()]
    return tuple(sorted(named, key=lambda offer: not _is_pinned(offer, options)))


def _of(environment: Discovered, options: KernelOptions, running_in: str) -> Iterator[Offer]:
    facts = environment.facts
    inner = {kernel.name: kernel for kernel in facts.kernels}
    native = next((inner[name] for name in ("python3", "python2") if name in inner), None)
    if facts.python is not None or (native is None and not inner):
        yield _offer(environment, native, "python3", "Python", options, running_in)
    for name, kernel in inner.items():
        if name not in _NATIVE:
            language = kernel.display_name
            yield _offer(environment, kernel, name, language, options, running_in)


def _offer(
    environment: Discovered,
    kernel: InnerKernel | None,
    kernel_name: str,
    shown: str,
    options: KernelOptions,
    running_in: str,
) -> Offer:
    is_base = environment.maker is Maker.CONDA and environment.name == "base"
    name = options.base_name if is_base else environment.label
    identifier = kernel_id(name, kernel_name, is_base=is_base)
    python = environment.facts.python
    title = options.aliases.get(environment.prefix)
    if title is None:
        words = {
            "language": shown,
            "environment": name,
            "kernel": kernel_name,
            "display_name": kernel.display_name if kernel else f"Python {python or '?'}",
            "conda_kernel": identifier,
        }
        title = options.name_format.format(shown, name, **words)
    here = _is_same(environment.prefix, running_in)
    if environment.facts.problem is not None:
        title += " (cannot run)"
    elif here:
        title += " *"
    language = (kernel.language if kernel else "") or "python"
    metadata: dict[str, Any] = {
        "conda_env_name": name,
        "conda_env_path": environment.prefix,
        "conda_language": shown,
        "conda_raw_kernel_name": kernel_name,
        "conda_is_base_environment": is_base,
        "conda_is_currently_running": here,
        "kaa": {
            "prefix": environment.prefix,
            "maker": environment.maker.value,
            "python": python,
            "problem": environment.facts.problem,
            "pinned": bool(
                {environment.prefix, environment.name, environment.label} & options.pinned
            ),
        },
    }
    if language == "python":
        metadata["debugger"] = options.enable_debugger is not False
    return Offer(
        identifier,
        title,
        language,
        metadata,
        environment,
        kernel,
        options.icons.get(environment.prefix),
    )


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


def _with_id(offer: Offer, identifier: str) -> Offer:
    from dataclasses import replace

    return offer if offer.id == identifier else replace(offer, id=identifier)


def _is_pinned(offer: Offer, options: KernelOptions) -> bool:
    environment = offer.environment
    return bool({environment.prefix, environment.name, environment.label} & options.pinned)
