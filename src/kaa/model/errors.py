"""The one tree of errors: what happened, why, what to do about it, and the exit code.

A room raises the most telling class with a message a user can read; the command line prints
message, cause and hint, and ``--json`` carries the same fields (:meth:`KaaError.as_dict`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kaa.model.explanation import Explanation


class KaaError(Exception):
    """Something kaa cannot do, said so that a person can act on it.

    ``message`` is one sentence without a full stop at its end; ``cause`` the underlying reason,
    where there is one (several lines are allowed); ``hint`` what to type or change.
    """

    exit_code = 1

    def __init__(self, message: str, *, cause: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.hint = hint

    @property
    def details(self) -> str | None:
        """Return what else ``-v`` shows, which may be long."""
        return None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "cause": self.cause,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


# --- what was asked for (exit code 2, as click's own usage errors) -------------------------


class RequestError(KaaError):
    """The request itself is wrong; nothing was tried."""

    exit_code = 2


class InvalidSpecError(RequestError):
    """A package spec that is neither a requirement (PEP 508) nor a match spec."""


class InvalidNameError(RequestError):
    """A name that no environment can have."""


class UnsupportedError(RequestError):
    """A request that is well-formed but that kaa does not do (yet)."""


# --- environments (3) --------------------------------------------------------------------


class EnvironmentStateError(KaaError):
    """An environment is not in the state that the request needs."""

    exit_code = 3


class EnvironmentExistsError(EnvironmentStateError):
    """The environment to be created is there already."""


class EnvironmentNotFoundError(EnvironmentStateError):
    """There is no environment of this name or at this path."""


class GenerationNotFoundError(EnvironmentStateError):
    """The environment has no generation of this number, or none before the current one."""


class ProgramNotFoundError(EnvironmentStateError):
    """The program to run is not in the environment, nor on PATH."""

    exit_code = 127


class PackageNotInstalledError(EnvironmentStateError):
    """The environment has no package of this name."""


# --- the solve (4) -----------------------------------------------------------------------


class SolveError(KaaError):
    """There is no answer to the request; ``explanation`` says why, where there is one."""

    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        cause: str | None = None,
        hint: str | None = None,
        explanation: Explanation | None = None,
    ) -> None:
        super().__init__(message, cause=cause, hint=hint)
        self.explanation = explanation

    @property
    def details(self) -> str | None:
        """Return all reasons, where they are many, and the solver's own account."""
        return self.explanation.details() if self.explanation else None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        explanation = self.explanation.as_dict() if self.explanation else None
        return {**super().as_dict(), "explanation": explanation}


class UnknownPackageError(SolveError):
    """No source has a package of this name."""


class NoMatchingVersionError(SolveError):
    """The package exists, but no version of it satisfies the request."""


class NoWheelError(SolveError):
    """The project has no wheel for this platform and these interpreters."""


class NoInterpreterError(SolveError):
    """This machine has no interpreter that satisfies the request."""


class ConflictError(SolveError):
    """Requirements that cannot be satisfied together."""


class NoAnswerError(SolveError):
    """The solver came to no end."""


# --- sources and the network (5) -----------------------------------------------------------


class SourceError(KaaError):
    """A source did not give what it was asked for.

    Where it is a channel that one can do without, ``channel`` is its name and ``without`` what of
    the hint says how: whoever knows the whole command line says that better.
    """

    exit_code = 5
    channel: str | None = None
    without: str | None = None


class SourceUnreachableError(SourceError):
    """A source could not be reached at all (name, connection, TLS, time-out, offline)."""


class SourceAnswerError(SourceError):
    """A source answered, with an error or with something that makes no sense."""


class MetadataError(SourceError):
    """A distribution's metadata cannot be read or contradicts its file name."""


class BuildError(SourceError):
    """A wheel could not be built from source."""


# --- downloads, the package cache and the disk (6) -----------------------------------------


class StoreError(KaaError):
    """A package could not be fetched, checked, unpacked or written."""

    exit_code = 6


class HashMismatchError(StoreError):
    """A download is not the file that the source promised."""


class TruncatedDownloadError(StoreError):
    """A download ended before the file did."""


class UnsafeArchiveError(StoreError):
    """An archive that would write outside its own folder, or is not what it claims to be."""


class DiskFullError(StoreError):
    """There is no space left on the device."""


class NotWritableError(StoreError):
    """A directory that kaa needs to write to cannot be written to."""


class LinkScriptError(StoreError):
    """A link script of a package failed, so that the environment stays as it was."""


# --- kernels (7) ---------------------------------------------------------------------------


class KernelError(KaaError):
    """A kernelspec or the kernel overlay could not be put in place."""

    exit_code = 7


# --- the user said stop (130, as shells have it for SIGINT) ----------------------------------


class AbortedError(KaaError):
    """The user interrupted the command or declined the plan."""

    exit_code = 130
