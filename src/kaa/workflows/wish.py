"""What a new environment is to have: the command line and a file, taken together."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kaa.formats.recognition import FileFormat, recognise
from kaa.model.errors import RequestError
from kaa.model.options import Dependencies
from kaa.model.package import PYPI
from kaa.sources.index import distribution_of, normalise
from kaa.workflows.asked import Asked, read_asked
from kaa.workflows.reasons import tops

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kaa.model.options import SolveOptions
    from kaa.solver.request import Solution
    from kaa.solver.specs import Spec
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    ``name`` is the environment's, where a file says one; ``pins`` hold for what is in the answer;
    ``variables`` are to be set in the environment; ``hashes`` are the files allowed by project;
    ``remarks`` say what of the file does not count; ``lock`` is a lock file that has the answer,
    and ``locked`` says that the file is a lock with less than that; ``files`` are those that the
    file names.
    """

    asked: Asked
    options: SolveOptions
    name: str | None = None
    pins: tuple[Spec, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    lock: Path | None = None
    locked: bool = False
    files: tuple[Path, ...] = ()


def read_wish(
    texts: tuple[str, ...],
    file: Path | None,
    options: SolveOptions,
    layout: Layout,
    *,
    own: tuple[str, ...] = (),
) -> Wish:
    """Return what ``texts`` (specs, URLs, paths) and ``file``, of whatever format, ask for.

    ``own`` are the sources of the environment that the file is for: they stand in for those of the
    settings. Raises :class:`~kaa.model.errors.RequestError` for what makes no sense, and when
    nothing is asked for.
    """
    asked = read_asked(texts, options.editable)
    format_ = None if file is None else recognise(file)
    if file is not None and format_ is not None and format_.locked:
        if asked.specs or asked.references:
            raise RequestError(
                f"{file.name} has the whole answer, and there are specs beside it",
                hint="leave out one of the two; `kaa install` adds packages afterwards",
            )
        _check_locked(options, file)
        return Wish(asked, options, lock=file)
    if file is None:
        wish = Wish(asked, options)
    elif format_ is FileFormat.PYLOCK:
        wish = _of_pylock(file, asked, options, layout)
    else:
        wish = _of_file(file, asked, options, own)
    if not wish.asked.specs and not wish.asked.references:
        raise RequestError(
            "nothing was asked for", hint="name at least one package, such as `python=3.12`"
        )
    return wish


def _check_locked(options: SolveOptions, file: Path) -> None:
    """Refuse options that shape an answer where there is one already."""
    given = {
        "--no-deps and --only-deps": options.deps is not Dependencies.ALL,
        "--exclude-newer": options.exclude_newer is not None,
        "--channel-priority": options.priority is not None,
    }
    for option, is_given in given.items():
        if is_given:
            raise RequestError(
                f"{file.name} has the whole answer, which {option} cannot change",
                hint="leave it out, or lock with it: `kaa lock`",
            )


def _of_file(path: Path, asked: Asked, options: SolveOptions, own: tuple[str, ...]) -> Wish:
    # What reads files takes its time to import, and most often there is none.
    from kaa.settings.configuration import load_configuration
    from kaa.workflows.from_file import request_from_file
    from kaa.workflows.options import platform_of

    configuration = load_configuration(os.environ, only={"channels", "subdir"})
    platform = platform_of(options, configuration)
    configured = own or configuration.channels
    file = request_from_file(path, platform, os.environ, configured, options.choice)
    more = read_asked(file.direct, file.editable)
    return Wish(
        Asked((*file.specs, *asked.specs), (*more.references, *asked.references)),
        file.options(options),
        file.name,
        file.constraints,
        file.variables,
        file.hashes,
        file.remarks,
        files=file.files,
    )


def _of_pylock(path: Path, asked: Asked, options: SolveOptions, layout: Layout) -> Wish:
    from kaa.settings.configuration import load_configuration
    from kaa.workflows.from_pylock import request_from_pylock
    from kaa.workflows.options import platform_of

    configuration = load_configuration(os.environ, only={"channels", "subdir"})
    platform = platform_of(options, configuration)
    request = request_from_pylock(path, platform, layout, options.choice)
    options = replace(
        options,
        sources=options.sources or (PYPI,),
        find_links=(request.page, *options.find_links),
        no_index=True,
    )
    specs = (*asked.specs, *request.specs)
    return Wish(Asked(specs, asked.references), options, hashes=request.hashes, locked=True)


def check_hashes(
    found: Iterable[tuple[str, str, str | None]],
    allowed: Mapping[str, tuple[str, ...]],
    where: str = "",
) -> None:
    """Raise :class:`RequestError` for a file that the hashes asked for do not allow.

    ``found`` are name, version and sha256 of files of an index; ``allowed`` has texts
    ``sha256:<hexadecimal>`` by project (PEP 503), as requirements files give them.
    """
    from packaging.utils import canonicalize_name

    for name, version, sha256 in found:
        hashes = allowed.get(canonicalize_name(name))
        if hashes and f"sha256:{sha256}" not in hashes:
            raise RequestError(
                f"{where}{name} {version} has none of the hashes asked for",
                cause=f"the index has sha256:{sha256}",
                hint="give the hash of this file, too, or pin the version that the hashes are of",
            )


def locked_specs(solution: Solution) -> dict[str, str]:
    """Return the specs that stand for what a lock file was made of, and does not say.

    They lead to the names of their packages: as few as need all others, and Python, so that a
    later change keeps it all.
    """
    wanted = {*tops(solution.records), "python"}
    specs = {}
    for record in solution.records:
        name = record.name.normalized
        if name in wanted:
            file = solution.files.get(record.url)
            # On an index it may have another name than among conda packages.
            known = distribution_of(file.filename) if file else None
            specs[f"{PYPI}::{normalise(known[0])}" if known else name] = name
    return specs
