"""How ipykernel is started in an environment, and what a notebook can type about its packages.

``%kaa install polars`` changes the environment that the kernel runs in, and so do ``pip``,
``conda``, ``mamba`` and ``uv`` after ``%`` or ``!`` and in cells under ``%%bash`` and the like:
kaa's own Python understands what was typed
(:mod:`kaa.jupyter.typed`) and does it, and here its output is shown, and the kernel is told.

kaa writes this module beside the launcher (:mod:`kaa.kernels.installed_launcher`), whose rules hold
here, too: it runs in the environment's Python, knows nothing of kaa's installation, keeps to the
standard library and Python 3.7's syntax, and imports at the top what costs nothing.
"""

# ruff: noqa: PTH112, PTH118, PTH119, PTH120, PTH208

from __future__ import annotations

import os
import sys

from kaa.environments.activation import PREFIX_VARIABLE, generation_of, own_variables
from kaa.environments.activation_scripts import script_changes
from kaa.kernels.imported import (
    distributions_in,
    loaded_from,
    move_interpreter,
    other_imports,
    python_of,
    use_instead,
)

# `typing` is slow to import; checkers take this name for typing's own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TYPED = ("pip", "conda", "mamba", "micromamba", "uv")
"""The programs that act on the kernel's environment when they are typed in its notebook."""
PYTHON_VARIABLE = "KAA_TYPED_PYTHON"
"""Names kaa's own Python, for the one command that was typed."""
ENTRY = """\
import sys
sys.path[:] = [entry for entry in sys.path if entry]
try:
    from kaa.jupyter.typed import main
except ImportError as error:
    sys.exit("kaa is not in " + sys.executable + " any more: " + str(error))
sys.exit(main(sys.argv[1:]))
"""
"""Runs kaa's side, with nothing of the current directory on the module search path."""
_GRACE = 3
"""Seconds that an interrupted command has to end by itself; mostly it was interrupted, too."""
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "busybox")
"""Shells that read ``NAME=value; export NAME``."""
_SCRIPTS = ("script", "bash", "sh", "zsh", "fish", "cmd")
"""IPython's magics that give a whole cell to a shell."""


