"""The options that commands share, and what is decided from them."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from kaa.cli.invocation import Invocation
from kaa.model.errors import EnvironmentNotFoundError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from kaa.model.options import SolveOptions

F = TypeVar("F", bound="Callable[..., object]")

pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


def _remember(field: str) -> Callable[[click.Context, click.Parameter, object], None]:
    def callback(context: click.Context, _parameter: click.Parameter, value: object) -> None:
        if value:
            setattr(context.ensure_object(Invocation), field, value)

    return callback


def _flag(field: str, *names: str, text: str) -> Callable[[F], F]:
    return click.option(
        *names,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_remember(field),
        help=text,
    )


def _set_verbosity(context: click.Context, _parameter: click.Parameter, value: int) -> None:
    if value:
        context.ensure_object(Invocation).verbosity = value
        # Logging costs 10 ms to import, which nobody who is not listening should pay.
        from kaa.cli.logs import log_to_stderr

        log_to_stderr(value)


json_option = _flag("json", "--json", text="Print one JSON object instead of text.")
quiet_option = _flag("quiet", "-q", "--quiet", text="Print nothing but errors.")
yes_option = _flag("yes", "-y", "--yes", text="Do not ask.")
dry_run_option = _flag("dry_run", "-d", "--dry-run", text="Show the plan and change nothing.")
download_only_option = _flag(
    "download_only", "--download-only", text="Bring packages into the cache, and change nothing."
)
fix_option = _flag("fix", "--fix", text="Mend the environment first, as `kaa repair` does.")
verbose_option = click.option(
    "-v",
    "--verbose",
    count=True,
    is_eager=True,
    expose_value=False,
    callback=_set_verbosity,
    help="Say more (-vv: everything).",
)


def changing_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add what every command has that changes something, and its first argument, the invocation."""
    wrapped: Callable[..., object] = pass_invocation(command)
    for option in (verbose_option, quiet_option, json_option, dry_run_option, yes_option):
        wrapped = option(wrapped)
    return wrapped


