"""Wheels built from source: isolated, several at once, each once, and never unless allowed.

A wheel is kept for ever by what it was built from: the sha256 of an sdist, the commit of a
repository, the fingerprint of a directory. Metadata are read without a build where the source
says that they are static, else asked of the backend, which may run code of the project.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import sysconfig
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

from kaa.model.errors import BuildError, MetadataError
from kaa.model.progress import Phase, Silent
from kaa.network.locations import redact_text
from kaa.sources.backend import Backend, BackendError, build_python, telling_lines
from kaa.sources.index import normalise
from kaa.sources.metadata import parse_metadata
from kaa.sources.metadata_entries import MetadataEntries
from kaa.sources.programs import run_stoppable
from kaa.sources.remote_zip import read_metadata
from kaa.sources.sdists import static_metadata
from kaa.sources.source_code import Sdist, Source, sdist_source
from kaa.sources.static_metadata import (
    load_pyproject,
    metadata_of_pyproject,
    parse_own_metadata,
    stem,
)
from kaa.store.disk import writing
from kaa.store.exclusive import held_in_loop
from kaa.store.layout import WORK
from kaa.store.run_token import temporary_name

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Iterator,
        Mapping,
        Sequence,
    )
    from pathlib import Path
    from typing import IO

    from kaa.model.distribution import CoreMetadata, IndexFile
    from kaa.model.progress import Progress
    from kaa.network.client import Client
    from kaa.sources.backend import BuildPython, Kind
    from kaa.sources.programs import Programs
    from kaa.store.host_python import HostPython
    from kaa.store.layout import Layout

_POLL = 0.1
"""Seconds between two looks at a lock that another task or process holds."""
_PURE = re.compile(r"-(py3|py2\.py3)-none-any\.whl\Z")


class Builder:
    """Builds wheels, and finds the metadata of what has none; for one run, in one event loop.

    ``pythons`` finds this machine's interpreters; it is called when they are needed. Without
    ``allow`` nothing is run: static metadata are read, anything else is a
    :class:`~kaa.model.errors.BuildError`.
    """

    def __init__(
        self,
        layout: Layout,
        client: Client,
        progress: Progress | None = None,
        *,
        pythons: Callable[[], Awaitable[Sequence[HostPython]]] | None = None,
        allow: bool = True,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.layout = layout
        self.client = client
        self.allow = allow
        self._progress = progress or Silent()
        self._pythons = pythons
        self._environ = os.environ if environ is None else environ
        self._folder = layout.metadata / "builds"
        self._entries = MetadataEntries(self._folder / "metadata")
        self._slots = asyncio.Semaphore(os.cpu_count() or 1)
        self._building = 0

    async def python_for(self, version: str) -> BuildPython:
        """Return the interpreter that builds for Python ``version``, full or minor."""
        return build_python(version, await self._pythons() if self._pythons else ())

    async def core_metadata(self, file: IndexFile, version: str) -> CoreMetadata:
        """Return the metadata of an sdist of an index, for Python ``version``.

        Raises what :meth:`metadata` raises.
        """
        return await self.metadata(sdist_source(file), await self.python_for(version))

    async def metadata(self, source: Source, python: BuildPython) -> CoreMetadata:
        """Return the metadata that a wheel of ``source`` would have.

        Raises :class:`~kaa.model.errors.MetadataError` for metadata that contradict the file name
        or make no sense, :class:`~kaa.model.errors.BuildError`,
        :class:`~kaa.model.errors.UnsafeArchiveError`, and what :class:`Client` raises.
        """
        found = self._known(source, python)
        if found is not None:
            return found
        archive = None
        if isinstance(source, Sdist):
            archive = await self._archive(source)
            if not source.subdirectory:
                name = source.file.filename
                arguments = (archive, name, source.name, source.version)
                found = await asyncio.to_thread(static_metadata, *arguments)
                if found is not None:
                    self._entries.put(source.key, found)
                    return found
        async with self.alone(source.key):
            found = self._known(source, python)
            if found is None:
                async with self._slots:
                    found = await run_stoppable(
                        lambda programs: self._find_metadata(source, archive, python, programs)
                    )
                found = found or await self._of_built(source, python)
                self._entries.put(f"{source.key}-{python.minor}", found)
            return found

    async def wheel(self, source: Source, python: BuildPython) -> Path:
        """Return the path of the wheel of ``source`` for ``python``, built unless it is kept.

        The file belongs to the cache: copy or link it, do not move it. Its own name says what it
        fits. Raises what :meth:`metadata` raises.
        """
        found = self._kept(source, python)
        if found is not None:
            return found
        async with self.alone(source.key):
            return self._kept(source, python) or await self._build(source, python)

    @asynccontextmanager
    async def alone(self, key: str) -> AsyncIterator[None]:
        """Hold the lock of a source among all tasks and processes; waiting can be cancelled."""
        # Two digits of it: so there are few lock files, and two sources seldom share one.
        async with held_in_loop(self.layout.locks / f"build-{key[:2]}.lock", quiet=True):
            yield

    def _known(self, source: Source, python: BuildPython) -> CoreMetadata | None:
        for key in (source.key, f"{source.key}-{python.minor}"):
            found = self._entries.get(key)
            if found is not None:
                _check(found, source)  # the same archive may have come under another name
                return found
        return None

    async def _of_built(self, source: Source, python: BuildPython) -> CoreMetadata:
        """Return the metadata of the wheel itself, where the backend can only build."""
        wheel = self._kept(source, python) or await self._build(source, python)
        return await asyncio.to_thread(_metadata_of_wheel, wheel, source)

    def archive_path(self, source: Sdist) -> Path:
        """Return where the archive of a source is kept, once it was downloaded and checked."""
        return self._folder / "sdists" / source.key / source.file.filename

    async def _archive(self, source: Sdist) -> Path:
        """Return the sdist, downloaded whole and checked."""
        path = self.archive_path(source)
        if not path.is_file():
            file = source.file
            await self.client.download(file.url, path, hashes=file.hashes, size=file.size)
        return path

    def _kept(self, source: Source, python: BuildPython) -> Path | None:
        folder = self._folder / "wheels" / source.key
        for variant in ("any", _variant(python)):
            found = next(iter(sorted((folder / variant).glob("*.whl"))), None)
            if found is not None:
                return found
        return None

    async def _build(self, source: Source, python: BuildPython) -> Path:
        archive = await self._archive(source) if isinstance(source, Sdist) else None
        self._progress.expect(Phase.BUILD, 1)
        self._building += 1
        try:
            async with self._slots:
                self._progress.advance(Phase.BUILD, 0, source.label)
                return await run_stoppable(
                    lambda programs: self._build_wheel(source, archive, python, programs)
                )
        finally:
            self._progress.advance(Phase.BUILD, 1, source.label)
            self._building -= 1
            if not self._building:
                self._progress.finish(Phase.BUILD)

    def _find_metadata(
        self, source: Source, archive: Path | None, python: BuildPython, programs: Programs
    ) -> CoreMetadata | None:
        """Return the metadata of the tree or its backend; None if that can only build."""
        with self._work(source, python, programs) as (work, log):
            tree = source.unpack(work, archive, programs)
            found = _static_metadata_of(tree, source)
            if found is not None:
                return found
            kind: Kind = "editable" if source.editable else "wheel"
            backend = self._backend(source, tree, work, python, programs, log)
            backend.provide(kind)
            path = backend.metadata(kind)
            if path is None:
                return None
            return parse_own_metadata(path.read_bytes(), source.name, source.version)

    def _build_wheel(
        self, source: Source, archive: Path | None, python: BuildPython, programs: Programs
    ) -> Path:
        with self._work(source, python, programs) as (work, log):
            tree = source.unpack(work, archive, programs)
            kind: Kind = "editable" if source.editable else "wheel"
            backend = self._backend(source, tree, work, python, programs, log)
            backend.provide(kind)
            built = backend.wheel(kind)
            _metadata_of_wheel(built, source)
            variant = "any" if _PURE.search(built.name) else _variant(python)
            kept = self._folder / "wheels" / source.key / variant / built.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            built.replace(kept)
            return kept

    def _backend(
        self,
        source: Source,
        tree: Path,
        work: Path,
        python: BuildPython,
        programs: Programs,
        log: IO[bytes],
    ) -> Backend:
        if not self.allow:
            raise BuildError(
                f"{source.label} would have to be built, and building is forbidden (--no-build)",
                hint="leave out --no-build, or ask for something that has a wheel",
            )
        settings = self.client.settings
        return Backend(tree, work, python, settings, self._environ, programs, log)

    @contextmanager
    def _work(
        self, source: Source, python: BuildPython, programs: Programs
    ) -> Iterator[tuple[Path, IO[bytes]]]:
        """Make a directory to work in and a log, and explain failures by the log's end."""
        work = self._folder / temporary_name(WORK)
        path = work / "log"
        try:
            with writing(work):
                work.mkdir(parents=True)
                with path.open("wb") as log:
                    yield work, log
        except BackendError as error:
            raise self._failed(source, python, error, path.read_bytes()) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _failed(
        self, source: Source, python: BuildPython, error: BackendError, log_bytes: bytes
    ) -> BuildError:
        said = redact_text(log_bytes.decode("utf-8", "replace"))
        last = log_bytes[error.begins :].decode("utf-8", "replace")
        reason = redact_text(error.reason or telling_lines(last))
        log = self._folder / "logs" / f"{_log_name(source)}-cp{python.minor.replace('.', '')}.log"
        kept = ""
        with suppress(OSError):
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(f"{said}\n{error.step}\n{error.reason or ''}\n", "utf-8")
            kept = f"the whole log is in {log}; "
        return BuildError(
            f"{source.label} could not be built from source: {error.step}",
            cause=reason or None,
            hint=f"{kept}`--no-build` keeps to what has wheels",
        )


