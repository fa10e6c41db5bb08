"""``kaa completion``, and what a shell is told to complete with."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

_VARIABLE = "_KAA_COMPLETE"

_HOW = """\b
To have it in every new shell:
  bash  echo 'eval "$(kaa completion bash)"' >> ~/.bashrc
  zsh   echo 'eval "$(kaa completion zsh)"' >> ~/.zshrc
  fish  kaa completion fish > ~/.config/fish/completions/kaa.fish
"""


@click.command(short_help="Print a shell's completion script.", epilog=_HOW)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete kaa's commands, options and environments."""
    complete(f"{shell}_source")


def complete(instruction: str) -> int:
    """Answer a shell (``bash_complete``) or print its script (``bash_source``).

    Whatever goes wrong while completing stays silent: it would land on the line being typed.
    """
    from click.shell_completion import shell_complete

    from kaa.cli.app import app
    from kaa.cli.invocation import Invocation

    try:
        return shell_complete(app, {"obj": Invocation()}, "kaa", _VARIABLE, instruction)
    except BrokenPipeError:
        raise
    except Exception:
        return 1


def environment_names(incomplete: str) -> list[CompletionItem[str]]:
    """Return the environments whose names begin like this, with their Python."""
    from kaa.settings.directories import this_layout
    from kaa.workflows.inspect import list_environments

    return [
        CompletionItem(each.name, help=f"Python {each.python}" if each.python else None)
        for each in list_environments(this_layout())
        if each.name.startswith(incomplete)
    ]


def discovered_names(incomplete: str) -> list[CompletionItem[str]]:
    """Return the environments of all makers whose labels begin like this, with their maker."""
    from kaa.environments.discovery import discover, this_machine
    from kaa.kernels.options import configured_options
    from kaa.settings.directories import this_layout

    machine = this_machine(configured_options().roots)
    return [
        CompletionItem(each.label, help=each.maker.value)
        for each in discover(this_layout(), machine).environments
        if each.label.startswith(incomplete)
    ]


def source_names(incomplete: str) -> list[CompletionItem[str]]:
    """Return PyPI and the sources of all environments, those that begin like this."""
    from kaa.model.package import PYPI
    from kaa.settings.directories import this_layout
    from kaa.workflows.inspect import list_environments

    names = {PYPI}
    for each in list_environments(this_layout()):
        if each.manifest:
            names.update(each.manifest.sources)
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def platform_names(incomplete: str) -> list[CompletionItem[str]]:
    """Return the platforms that a solve can be for, those that begin like this."""
    from kaa.sources.target import SUBDIRS

    return [CompletionItem(name) for name in sorted(SUBDIRS) if name.startswith(incomplete)]