class CommandFailedError(Exception):
    """What a magic raises when its command failed and has said why: one line, no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"kaa: {self}"]


class Notebook:
    """A running kernel's environment: where it is, and which generation of it is imported from.

    ``site`` is its site-packages directory in that generation, ``overlay`` the one that lends
    ipykernel, None where the environment has its own; ``python`` is kaa's own Python, and
    ``folder`` the directory that this file is in.
    """

    def __init__(
        self,
        prefix: str,
        generation: str,
        site: str,
        overlay: str | None,
        python: str,
        folder: str,
    ) -> None:
        self.prefix = prefix
        self.generation = generation
        self.site = site
        self.left: dict[str, dict[str, Any]] = {}
        self.overlay = overlay
        self.python = python
        self.root = os.path.dirname(os.path.dirname(folder))
        self.shims = os.path.join(self.root, "shims")

    def type(self, program: str, line: str) -> None:
        """Do what ``%program line`` says, show what it prints, and follow the change.

        Raises :class:`CommandFailedError`.
        """
        import shlex

        if not os.access(self.python, os.X_OK):
            where = self.python or "not known to this kernelspec"
            raise CommandFailedError(
                f"kaa's own Python is gone ({where}); `kaa kernels sync` of a new installation "
                "brings kernels up to date"
            )
        try:
            words = shlex.split(line, posix=os.name != "nt")
        except ValueError as error:
            raise CommandFailedError(f"%{program} {line}: {error}") from None
        before = self.look()
        try:
            code = _run_shown([self.python, "-c", ENTRY, program, *words], self.variables())
        finally:
            self.follow(before)
        if code:
            raise CommandFailedError(f"%{program} failed (exit code {code}); the reason is above")

    def as_program(self, cmd: str) -> str:
        """Return a command line with ``pip`` for ``python -m pip``, where that is this Python."""
        if " -m " not in cmd or not os.access(self.python, os.X_OK):
            return cmd
        import re

        python = rf"([\"']?)(?:{re.escape(sys.executable)}|python3?)\2"
        return re.sub(rf"((?:^|[;&|(\n])\s*){python}\s+-m\s+(pip|conda|uv)\b", r"\1\3", cmd)

    def variables(self) -> dict[str, str]:
        """Return the variables that tell a command which environment is meant."""
        return {PREFIX_VARIABLE: self.prefix, PYTHON_VARIABLE: self.python}

    def look(self) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Return what is installed and what of it is imported, to compare with later.

        Of each site-packages directory that anything was imported from: modules stay the ones of
        the generation that was current then.
        """
        self.left[self.site] = distributions_in(self.site)
        return [(site, found, loaded_from(site)) for site, found in self.left.items()]

    def follow(self, before: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
        """Let what has been installed be imported, and say whether that takes a restart."""
        generation = generation_of(self.prefix)
        if not os.path.isdir(generation):
            return  # removed: what was typed has said so
        moved = generation != self.generation
        site = generation + self.site[len(self.generation) :] if moved else self.site
        after = distributions_in(site)
        if not moved and after == self.left[site]:
            return
        if python_of(generation) != python_of(self.generation):
            _say("Restart the kernel: Python itself has changed.")
            return
        others: dict[str, None] = {}
        for old, distributions, loaded in before:
            others.update(dict.fromkeys(other_imports(loaded, distributions, after, old, site)))
        use_instead(self.site, site, self.overlay)
        if moved:
            self._hold(site)
            move_interpreter(self.generation, generation)
            _adopt_variables(self.generation, generation, self.root)
        self.generation, self.site = generation, site
        if others:
            _say("Restart the kernel to use what it has imported already: " + ", ".join(others))
        else:
            _say("No restart is needed.")

    def _hold(self, site: str) -> None:
        """Keep a generation from being cleared away: what is open in a process is in use."""
        if os.name != "nt":  # where directories cannot be opened
            os.open(site, os.O_RDONLY)


def start(
    prefix: str, generation: str, own: str, site: str, python: str, folder: str, lent: bool
) -> None:
    """Start the kernel of the environment at ``prefix`` with the ipykernel in ``site``.

    ``lent`` says that this directory is an overlay's, ``own`` is the environment's; ``python`` is
    kaa's, and this file is in ``folder``. The arguments are this process's own. All else is as
    ``python -m ipykernel_launcher`` has it: the current directory goes from the module search path,
    so that no file beside the notebook shadows a module (IPython puts it back), ``sys.argv`` names
    the program, and the application is the one instance that configuration is for.
    """
    if sys.path[0] == "":
        del sys.path[0]
    if lent:
        # Appending leaves the environment's own packages in front of the overlay's.
        sys.path.append(site)
    sys.argv[0] = os.path.join(site, "ipykernel_launcher.py")
    from ipykernel.kernelapp import IPKernelApp

    backend = os.environ.get("MPLBACKEND")
    app: Any = IPKernelApp.instance()
    app.initialize()
    if lent and not backend:
        # ipykernel chooses the inline backend by a variable: programs that the kernel starts must
        # not inherit it, since they have no overlay and matplotlib would fail in them.
        os.unsetenv("MPLBACKEND")
    try:
        overlay = site if lent else None
        _register(app.shell, Notebook(prefix, generation, own, overlay, python, folder))
    except Exception as error:
        # A kernel without these is a kernel still; a shell of another kind may be configured.
        sys.stderr.write(f"kaa: %kaa is not there: {error!r}\n")
    app.start()


def _register(shell: Any, notebook: Notebook) -> None:
    for program in ("kaa", *TYPED):
        shell.register_magic_function(_magic(program, notebook), "line", program)
    for name in ("system", "getoutput"):
        setattr(shell, name, _with_shims(shell, getattr(shell, name), notebook))
    cells = shell.magics_manager.magics["cell"]
    cells.update({n: _script_magic(shell, n, notebook) for n in _SCRIPTS if n in cells})


def _magic(program: str, notebook: Notebook) -> Callable[[str], None]:
    def magic(line: str) -> None:
        notebook.type(program, line)

    magic.__name__ = program
    magic.__doc__ = f"Do what `{program}` does, in the environment that this kernel runs in."
    return magic


def _with_shims(shell: Any, run: Callable[..., Any], notebook: Notebook) -> Callable[..., Any]:
    """Return ``run``, which runs a command line, such that programs that are typed are found.

    They are found for that command only: the variables of this process stay as they are.
    """

    def run_with_shims(cmd: str, *arguments: Any, depth: int = 0, **named: Any) -> Any:
        # Here, since it looks for variables in the frame that called this function.
        cmd = notebook.as_program(shell.var_expand(cmd, depth=depth + 1))
        before = notebook.look() if _may_change(cmd) else None
        shell.var_expand = lambda text, *_, **__: text
        try:
            with _Shims(notebook) as shims:
                return run(shims.command(cmd), *arguments, **named)
        finally:
            del shell.var_expand
            if before is not None:
                notebook.follow(before)

    return run_with_shims


def _script_magic(shell: Any, name: str, notebook: Notebook) -> Callable[[str, str], Any]:
    """Return ``%%bash`` and the like, such that programs in the cell are found as after ``!``."""

    def magic(line: str, cell: str) -> Any:
        # Only now, since IPython 9 imports these magics when the first of them is used.
        run = shell.magics_manager.registry["ScriptMagics"].magics["cell"][name]
        if any(os.path.basename(word) in _SHELLS for word in (name, *line.split())):
            cell = notebook.as_program(cell)
        before = notebook.look() if _may_change(cell) else None
        try:
            with _Shims(notebook, inside=False):
                return run(line, cell)
        finally:
            if before is not None:
                notebook.follow(before)

    magic.__name__ = name
    magic.__doc__ = (
        f"IPython's own %%{name}; pip, conda, mamba and uv act on the environment that this "
        "kernel runs in."
    )
    return magic


class _Shims:
    """The directory of shims first on PATH while a command runs: in its own shell, if possible."""

    def __init__(self, notebook: Notebook, *, inside: bool = True) -> None:
        shell = os.path.basename(os.environ.get("SHELL", "sh"))
        self._inside = inside and os.name != "nt" and shell in _SHELLS
        self._values = notebook.variables()
        self._values["PATH"] = notebook.shims + os.pathsep + os.environ.get("PATH", os.defpath)
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> _Shims:
        if not self._inside:
            self._before = {name: os.environ.get(name) for name in self._values}
            os.environ.update(self._values)
        return self

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def command(self, cmd: str) -> str:
        """Return the command line with the variables set in front."""
        if not self._inside:
            return cmd
        import shlex

        sets = " ".join(f"{name}={shlex.quote(value)}" for name, value in self._values.items())
        return f"export {sets}; {cmd}"


def _may_change(cmd: str) -> bool:
    """Say whether a command line may change the environment, as far as its words tell."""
    import re

    return re.search(r"\b(kaa|pip[\d.]*|conda|mamba|micromamba|uv|pixi|poetry)\b", cmd) is not None


def _adopt_variables(old: str, new: str, root: str) -> None:
    """Set the variables that the environment sets now and did not set before, and unset others."""
    before: dict[str, str | None] = dict(own_variables(old))
    after: dict[str, str | None] = dict(own_variables(new))
    cache = os.path.join(root, "cache", "activation")
    if _scripts(old) != _scripts(new):
        after.update(script_changes(new, {**os.environ}, cache))
    for name in {*before, *after}:
        value = after.get(name)
        if name == "PATH" or value == before.get(name):
            continue
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _scripts(generation: str) -> list[str]:
    try:
        return sorted(os.listdir(os.path.join(generation, "etc", "conda", "activate.d")))
    except OSError:
        return []


def _run_shown(command: list[str], variables: dict[str, str]) -> int:
    """Run a command, show what it prints as it comes, and return its exit code."""
    import subprocess

    # A pipe is no terminal, but its writer is to know that nobody can draw on it either.
    plain = {"TERM": "dumb", "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        env={**os.environ, **variables, **plain},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            _show(process)
        except KeyboardInterrupt as interrupt:
            _end(process)
            # The command has said what has become of it; where kaa waited tells nobody anything.
            interrupt._render_traceback_ = lambda: ["KeyboardInterrupt"]  # type: ignore[attr-defined]
            raise
        return process.wait()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _show(process: Any) -> None:
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()


def _end(process: Any) -> None:
    """Let an interrupted command put things in order; the first signal may have reached it."""
    import signal
    import subprocess
    import threading

    rest = threading.Thread(target=_show, args=(process,), daemon=True)
    rest.start()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        if os.name == "nt":
            process.terminate()
        else:
            process.send_signal(signal.SIGINT)
    process.wait()
    rest.join(1)