def _static_metadata_of(tree: Path, source: Source) -> CoreMetadata | None:
    """Return what pyproject.toml says; PKG-INFO in a tree may be a leftover of other times."""
    try:
        content = (tree / "pyproject.toml").read_bytes()
    except FileNotFoundError:
        return None
    table = load_pyproject(content, source.label)
    return metadata_of_pyproject(table, source.name, source.version)


def _metadata_of_wheel(wheel: Path, source: Source) -> CoreMetadata:
    metadata = parse_metadata(read_metadata(wheel, wheel.name), wheel.name)
    _check(metadata, source)
    return metadata


def _check(metadata: CoreMetadata, source: Source) -> None:
    from packaging.utils import canonicalize_version

    if source.name is None or source.version is None:
        return
    expected = (normalise(source.name), canonicalize_version(source.version))
    if (normalise(metadata.name), canonicalize_version(metadata.version)) != expected:
        raise MetadataError(
            f"the metadata of {source.label} cannot be used",
            cause=f"what is built from it is {metadata.name} {metadata.version}",
            hint="choose another version, and tell the project's authors",
        )


def _variant(python: BuildPython) -> str:
    return f"cp{python.minor.replace('.', '')}-{sysconfig.get_platform()}"


def _log_name(source: Source) -> str:
    if source.name is not None and source.version is not None:
        return stem(source.name, source.version)
    digest = hashlib.sha256(json.dumps(source.label).encode()).hexdigest()[:8]
    parts = [part for part in re.split(r"[^A-Za-z0-9.]+", source.label) if part]
    return f"{'_'.join(parts)[-60:]}-{digest}"
