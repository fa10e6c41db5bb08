"""Everything that is configured, in one object that knows where each value came from."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from kaa.model.source import Priority
from kaa.settings.channels import DEFAULT_CHANNELS, PYPI
from kaa.settings.search import SETTINGS, find_condarc, find_own

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

_DECIDES_ON_PYPI = ("allowed_channels", "denied_channels")


@dataclass(frozen=True, slots=True, repr=False)
class Configuration:
    """What users and administrators have configured; docs/configuration.md tells every key.

    ``channels`` are the sources in order of priority, as written. ``default_channels`` is what
    ``defaults`` stands for and ``channel_alias`` what plain names are below; where they are
    empty, rattler's default is meant. ``channel_aliases`` maps names to URLs (kaa's way),
    ``custom_channels`` names to what comes before them in their URL and ``custom_multichannels``
    names to channels (conda's ways). ``mirrors`` maps channels to URLs that are asked instead.
    ``ssl_verify`` is whether certificates are verified, or the bundle or directory to do it
    with. ``name_mapping`` is where PyPI's names of conda packages are published, empty for the
    usual place and ``none`` to do without. ``exclude_newer`` has a time zone; ``timeout`` and
    ``connect_timeout`` are in seconds; ``keep_generations`` and ``keep_days`` are what cleaning
    leaves of old generations; ``prompt`` is how a shell's prompt shows an environment,
    empty for conda's own way; ``None`` is: not configured. What concerns kernels is by names or
    paths of environments; ``project_roots`` are directories to look for projects in.

    ``origins`` says by the names of these attributes which files or variables decided.
    """

    channels: tuple[str, ...] = DEFAULT_CHANNELS
    default_channels: tuple[str, ...] = ()
    channel_alias: str = ""
    channel_aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    custom_channels: Mapping[str, str] = field(default_factory=dict)
    custom_multichannels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    migrated_aliases: tuple[str, ...] = ()
    migrated_channels: Mapping[str, str] = field(default_factory=dict)
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    allowed_channels: tuple[str, ...] = ()
    denied_channels: tuple[str, ...] = ()

    channel_priority: Priority = Priority.STRICT
    pinned: tuple[str, ...] = ()
    default_packages: tuple[str, ...] = ()
    track_features: tuple[str, ...] = ()
    add_pip: bool = False
    exclude_newer: datetime | None = None
    name_mapping: str = ""
    no_build: bool = False
    only_tar_bz2: bool = False
    subdir: str | None = None

    offline: bool = False
    proxies: Mapping[str, str] = field(default_factory=dict)
    no_proxy: tuple[str, ...] = ()
    ssl_verify: bool | Path = True
    client_certificate: Path | None = None
    client_key: Path | None = None
    connect_timeout: float | None = None
    timeout: float | None = None
    retries: int | None = None
    authentication_file: Path | None = None

    root: Path | None = None
    environment_directories: tuple[Path, ...] = ()
    package_directories: tuple[Path, ...] = ()
    link_scripts: bool = False
    keep_generations: int | None = None
    keep_days: int | None = None
    always_yes: bool = False
    compile_bytecode: bool = True

    change_prompt: bool = True
    prompt: str = ""
    auto_stack: int = 0

    kernel_aliases: Mapping[str, str] = field(default_factory=dict)
    hidden_kernels: tuple[str, ...] = ()
    pinned_kernels: tuple[str, ...] = ()
    kernel_icons: Mapping[str, Path] = field(default_factory=dict)
    kernel_name_format: str | None = None
    kernel_filter: str | None = None
    kernel_base_name: str | None = None
    kernel_debugger: bool | None = None
    project_roots: tuple[Path, ...] = ()

    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def origin(self, name: str) -> str | None:
        """Return what decided the attribute ``name``, for messages; None for a default."""
        return ", ".join(self.origins.get(name, ())) or None

    def __repr__(self) -> str:
        # No values: channels and proxies are URLs that may hold passwords.
        return f"Configuration({', '.join(sorted(self.origins))})"


def load_configuration(
    environ: Mapping[str, str],
    *,
    prefix: Path | None = None,
    condarc_files: Sequence[Path] | None = None,
    own_files: Sequence[Path] | None = None,
    only: Collection[str] | None = None,
) -> Configuration:
    """Return what the files and the variables in ``environ`` say.

    kaa's own files win over ``.condarc``, key by key; its variables win over both. ``prefix`` is
    the environment that is worked on: its own ``.condarc`` counts. ``condarc_files`` (later ones
    win) and ``own_files`` (earlier ones win) are for programs and tests that bring their own.
    ``only`` names the attributes that are needed: what says nothing of them is not parsed.

    Raises :class:`~kaa.model.errors.RequestError` for files and values that make no sense.
    """
    conda_files = list(find_condarc(environ, prefix)) if condarc_files is None else condarc_files
    kaa_files = list(find_own(environ)) if own_files is None else own_files
    if not (conda_files or kaa_files or any(environ.get(name) for name in SETTINGS)):
        return Configuration()  # at the price of a few questions to the file system
    from kaa.settings.condarc import read_condarc
    from kaa.settings.own import read_own

    if only is not None and "channels" in only:
        only = {*only, *_DECIDES_ON_PYPI}
    conda = read_condarc(environ, conda_files, fields=only)
    own = read_own(environ, kaa_files)
    found = {**conda, **own}
    values: dict[str, Any] = {name: each.value for name, each in found.items()}
    if "channels" not in own:
        channels = values.get("channels") or DEFAULT_CHANNELS[:1]
        allowed, denied = (values.get(name, ()) for name in _DECIDES_ON_PYPI)
        values["channels"] = _with_pypi(channels, allowed, denied)
    return Configuration(**values, origins={name: each.origins for name, each in found.items()})


def _with_pypi(
    channels: tuple[str, ...], allowed: tuple[str, ...], denied: tuple[str, ...]
) -> tuple[str, ...]:
    """Return conda's channels and, as the last one, PyPI, which conda's files do not know.

    Whoever lists the channels that are allowed, and not PyPI, or denies it, does not mean it.
    """
    if PYPI in channels or PYPI in denied or (allowed and PYPI not in allowed):
        return channels
    return (*channels, PYPI)


def show_configuration(configuration: Configuration) -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Return every value that is not a default with its origins, by the key in kaa's own file.

    Keys that kaa's own file does not have are called as in ``.condarc``. URLs are as they were
    written: whatever prints them redacts them.
    """
    from kaa.settings.keys import KEYS

    names = {key.field: key.own or key.conda[0] for key in KEYS}
    return {
        names[each.name]: (
            getattr(configuration, each.name),
            configuration.origins[each.name],
        )
        for each in fields(configuration)
        if each.name in configuration.origins
    }
