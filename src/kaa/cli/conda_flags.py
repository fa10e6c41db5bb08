"""Flags of conda's and mamba's that kaa has no use for, or cannot honour.

Whoever has typed them for years goes on doing so: what makes no difference is accepted, and said;
what would make one is refused, with the reason. They are left out of ``--help``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kaa.model.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.decorators import FC


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag, with its spellings. ``takes`` says that a value follows it.

    ``why`` is why it has no effect; for a flag that is refused, why it cannot be honoured, and then
    ``instead`` is what to do.
    """

    spellings: tuple[str, ...]
    why: str
    takes: bool = False
    instead: str = ""


_ONE_SOLVER = "kaa has one solver"
_NO_SHORTCUTS = "kaa makes no shortcuts in menus"
_OWN_LAYOUT = "kaa decides by itself how channels are read"

SOLVING = (
    Flag(("--solver", "--experimental-solver"), _ONE_SOLVER, takes=True),
    Flag(("--experimental",), _OWN_LAYOUT, takes=True),
    Flag(("--repodata-fn",), _OWN_LAYOUT, takes=True),
    Flag(("--no-lock", "--repodata-use-zst", "--no-repodata-use-zst"), _OWN_LAYOUT),
    Flag(("--retry-clean-cache",), "what is damaged in the cache is fetched again anyway"),
    Flag(("--no-shortcuts", "--shortcuts-only"), _NO_SHORTCUTS),
    Flag(("--satisfied-skip-solve", "-S"), "what is satisfied stays as it is anyway"),
    Flag(("--update-specs",), "what was asked for moves when it has to anyway"),
    Flag(("--update-deps",), "`kaa update PACKAGE...` and `kaa update --all` renew what is named"),
    Flag(("--clobber",), "two packages with one file are said, never a reason to stop"),
    Flag(("--mkdir", "-m"), "directories are made where they are missing"),
    Flag(("--show-channel-urls",), "-v shows the URLs"),
    Flag(("--no-py-pin", "--py-pin"), "Python keeps its minor version unless it is named"),
    Flag(("--pyc", "--no-pyc"), "bytecode is compiled once, in the background (compile-bytecode)"),
    Flag(("--allow-uninstall", "--no-allow-uninstall"), "the plan says what goes"),
    Flag(("--allow-downgrade", "--no-allow-downgrade"), "the plan says what goes down"),
    Flag(("--safety-checks",), "every file is checked before it is used", takes=True),
    Flag(("--extra-safety-checks", "--verify-artifacts"), "every archive's hash is checked"),
    Flag(("--always-softlink", "--softlink"), "files are hard links, or copies (--copy)"),
    Flag(("--no-rc",), "", instead="set CONDARC=/dev/null and KAA_CONFIG=/dev/null"),
    Flag(("--no-env",), "kaa reads no settings from CONDA_* variables"),
    Flag(("--console",), "--json and -q choose what is printed", takes=True),
    Flag(("--dev",), "there is one kaa"),
    Flag(
        ("--use-local",),
        "there is no conda-build directory that kaa knows of",
        instead="name it: `-c file:///path/to/conda-bld`",
    ),
    Flag(
        ("--force-reinstall",),
        "a package that is whole is not linked anew",
        instead="`kaa repair` puts right what is damaged",
    ),
    Flag(
        ("--track-features", "--features"),
        "",
        takes=True,
        instead="name the packages themselves",
    ),
)
"""Of the commands that solve, conda's and mamba's."""

SEARCHING = (
    Flag(("--override-channels",), "with -c no other sources are searched anyway"),
    Flag(("--skip-flexible-search", "--full-name", "-f"), "a name without * is a whole name"),
    Flag(("--use-index-cache", "-C"), "repodata is fetched when it has changed"),
    Flag(("--repodata-fn",), _OWN_LAYOUT, takes=True),
    Flag(("--insecure", "-k"), "", instead="`kaa config --set ssl_verify false`"),
    Flag(("--envs",), "", instead="`kaa list -n NAME PACKAGE`, or `kaa why`"),
    Flag(("--reverse-dependency",), "", instead="`kaa repoquery whoneeds PACKAGE`"),
)
"""Of ``search``."""

