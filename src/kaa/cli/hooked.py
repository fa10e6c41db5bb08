"""What a shell's hook asks for: ``activate``, ``deactivate`` and ``reactivate``, with ``--shell``.

The answer is evaluated by the shell, so nothing else may be on standard output, help neither. A
user waits for it at a prompt: it is found without the imports that all other commands need, of
click, pathlib and dataclasses. Python alone takes half of the time that way.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kaa.model.errors import RequestError
    from kaa.shells.dialects import Dialect
    from kaa.shells.switching import Change, PromptStyle, Scripts

_VALUES = {"--shell": "shell", "-n": "name", "--name": "name", "-p": "prefix", "--prefix": "prefix"}
_WITHOUT_MEANING = ("--dev", "-q", "--quiet", "-v", "--verbose", "-y", "--yes")
_HELP = ("-h", "--help")


class Asked:
    """What the hook asks for; ``stack`` is None where the settings decide."""

    __slots__ = ("command", "environment", "shell", "stack")

    def __init__(
        self, command: str, shell: str, environment: str | None, stack: bool | None
    ) -> None:
        self.command = command
        self.shell = shell
        self.environment = environment
        self.stack = stack


def is_asked(arguments: Sequence[str]) -> bool:
    """Whether these arguments, the first of which is one of the commands, come from a hook."""
    return any(each == "--shell" or each.startswith("--shell=") for each in arguments)


def answered(arguments: Sequence[str]) -> bool:
    """Answer a hook, if that is who asks and if there is an answer."""
    if not is_asked(arguments) or any(each in _HELP for each in arguments):
        return False
    try:
        answer_hook(arguments)
    except Exception:
        return False  # asked again, where errors become output
    return True


def answer_hook(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Write the lines that the shell has to evaluate.

    Raises RequestError and :class:`~kaa.model.errors.EnvironmentNotFoundError`; then nothing has
    been written, and the shell stays as it is.
    """
    without_help = [each for each in arguments if each not in _HELP]
    asked = read_asked(without_help)
    helps = len(without_help) < len(arguments)
    text = _show_help(asked) if helps else answer(asked, environ)
    sys.stdout.flush()
    sys.stdout.buffer.write(_encoded(text))
    return 0


def answer(asked: Asked, environ: Mapping[str, str]) -> str:
    """Return those lines, empty if there is nothing to do."""
    from kaa.shells.dialects import DIALECTS

    dialect = DIALECTS[asked.shell]
    change = _change(asked, environ, dialect)
    if change is None:
        sys.stderr.write("no environment is active\n")
        return dialect.nothing
    return dialect.render(change)


def _change(asked: Asked, environ: Mapping[str, str], dialect: Dialect) -> Change | None:
    from kaa.shells import switching

    if asked.command == "deactivate":
        return switching.deactivate(environ)
    if asked.command == "reactivate":
        return switching.refresh(environ, scripts=_computed(dialect))
    from kaa.shells.target import find_target

    target = find_target(asked.environment or "base", environ)
    style, levels_to_stack = _appearance(environ)
    stack = asked.stack
    if stack is None:
        depth = environ.get("CONDA_SHLVL", "")
        stack = depth.isdigit() and int(depth) <= levels_to_stack
    return switching.activate(environ, target, stack=stack, style=style, scripts=_computed(dialect))


def _computed(dialect: Dialect) -> Scripts | None:
    if not dialect.computes:
        return None
    from kaa.environments.activation import ACTIVATION
    from kaa.environments.activation_scripts import script_changes
    from kaa.settings.directories import this_layout

    cache = os.fspath(this_layout().metadata / ACTIVATION)
    return lambda generation, environ: script_changes(generation, environ, cache)


def _appearance(environ: Mapping[str, str]) -> tuple[PromptStyle, int]:
    """Return how the prompt is to look, and up to which level environments are stacked."""
    from kaa.settings.search import has_files
    from kaa.shells.switching import PromptStyle

    if not has_files(environ):
        return PromptStyle(), 0
    from kaa.settings.configuration import load_configuration

    found = load_configuration(environ, only=("change_prompt", "prompt", "auto_stack"))
    style = PromptStyle(found.change_prompt, found.prompt)
    return style, found.auto_stack


def read_asked(arguments: Sequence[str]) -> Asked:
    """Read the arguments of a hook. Raises RequestError."""
    command = arguments[0]
    values: dict[str, str] = {}
    stack: bool | None = None
    plain: list[str] = []
    rest = list(arguments[1:])
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if option in _VALUES:
            if not equals and not rest:
                raise _mistake(f"{option} needs a value", hint=_usage(command))
            values[_VALUES[option]] = value if equals else rest.pop(0)
        elif word in ("--stack", "--no-stack"):
            stack = word == "--stack"
        elif word in _WITHOUT_MEANING:
            pass  # conda's and mamba's; there is nothing to ask and nothing to say
        elif word.startswith("-") and word != "-":
            raise _mistake(f"no such option: {word}", hint=_usage(command))
        else:
            plain.append(word)
    return Asked(command, _shell(values), _environment(command, values, plain), stack)


def _shell(values: Mapping[str, str]) -> str:
    from kaa.shells.dialects import ALIASES, DIALECTS

    shell = ALIASES.get(values["shell"], values["shell"])
    if shell not in DIALECTS:
        raise _mistake(
            f"kaa does not know the shell {values['shell']!r}",
            hint=f"it knows {', '.join(DIALECTS)}",
        )
    return shell


def _environment(command: str, values: Mapping[str, str], plain: list[str]) -> str | None:
    prefix = values.get("prefix")
    if prefix is not None:
        # A path, also where it has no separator.
        plain = [*plain, os.path.join(".", os.path.expanduser(prefix))]  # noqa: PTH111, PTH118
    if "name" in values:
        plain = [*plain, values["name"]]
    if command != "activate" and plain:
        raise _mistake(f"{command} takes no environment", hint=_usage(command))
    if len(plain) > 1:
        raise _mistake("one environment at a time can be activated", hint=_usage(command))
    return plain[0] if plain else None


def _usage(command: str) -> str:
    return f"'kaa {command} --help' shows what it takes"


def _show_help(asked: Asked) -> str:
    """Show help where it is not evaluated; return the lines that are: nothing to do."""
    import click

    from kaa.cli.app import app
    from kaa.shells.dialects import DIALECTS

    context = click.Context(app, info_name="kaa")
    found = app.get_command(context, asked.command)
    if found is not None:
        about = click.Context(found, info_name=asked.command, parent=context)
        click.echo(found.get_help(about), err=True)
    return DIALECTS[asked.shell].nothing


def _encoded(text: str) -> bytes:
    """Return the text as the shell has it in its variables, bytes that are no text included."""
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _mistake(message: str, hint: str) -> RequestError:
    """Return the error, whose module is imported only for it."""
    from kaa.model.errors import RequestError

    return RequestError(message, hint=hint)
