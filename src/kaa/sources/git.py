"""Git repositories as sources: one bare clone of each in the cache, checked out where it is built.

The ``git`` program does it, as its user has set it up (ssh keys, credential helpers, proxies),
but asks nothing. Credentials of a URL reach it by its environment, never by its command line.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaa.model.errors import RequestError, SourceAnswerError, SourceUnreachableError
from kaa.network.failures import SWITCHED_OFF
from kaa.network.local_files import is_local
from kaa.network.locations import origin, redact_text
from kaa.sources.backend import telling_lines
from kaa.store.disk import writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from kaa.network.locations import Credentials
    from kaa.sources.programs import Programs

_HASH = re.compile(r"[0-9a-f]{7,64}\Z")
_WHOLE_HASH = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\Z")
_REF = re.compile(r"(?!.*\.\.)[^-\s~^:?*\[\\\x00-\x1f][^\s~^:?*\[\\\x00-\x1f]*\Z")
"""What git allows as a name, roughly (git-check-ref-format), and nothing that is an option."""
_SLOW = {"GIT_HTTP_LOW_SPEED_LIMIT": "1000", "GIT_HTTP_LOW_SPEED_TIME": "20"}
"""A transfer that is slower than so many bytes in so many seconds has failed."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository by its URL, which has no credentials in it; ``clones`` is where to keep it.

    ``offline`` keeps git from the network.
    """

    url: str
    clones: Path
    credentials: Credentials | None = field(default=None, repr=False)
    offline: bool = False

    @property
    def key(self) -> str:
        """A name for the clone's directory and lock."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]

    @property
    def clone(self) -> Path:
        """The bare clone."""
        return self.clones / self.key


def find_commit(repository: Repository, ref: str | None, programs: Programs) -> str:
    """Return the commit that ``ref`` names (a branch, tag, commit or full ref; None: HEAD).

    The clone is made or brought up to date for it, unless ``ref`` is a whole commit that it has.
    Blocks. Raises :class:`~kaa.model.errors.RequestError` for a ref that can be none,
    :class:`~kaa.model.errors.SourceAnswerError` for one that is not there, and
    :class:`~kaa.model.errors.SourceUnreachableError` without git or the repository.
    """
    if ref is not None and not _REF.match(ref):
        raise RequestError(
            f"{ref!r} cannot be a branch, tag or commit",
            hint="write it behind the URL: git+https://example.org/project.git@v1.0",
        )
    git = _Git(repository, programs)
    if not (repository.clone / "HEAD").is_file():
        with writing(repository.clone):
            repository.clones.mkdir(parents=True, exist_ok=True)
        git.run("init", "--quiet", "--bare", str(repository.clone), directory=repository.clones)
    elif ref and _WHOLE_HASH.match(ref) and (known := git.commit(ref)):
        return known
    if repository.offline:
        found = git.first_commit(_names(ref))
        if found is None:
            raise SourceUnreachableError(
                f"{repository.url} is not in the cache, and the network is switched off",
                hint=SWITCHED_OFF,
            )
        return found
    return _fetch(repository, ref, git)


def check_out(repository: Repository, commit: str, target: Path, programs: Programs) -> None:
    """Check ``commit`` out into the new directory ``target``, with its submodules.

    The directory is a clone with all tags, for backends that ask git for the version. Blocks.
    """
    git = _Git(repository, programs)
    # --shared: without a copy of the objects; it is removed long before the clone is.
    git.run(
        *("clone", "--quiet", "--no-checkout", "--shared", "--"),
        *(str(repository.clone), str(target)),
        local=True,
    )
    # relative submodules are meant relative to the real place
    git.run("remote", "set-url", "origin", repository.url, directory=target)
    git.run("checkout", "--quiet", "--detach", commit, directory=target)
    if (target / ".gitmodules").is_file():
        git.run("submodule", "--quiet", "update", "--init", "--recursive", directory=target)


