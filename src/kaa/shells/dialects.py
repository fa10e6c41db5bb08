"""How each shell is told what to do: lines of its own language, for its hook to evaluate.

Names of variables are plain identifiers by the time they come here. Values are anything but NUL:
line breaks, quotes, dollars and bytes that are no text are quoted so that they stay what they are.
"""

from __future__ import annotations

import os

from kaa.shells.switching import scripts_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kaa.shells.switching import Change


class Dialect:
    """One shell's language.

    ``scripts`` are the endings of the activation scripts that it runs; without any, what they set
    is computed and set like other variables (``computes``).
    """

    __slots__ = ("_render", "name", "scripts")

    def __init__(
        self, name: str, scripts: tuple[str, ...], render: Callable[[Change, Dialect], str]
    ) -> None:
        self.name = name
        self.scripts = scripts
        self._render = render

    @property
    def computes(self) -> bool:
        """Whether the shell cannot run scripts at this point."""
        return not self.scripts

    def render(self, change: Change) -> str:
        """Return the lines that do what ``change`` says."""
        return self._render(change, self)

    @property
    def nothing(self) -> str:
        """What says that there is nothing to do."""
        return "null\n" if self.computes else ""

    def leaving(self, change: Change) -> list[str]:
        """Return the scripts of the environment that is left, in their order."""
        return scripts_in(change.left, "deactivate.d", self.scripts) if change.left else []

    def entering(self, change: Change) -> list[str]:
        """Return the scripts of the environment that is entered, in their order."""
        return scripts_in(change.entered, "activate.d", self.scripts) if change.entered else []


def _statements(
    change: Change,
    dialect: Dialect,
    *,
    path: Callable[[str], str],
    run: Callable[[str], str],
    put: Callable[[str, str | None], str],
    prompt: Iterable[str] = (),
) -> list[str]:
    """Return the statements of a change in the order that they have in every shell.

    ``path`` says the search path, ``run`` a script, ``put`` a variable (None for one that goes).
    The search path is there before the scripts of what is left run, everything before those of what
    is entered.
    """
    return [
        *([] if change.search_path is None else [path(change.search_path)]),
        *map(run, dialect.leaving(change)),
        *(put(name, value) for name, value in change.variables.items()),
        *prompt,
        *map(run, dialect.entering(change)),
    ]


# --- sh, bash, zsh -------------------------------------------------------------------------


def posix_word(text: str) -> str:
    """Return ``text`` as one word of a POSIX shell (XCU 2.2.2)."""
    return "'" + text.replace("'", "'\\''") + "'"


def _posix(change: Change, dialect: Dialect) -> str:
    # With a backslash, because words may be aliases.
    lines = _statements(
        change,
        dialect,
        path=lambda path: f"\\export PATH={posix_word(path)}",
        run=lambda script: f"\\. {posix_word(script)}",
        put=_posix_variable,
        prompt=_posix_prompt(*(_prompt_text(each, dialect.name) for each in change.prompt)),
    )
    return "\n".join([*lines, "\\hash -r 2>/dev/null || :", ""])


def _posix_variable(name: str, value: str | None) -> str:
    return f"\\unset {name}" if value is None else f"\\export {name}={posix_word(value)}"


def _posix_prompt(before: str, after: str) -> list[str]:
    """Return what puts ``after`` in the place of ``before`` in the prompt, or at its beginning.

    A shell without a prompt gets none, and one whose user has made a new one keeps that.
    """
    if not before and not after:
        return []
    old, new = posix_word(before), posix_word(after)
    # Not in one word: the shells do not agree about quotes in patterns in quotes.
    found = '*"$_kaa_before"*) PS1="${PS1%%"$_kaa_before"*}$_kaa_after${PS1#*"$_kaa_before"}" ;;'
    cases = [found] if before else []
    return [
        f"_kaa_before={old} _kaa_after={new}",
        'if [ -n "${PS1+x}" ]; then case "$PS1" in',
        *cases,
        '*) PS1="$_kaa_after$PS1" ;;',
        "esac; fi",
        "\\unset _kaa_before _kaa_after",
    ]


def _prompt_text(text: str, shell: str) -> str:
    """Return a prompt in which nothing means anything to the shell that shows it.

    Directories may be called anything, and shells run commands that they find in prompts.
    """
    plain = "".join("_" if each in "$`\\!" or not each.isprintable() else each for each in text)
    return plain.replace("%", "%%") if shell == "zsh" else plain


# --- fish ------------------------------------------------------------------------------------