REMOVING = (
    Flag(("--no-pin",), "what is pinned goes when it is named"),
    Flag(("--channel", "-c"), "packages are removed, and none is brought", takes=True),
    Flag(("--override-channels", "--insecure", "-k"), "packages are removed, and none is brought"),
    Flag(
        ("--keep-env",),
        "an environment without packages has no Python either",
        instead="name the packages, or remove the environment and create it again",
    ),
)
"""Of ``remove``, beside those of the commands that solve."""

INSTALLING = (
    Flag(
        ("--all", "--update-all"),
        "installing leaves what is there",
        instead="`kaa update --all`, and install afterwards",
    ),
)
"""Of ``install``, beside those of the commands that solve."""

UPDATING = (
    Flag(("--prune",), "what nobody needs any more goes with an update of it anyway"),
    Flag(
        ("--file",),
        "a file says what is to be there, and not what is to be newer",
        takes=True,
        instead="`kaa env update -f FILE`, or `kaa sync -f FILE`",
    ),
)
"""Of ``update``, beside those of the commands that solve."""

_NO_CREDENTIALS = Flag(
    ("--auth", "--unsafe-channels"),
    "credentials are never printed",
    instead="leave it out; `kaa config --show-sources` says which file has them",
)
LISTING = (_NO_CREDENTIALS,)
"""Of ``list``."""

TELLING = (
    _NO_CREDENTIALS,
    Flag(("--license", "-l"), "kaa's licence is in its package"),
)
"""Of ``info``."""

CREATING = (
    Flag(
        ("--force",),
        "an environment that is there is not replaced",
        instead="remove it first (`kaa env remove -n NAME`), or make it what the file says "
        "(`kaa sync -n NAME -f FILE`)",
    ),
)
"""Of ``create`` and ``env create``, beside those of the commands that solve."""

RENAMING = (
    Flag(
        ("--force",),
        "an environment that is there is not replaced",
        instead="remove the other one first (`kaa env remove -n NAME`)",
    ),
)
"""Of ``rename``."""

EXPORTING = (Flag(("--ignore-channels",), "packages are named without channels"),)
"""Of ``export``."""

ASKING = (Flag(("--override-channels",), "with -c no other channels are asked anyway"),)
"""Of ``notices``."""

CONFIGURING = (
    Flag(("--write-default",), "", instead="`kaa config --describe` shows all keys"),
    Flag(
        ("--stdin",), "", instead="give --set, --append, --prepend and --remove as often as need be"
    ),
)
"""Of ``config``."""

RUNNING = (
    Flag(("--no-capture-output", "--live-stream", "-s"), "output is never held back"),
    Flag(("--dev", "--debug-wrapper-scripts"), "no script stands between kaa and the program"),
)
"""Of ``run``."""


def conda_flags(flags: tuple[Flag, ...]) -> Callable[[FC], FC]:
    """Add these flags to a command, hidden, each with what is to be said of it."""

    def decorate(command: FC) -> FC:
        for flag in reversed(flags):
            command = click.option(
                *flag.spellings,
                is_flag=not flag.takes,
                hidden=True,
                expose_value=False,
                multiple=flag.takes,
                callback=_say(flag),
            )(command)
        return command

    return decorate


def _say(flag: Flag) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(_context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if not value:
            return
        name = flag.spellings[0]
        if flag.instead:
            raise UnsupportedError(
                f"{name} cannot be honoured", cause=flag.why or None, hint=flag.instead
            )
        from kaa.cli.text import write_note

        write_note(f"note: {name} has no effect: {flag.why}")

    return callback