def _fetch(repository: Repository, ref: str | None, git: _Git) -> str:
    refspecs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
    if ref is None:
        refspecs.append("+HEAD:refs/kaa/HEAD")
    git.run("fetch", "--quiet", "--force", "--prune", "--", repository.url, *refspecs)
    found = git.first_commit(_names(ref))
    if found is None and ref and (_WHOLE_HASH.match(ref) or ref.startswith("refs/")):
        # Not part of any branch, as those of pull requests: most servers give them when asked.
        try:
            git.run("fetch", "--quiet", "--", repository.url, f"+{ref}:refs/kaa/asked")
        except SourceUnreachableError:
            found = None
        else:
            found = git.commit("refs/kaa/asked")
    if found is None:
        raise SourceAnswerError(
            f"{repository.url} has no branch, tag or commit {ref!r}",
            hint=f"see what it has: git ls-remote {repository.url}",
        )
    return found


def _names(ref: str | None) -> Iterator[str]:
    if ref is None:
        yield "refs/kaa/HEAD"
        return
    yield from (f"refs/heads/{ref}", f"refs/tags/{ref}")
    if ref.startswith("refs/") or _HASH.match(ref):
        yield ref


class _Git:
    """The program, for one repository."""

    def __init__(self, repository: Repository, programs: Programs) -> None:
        self._repository = repository
        self._programs = programs

    def run(
        self,
        *arguments: str,
        directory: Path | None = None,
        capture: bool = False,
        local: bool = False,
    ) -> str:
        """Run git with ``arguments``, in the clone unless said otherwise; ``local`` allows files
        of this machine as a source. Raises :class:`SourceUnreachableError` when it fails."""
        import tempfile

        with tempfile.TemporaryFile() as output:
            try:
                return self._programs.run(
                    ["git", *arguments],
                    directory=directory or self._repository.clone,
                    environment=_environment(self._repository, os.environ, local=local),
                    output=output,
                    capture=capture,
                )
            except FileNotFoundError as error:
                raise SourceUnreachableError(
                    f"git is needed for {self._repository.url} and is not installed",
                    cause=str(error),
                    hint="install it with your system's packages, or from conda-forge",
                ) from error
            except subprocess.CalledProcessError as error:
                output.seek(0)
                said = output.read().decode("utf-8", "replace")
                raise SourceUnreachableError(
                    f"git could not {_purpose(arguments)} {self._repository.url}",
                    cause=redact_text(telling_lines(said)) or str(error),
                    hint=SWITCHED_OFF
                    if self._repository.offline
                    else "check the URL and that `git ls-remote` of it works without a question",
                ) from error

    def commit(self, name: str) -> str | None:
        """Return the commit that a name of the clone leads to."""
        try:
            found = self.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", capture=True)
        except SourceUnreachableError:
            return None
        return found.strip() or None

    def first_commit(self, names: Iterator[str]) -> str | None:
        return next(filter(None, map(self.commit, names)), None)


def _purpose(arguments: Sequence[str]) -> str:
    if "fetch" in arguments:
        return "fetch"
    return "fetch the submodules of" if "submodule" in arguments else "check out"


def _environment(
    repository: Repository, environ: Mapping[str, str], *, local: bool = False
) -> dict[str, str]:
    # A repository in whose hook kaa may be running is not meant.
    own = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
    variables = {name: text for name, text in environ.items() if name not in own}
    # A repository of the network has no say about this machine's files, nor about programs.
    protocols = [] if repository.offline else ["https", "http", "ssh", "git"]
    protocols += ["file"] if local or is_local(repository.url) else []
    variables |= {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": ":".join(protocols),
        "LC_ALL": "C",
    }
    for name, value in _SLOW.items():
        variables.setdefault(name, value)
    credentials = repository.credentials
    if credentials is not None:
        pair = f"{credentials.username}:{credentials.password or ''}"
        scheme, host, port = origin(repository.url)
        number = int(variables.get("GIT_CONFIG_COUNT") or 0)
        basic = base64.b64encode(pair.encode()).decode()
        variables |= {
            "GIT_CONFIG_COUNT": str(number + 1),
            f"GIT_CONFIG_KEY_{number}": f"http.{scheme}://{host}:{port}/.extraHeader",
            f"GIT_CONFIG_VALUE_{number}": f"Authorization: Basic {basic}",
        }
    return variables