def complete_names(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Return the names of environments that begin like this, for ``shell_complete``."""
    from kaa.cli.completion import environment_names

    return environment_names(incomplete)


def complete_platforms(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Return the platforms that begin like this, for ``shell_complete``."""
    from kaa.cli.completion import platform_names

    return platform_names(incomplete)


def _complete_sources(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    from kaa.cli.completion import source_names

    return source_names(incomplete)


source_option = click.option(
    "-c",
    "--channel",
    "sources",
    metavar="SOURCE",
    multiple=True,
    help="Take packages from here; the first of several goes before the others.",
    shell_complete=_complete_sources,
)


_OVERRIDE_CHANNELS = "--override-channels"
_PRIORITIES = ("strict", "flexible", "disabled")


def solve_options(
    *, platform: bool = False, links: bool = True
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Add the options of everything that solves, as one argument ``options``.

    ``platform`` adds ``--platform``, for what needs not to run on this machine; ``links`` adds
    what concerns the linking.
    """
    # Commands that do not solve have no use for either, and would wait for them.
    from kaa.cli.conda_flags import SOLVING, conda_flags

    shared = [
        source_option,
        click.option(
            "--channel-priority",
            type=click.Choice(_PRIORITIES),
            help="Who provides what several sources have: the first of them (strict, the default), "
            "the others too if that has no answer (flexible), or the newest (disabled).",
        ),
        click.option(
            "--override",
            "overrides",
            metavar="NAME=VERSION",
            multiple=True,
            help="Assume this virtual package, such as __cuda=12.4 (nothing after =: not there).",
        ),
        click.option(
            "--exclude-newer",
            metavar="WHEN",
            help="Ignore what was published after a date, or within an age (7d).",
        ),
        click.option(
            "--strict-channel-priority",
            "channel_priority",
            flag_value="strict",
            hidden=True,
        ),
        click.option(
            "--no-channel-priority",
            "channel_priority",
            flag_value="disabled",
            hidden=True,
        ),
        click.option("--no-pin", is_flag=True, help="Leave pinned packages out of account."),
        click.option("--no-build", is_flag=True, help="Never build a package from its source."),
        click.option("--no-deps", is_flag=True, help="Without what the packages need."),
        click.option("--only-deps", is_flag=True, help="Only what the packages need."),
        click.option(
            "--freeze-installed",
            "--no-update-deps",
            "freeze_installed",
            is_flag=True,
            help="Change nothing that is installed already.",
        ),
        click.option(
            "-C",
            "--offline",
            "--use-index-cache",
            "offline",
            is_flag=True,
            help="Use what the caches have, and no network.",
        ),
        click.option(
            "-k",
            "--insecure",
            is_flag=True,
            help="Do not look at the certificates of channels.",
        ),
        click.option(
            "-e",
            "--editable",
            metavar="PATH",
            multiple=True,
            help="Install the project in this directory so that its files stay where they are.",
        ),
        click.option(
            "--index",
            "indexes",
            metavar="URL",
            multiple=True,
            help="A package index that goes before those of the settings.",
        ),
        click.option(
            "--find-links",
            metavar="PLACE",
            multiple=True,
            help="A directory or page that has wheels and source distributions.",
        ),
        click.option(
            _OVERRIDE_CHANNELS,
            is_flag=True,
            help="Take packages from the sources of -c only, now and from then on.",
        ),
    ]
    if platform:
        shared.append(
            click.option(
                "--platform",
                "--subdir",
                "platform",
                metavar="SUBDIR",
                help="Solve for another platform, such as osx-arm64 (with --dry-run).",
                shell_complete=complete_platforms,
            )
        )

    if links:
        shared.append(download_only_option)
        shared.append(
            click.option(
                "--copy",
                "--always-copy",
                "copies",
                is_flag=True,
                help="Copy files, so that they share nothing with the package cache.",
            )
        )
        shared.append(
            click.option(
                "--allow-link-scripts",
                "link_scripts",
                is_flag=True,
                help="Run the programs that packages bring for when they are linked.",
            )
        )

    def decorate(command: Callable[..., object]) -> Callable[..., object]:
        def packed(*arguments: object, **values: Any) -> object:
            return command(*arguments, options=_solve_options(values), **values)

        wrapped: Any = functools.update_wrapper(packed, command)
        for option in reversed((*shared, conda_flags(SOLVING))):
            wrapped = option(wrapped)
        return cast("Callable[..., object]", wrapped)

    return decorate


def _solve_options(values: dict[str, Any]) -> SolveOptions:
    """Take the values of :func:`solve_options` out of a command's arguments."""
    from kaa.model.options import Dependencies, SolveOptions

    no_deps, only_deps = values.pop("no_deps"), values.pop("only_deps")
    if no_deps and only_deps:
        raise RequestError("--no-deps and --only-deps leave nothing", hint="give one of them")
    sources, override_channels = values.pop("sources"), values.pop("override_channels")
    if override_channels and not sources:
        raise RequestError(
            f"{_OVERRIDE_CHANNELS} leaves no sources", hint="name one: `-c conda-forge`"
        )
    return SolveOptions(
        sources=sources,
        priority=values.pop("channel_priority"),
        platform=values.pop("platform", None),
        overrides=values.pop("overrides"),
        exclude_newer=values.pop("exclude_newer"),
        build=not values.pop("no_build"),
        deps=Dependencies.NONE if no_deps else Dependencies(("all", "only")[only_deps]),
        frozen=values.pop("freeze_installed"),
        offline=values.pop("offline"),
        editable=values.pop("editable"),
        indexes=values.pop("indexes"),
        find_links=values.pop("find_links"),
        override_channels=override_channels,
        link_scripts=values.pop("link_scripts", False),
        pins=not values.pop("no_pin"),
        verify=not values.pop("insecure"),
        copies=values.pop("copies", False),
    )


def environment_options(command: F) -> F:
    """Add ``-n/--name`` and ``-p/--prefix``, arguments ``name`` and ``prefix``."""
    with_prefix = click.option(
        "-p",
        "--prefix",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="PATH",
        help="The environment at this path.",
    )
    with_name = click.option(
        "-n",
        "--name",
        metavar="NAME",
        help="The environment of this name.",
        shell_complete=complete_names,
    )
    return with_name(with_prefix(command))


def one_of(name: str | None, prefix: Path | None) -> tuple[str | None, Path | None]:
    """Return name and absolute prefix, of which exactly one must be given.

    :raises RequestError: none or both are.
    """
    if name is not None and prefix is not None:
        raise RequestError(
            "-n/--name and -p/--prefix name two environments",
            hint="give one of them",
        )
    if name is None and prefix is None:
        raise RequestError(
            "which environment?",
            hint="add -n NAME, or -p PATH for one outside kaa's own directory",
        )
    return name, prefix.expanduser().absolute() if prefix is not None else None


def one_of_or_active(name: str | None, prefix: Path | None) -> tuple[str | None, Path | None]:
    """Return what :func:`one_of` does, or the active environment when neither is given.

    :raises RequestError: both are given, or neither and no environment is active.
    :raises EnvironmentNotFoundError: the active environment is not there any more.
    """
    active = os.environ.get("CONDA_PREFIX")
    if name is not None or prefix is not None or not active:
        return one_of(name, prefix)
    if not Path(active).is_dir():
        raise EnvironmentNotFoundError(
            f"the active environment is gone: {active}",
            cause="CONDA_PREFIX names a directory that does not exist",
            hint="say which environment with -n NAME, or deactivate it",
        )
    return None, Path(active).absolute()
