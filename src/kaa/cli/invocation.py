"""One invocation of the command line: what was typed, and how it wants to be answered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Invocation:
    """The options that every command shares, filled in while the command line is parsed.

    ``arguments`` are those after the program's name; ``json`` says that the answer is one JSON
    object on standard output, an error included; ``verbosity`` is how often ``-v`` was given;
    ``fix`` says that what is damaged is to be mended before it is changed; ``download_only`` that
    packages are brought into the cache, and nothing is changed.
    """

    arguments: tuple[str, ...] = ()
    json: bool = False
    quiet: bool = False
    verbosity: int = 0
    yes: bool = False
    dry_run: bool = False
    fix: bool = False
    download_only: bool = False

    @property
    def command(self) -> str:
        """The command line as a shell reads it, for the history of an environment.

        Without credentials: the history is a file that others may read and that is copied about.
        """
        import shlex

        from kaa.network.locations import redact_text

        return redact_text(shlex.join(("kaa", *self.arguments)))

    @property
    def speaks(self) -> bool:
        """Whether text, progress included, is wanted at all."""
        return not (self.json or self.quiet)


def read_invocation(arguments: tuple[str, ...]) -> Invocation:
    """Return the invocation of these arguments, before they are parsed.

    ``--json`` is looked for here, because a mistake on the command line must be answered in JSON
    too, and then parsing never gets as far as the option. What follows ``kaa run``'s program
    belongs to the program, so that ``run`` is left out.
    """
    command = next((argument for argument in arguments if not argument.startswith("-")), None)
    return Invocation(arguments=arguments, json=command != "run" and "--json" in arguments)