def fish_word(text: str) -> str:
    """Return ``text`` as one word of fish, where quotes know two escapes only."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish(change: Change, dialect: Dialect) -> str:
    lines = _statements(
        change,
        dialect,
        path=lambda path: f"set -gx PATH {' '.join(map(fish_word, path.split(os.pathsep)))}",
        run=lambda script: f"source {fish_word(script)}",
        put=_fish_variable,
    )
    return "\n".join([*lines, ""])


def _fish_variable(name: str, value: str | None) -> str:
    return f"set -e {name}" if value is None else f"set -gx {name} {fish_word(value)}"


# --- PowerShell --------------------------------------------------------------------------------


def powershell_word(text: str) -> str:
    """Return ``text`` as PowerShell's verbatim string, which five characters are quotes of."""
    quoted = "".join(each * 2 if each in "'\u2018\u2019\u201a\u201b" else each for each in text)
    return f"'{quoted}'"


def _powershell(change: Change, dialect: Dialect) -> str:
    lines = _statements(
        change,
        dialect,
        path=lambda path: f"$Env:PATH = {powershell_word(path)}",
        run=lambda script: f". {powershell_word(script)}",
        put=_powershell_variable,
    )
    return "\n".join([*lines, ""])


def _powershell_variable(name: str, value: str | None) -> str:
    if value is None:
        return f"Remove-Item -ErrorAction SilentlyContinue -LiteralPath Env:{name}"
    return f"$Env:{name} = {powershell_word(value)}"


# --- xonsh -------------------------------------------------------------------------------------


def _xonsh(change: Change, dialect: Dialect) -> str:
    # Python's own literals: ascii() escapes bytes that are no text, too.
    lines = _statements(
        change,
        dialect,
        path=lambda path: f"__xonsh__.env['PATH'] = {path.split(os.pathsep)!a}",
        run=_xonsh_script,
        put=_xonsh_variable,
    )
    return "\n".join([*lines, ""])


def _xonsh_variable(name: str, value: str | None) -> str:
    if value is None:
        return f"__xonsh__.env.pop({name!a}, None)"
    return f"__xonsh__.env[{name!a}] = {value!a}"


def _xonsh_script(script: str) -> str:
    if script.endswith(".sh"):
        return f"source-bash --suppress-skip-message -n @({script!a})"
    return f"source @({script!a})"


# --- Nushell -----------------------------------------------------------------------------------


def _nushell(change: Change, _dialect: Dialect) -> str:
    """Return JSON, which the hook puts into the environment: Nushell evaluates no text."""
    import json

    present = {name: value for name, value in change.variables.items() if value is not None}
    gone = [name for name, value in change.variables.items() if value is None]
    path = None if change.search_path is None else change.search_path.split(os.pathsep)
    return json.dumps({"path": path, "set": present, "unset": gone}) + "\n"


# --- cmd ---------------------------------------------------------------------------------------


def _cmd(change: Change, dialect: Dialect) -> str:
    lines = _statements(
        change,
        dialect,
        path=lambda path: _cmd_set("PATH", path),
        run=lambda script: f'@CALL "{_cmd_text(script)}"',
        put=lambda name, value: _cmd_set(name, value or ""),
        prompt=_cmd_prompts(*map(_cmd_prompt, change.prompt)),
    )
    return "\r\n".join("\n".join([*lines, ""]).split("\n"))


def _cmd_prompts(before: str, after: str) -> list[str]:
    if before:
        return [f'@CALL SET "PROMPT=%%PROMPT:{before}={after}%%"']
    if after:
        return [
            '@IF NOT DEFINED PROMPT SET "PROMPT=$P$G"',
            f'@CALL SET "PROMPT={after}%%PROMPT%%"',
        ]
    return []


def _cmd_set(name: str, value: str) -> str:
    return f'@SET "{name}={_cmd_text(value)}"'


def _cmd_text(text: str) -> str:
    """Return ``text`` for a batch file, in which a value cannot have a line break."""
    return " ".join(text.splitlines()).replace("%", "%%")


def _cmd_prompt(text: str) -> str:
    return "".join("_" if each in '$%"=^&|<>' or not each.isprintable() else each for each in text)


DIALECTS = {
    each.name: each
    for each in (
        Dialect("bash", (".sh",), _posix),
        Dialect("zsh", (".sh",), _posix),
        Dialect("sh", (".sh",), _posix),
        Dialect("fish", (".fish",), _fish),
        Dialect("powershell", (".ps1",), _powershell),
        Dialect("xonsh", (".xsh", ".sh") if os.name != "nt" else (".xsh",), _xonsh),
        Dialect("nushell", (), _nushell),
        Dialect("cmd", (".bat",), _cmd),
    )
}
"""The shells that can be hooked, by the names that ``--shell`` takes."""
ALIASES = {
    "posix": "sh", "dash": "sh", "ksh": "sh", "ash": "sh", "pwsh": "powershell", "nu": "nushell",
    "cmd.exe": "cmd",
}  # fmt: skip
"""Other names of theirs."""
