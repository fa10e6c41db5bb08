"""``-f/--file``, and the options that say which part of a file is meant."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from kaa.cli.options import one_of_or_active
from kaa.model.options import FileChoice

if TYPE_CHECKING:
    from collections.abc import Callable

    from kaa.model.options import SolveOptions


_CHOICES = (
    click.option(
        "--environment", metavar="NAME", help="Of a pixi.toml or pixi.lock: this environment."
    ),
    click.option(
        "--extra", "extras", metavar="NAME", multiple=True, help="Of a pyproject.toml: and it."
    ),
    click.option(
        "--group",
        "groups",
        metavar="NAME",
        multiple=True,
        help="Of a pyproject.toml: and this dependency group.",
    ),
    click.option(
        "--category",
        "categories",
        metavar="NAME",
        multiple=True,
        help="Of a conda-lock.yml: and this category, such as dev.",
    ),
)


def file_options(*, required: bool = False) -> Callable[[Callable[..., object]], Any]:
    """Add ``-f/--file``, and what says which part of it is meant: argument ``file``.

    The part goes into ``options`` (of :func:`~kaa.cli.options.solve_options`, which has to stand
    above).
    """
    file = click.option(
        "-f",
        "--file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        required=required,
        help="An environment.yml, requirements.txt, pyproject.toml, pixi.toml, or a lock: "
        "pixi.lock, conda-lock.yml, pylock.toml, @EXPLICIT.",
    )

    def decorate(command: Callable[..., object]) -> Callable[..., object]:
        def packed(
            *arguments: object, options: SolveOptions, choice: FileChoice, **values: Any
        ) -> object:
            return command(*arguments, options=replace(options, choice=choice), **values)

        return cast(
            "Callable[..., object]",
            file(file_choice_options(functools.update_wrapper(packed, command))),
        )

    return decorate


def one_of_or_named(
    name: str | None, prefix: Path | None, file: Path
) -> tuple[str | None, Path | None]:
    """Return what :func:`~kaa.cli.options.one_of_or_active` does, but ahead of the active
    environment comes the one that ``file`` names.

    Raises what that does, and :class:`~kaa.model.errors.RequestError` for a file that makes no
    sense.
    """
    if name is None and prefix is None:
        from kaa.workflows.from_file import name_in

        name = name_in(file)
    return one_of_or_active(name, prefix)


def file_choice_options(command: Callable[..., object]) -> Any:
    """Add what says which part of a file is meant, as one argument ``choice``."""

    def packed(*arguments: object, **values: Any) -> object:
        choice = FileChoice(
            values.pop("environment"),
            values.pop("extras"),
            values.pop("groups"),
            values.pop("categories"),
        )
        return command(*arguments, choice=choice, **values)

    wrapped: Any = functools.update_wrapper(packed, command)
    for option in reversed(_CHOICES):
        wrapped = option(wrapped)
    return wrapped
