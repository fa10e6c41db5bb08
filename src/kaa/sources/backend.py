"""A project's build backend (PEP 517, PEP 660) in an environment of its own, made by uv.

uv makes the environment and installs what the build needs; pypa's ``build`` calls the backend's
hooks in it. uv's own ``build`` command is not used: it has no editable wheels, cannot be asked for
metadata alone, and leaves its environments in its cache when it is ended.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from kaa.sources.programs import StoppedError
from kaa.sources.uv_program import find_uv, no_index, uv_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import IO

    from build import ProjectBuilder

    from kaa.network.settings import NetworkSettings
    from kaa.sources.programs import Programs
    from kaa.store.host_python import HostPython

T = TypeVar("T")
Kind = Literal["wheel", "editable"]
_UNWANTED = ("UV_", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")
"""Variables that a backend does not get: other Pythons' paths, and uv's, which have passwords."""


@dataclass(frozen=True, slots=True)
class BuildPython:
    """The interpreter that a build runs with.

    ``minor`` is its version (``3.12``), ``request`` what uv is told (``--python``): a path, or a
    version that uv finds or, if it may, downloads.
    """

    minor: str
    request: str

    @property
    def on_host(self) -> bool:
        """Whether it is known to be on this machine; else uv may download it."""
        return os.path.isabs(self.request)  # noqa: PTH117 - it need not be a path


def build_python(version: str, pythons: Sequence[HostPython]) -> BuildPython:
    """Return the interpreter that builds for environments with Python ``version``.

    An interpreter of this machine with that very version, else with the same minor one, which has
    the same ABI; else uv's own choice.
    """
    minor = ".".join(version.split(".")[:2])
    fitting = [python for python in pythons if python.minor == minor]
    exact = [python for python in fitting if python.version == version]
    chosen = next(iter([*exact, *fitting]), None)
    return BuildPython(minor, str(chosen.executable) if chosen else minor)


class BackendError(Exception):
    """A build went wrong.

    ``step`` says what could not be done; ``reason`` why, None where the log says it, from the byte
    ``begins`` on.
    """

    def __init__(self, step: str, reason: str | None = None, begins: int = 0) -> None:
        super().__init__(step)
        self.step = step
        self.reason = reason
        self.begins = begins


class Backend:
    """The backend of the project in ``tree``. All methods block, and raise :class:`BackendError`
    or :class:`~kaa.sources.programs.StoppedError`.

    The environment is made in ``work``; whatever any program says is appended to ``log``.
    """

    def __init__(
        self,
        tree: Path,
        work: Path,
        python: BuildPython,
        settings: NetworkSettings,
        environ: Mapping[str, str],
        programs: Programs,
        log: IO[bytes],
    ) -> None:
        self._tree = tree
        self._work = work
        self._environment = work / "env"
        self._programs = programs
        self._log = log
        self._begins = 0
        self._settings = settings
        self._for_uv = uv_environment(settings, environ)
        self._for_hooks = self._hook_variables(environ)
        self._project = self._open(python)

    def metadata(self, kind: Kind) -> Path | None:
        """Return the METADATA file that the backend prepares, None if it only can build."""
        found = self._call(
            f"the build backend failed to prepare the metadata of its {kind}",
            lambda: self._project.prepare(kind, self._work / "metadata"),
        )
        # A path of the backend's choice: it has run code as this user anyway.
        return self._work / "metadata" / os.path.basename(found) / "METADATA" if found else None  # noqa: PTH119

    def wheel(self, kind: Kind) -> Path:
        """Build the wheel and return its path, which is below ``work``."""
        built = self._call(
            f"the build backend failed to build its {kind}",
            lambda: self._project.build(kind, self._work / "built"),
        )
        return self._work / "built" / os.path.basename(built)  # noqa: PTH119

    def provide(self, kind: Kind) -> None:
        """Make the environment and install what the build of ``kind`` needs."""
        project = self._project
        self._uv("venv", "--no-project", "--python", self._request, str(self._environment))
        self._install(project.build_system_requires)
        wanted = self._call(
            "the build backend failed to say what it needs",
            lambda: project.get_requires_for_build(kind),
        )
        self._install(wanted - project.build_system_requires)

    def _open(self, python: BuildPython) -> ProjectBuilder:
        import warnings

        from build import BuildException, ProjectBuilder, TypoWarning
        from pyproject_hooks import BuildBackendWarning

        # For the project's authors, not for those who install it; and the terminal is not ours.
        for category in (BuildBackendWarning, TypoWarning):
            warnings.simplefilter("ignore", category)
        self._request = python.request
        try:
            return ProjectBuilder(self._tree, str(self._executable), self._run_hook)
        except (BuildException, ValueError) as error:  # the latter for paths out of the tree
            raise BackendError("its build system cannot be told", str(error)) from error

    @property
    def _executable(self) -> Path:
        if os.name == "nt":
            return self._environment / "Scripts" / "python.exe"
        return self._environment / "bin" / "python"

    def _hook_variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        variables = {name: text for name, text in environ.items() if not name.startswith(_UNWANTED)}
        scripts = str(self._executable.parent)
        temporary = self._work / "tmp"
        temporary.mkdir(exist_ok=True)
        return variables | {
            "PATH": os.pathsep.join(filter(None, (scripts, environ.get("PATH", os.defpath)))),
            "VIRTUAL_ENV": str(self._environment),
            "PYTHONNOUSERSITE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",  # the tree may be the user's own
            "TMPDIR": str(temporary),
            "TEMP": str(temporary),
            "TMP": str(temporary),
        }

    def _run_hook(
        self,
        cmd: Sequence[str],
        cwd: str | None = None,
        extra_environ: Mapping[str, str] | None = None,
    ) -> None:
        environment = {**self._for_hooks, **(extra_environ or {})}
        self._run(cmd, self._tree if cwd is None else Path(cwd), environment)

    def _run(self, command: Sequence[str], directory: Path, variables: Mapping[str, str]) -> None:
        self._begins = os.fstat(self._log.fileno()).st_size
        self._programs.run(command, directory=directory, environment=variables, output=self._log)

    def _install(self, requirements: Iterable[str]) -> None:
        from packaging.requirements import InvalidRequirement, Requirement

        wanted = sorted(requirements)
        if not wanted:
            return
        for text in wanted:
            try:  # a file of requirements can hold options, too
                Requirement(text)
            except InvalidRequirement as error:
                step = f"{text!r} among what its build needs is no requirement"
                raise BackendError(step, str(error).partition("\n")[0]) from error
        listed = self._work / "requirements.txt"
        listed.write_text("".join(f"{' '.join(text.split())}\n" for text in wanted), "utf-8")
        options = ["--no-index"] if no_index(self._settings) else []
        self._uv("pip", "install", "--python", str(self._executable), *options, "-r", str(listed))

    def _uv(self, *arguments: str) -> None:
        try:
            self._run([find_uv(), *arguments], self._work, self._for_uv)
        except subprocess.CalledProcessError as error:
            step = (
                "its build environment could not be made"
                if arguments[0] == "venv"
                else "what its build needs could not be installed"
            )
            raise BackendError(step, begins=self._begins) from error

    def _call(self, step: str, hook: Callable[[], T]) -> T:
        from build import BuildBackendException
        from pyproject_hooks import BackendUnavailable, HookMissing, UnsupportedOperation

        try:
            return hook()
        except BuildBackendException as error:
            if self._programs.stopped:
                raise StoppedError from error
            reason: str | None = str(error)
            failed = error.exception
            if isinstance(failed, subprocess.CalledProcessError):
                reason = None  # it has said what was wrong
            elif isinstance(failed, HookMissing):
                reason = f"it has no {failed.hook_name}"
            elif isinstance(failed, BackendUnavailable | UnsupportedOperation):
                reason = telling_lines(failed.traceback or str(error))
            raise BackendError(step, reason, self._begins) from error


def telling_lines(log: str, count: int = 8) -> str:
    """Return the last lines of a log that tell something, for a message."""
    found: list[str] = []
    of_hooks = False
    for raw in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", log).splitlines():
        line = raw.rstrip()
        if of_hooks and line.startswith("    "):
            continue  # the source line of a frame that is not the backend's
        of_hooks = 'File "' in line and "pyproject_hooks" in line
        if not of_hooks and line.strip(" ^~-=|+") and not line.startswith("Traceback ("):
            found.append(line[:200])
    return "\n".join(found[-count:])
