"""Direct references (PEP 508, PEP 440 "Direct references"): a project by where it is.

``name @ URL``, URLs of archives, ``git+https://...@ref#subdirectory=...``, paths of archives and
directories, and any of the latter two as an editable project (``-e``, PEP 660). What pip and uv
take is taken; the rest of what may be typed is left to :mod:`kaa.solver.specs`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from kaa.model.errors import InvalidSpecError, UnsupportedError
from kaa.network.local_files import is_local, local_path
from kaa.network.locations import redact, redact_text, split_credentials
from kaa.sources.index import SDIST_ENDINGS, normalise

if TYPE_CHECKING:
    from kaa.network.locations import Credentials

_NAMED = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[(?P<extras>[\w.,\s-]*)\])?\s*@\s*(?P<url>\S.*)\Z"
)
_WITH_EXTRAS = re.compile(r"(?P<place>.+?)\s*\[(?P<extras>[\w.,\s-]*)\]\Z")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|\s*=\s*)(?P<rest>\S.*)\Z")
_EGG = re.compile(r"(?P<name>[\w.-]+)(?:\[(?P<extras>[\w.,\s-]*)\])?(?:[-=].*)?\Z")
_HASHES = ("sha256", "sha512", "sha384", "sha224", "sha1", "md5")
_OTHER_VCS = ("hg+", "svn+", "bzr+")
_CONDA_ENDINGS = (".conda", ".tar.bz2")
"""Archives of conda packages, which a bare path or URL means."""
_EXAMPLES = (
    "examples: `demo @ https://example.org/demo-1.0-py3-none-any.whl`, "
    "`git+https://example.org/demo.git@v1.0`, `./demo`, `-e .`"
)


class Kind(Enum):
    """What a reference leads to."""

    WHEEL = "wheel"
    SDIST = "sdist"
    DIRECTORY = "directory"
    VCS = "vcs"


@dataclass(frozen=True, slots=True)
class DirectReference:
    """A project by where it is.

    ``text`` is what was typed, without credentials; ``url`` is absolute, without fragment, ref and
    credentials (a ``file:`` URL for paths; without ``git+`` for repositories); ``name`` and
    ``extras`` are normalised, the name None where nobody has said it; ``hashes`` maps algorithm to
    hexadecimal digest.
    """

    text: str
    url: str
    kind: Kind
    editable: bool = False
    name: str | None = None
    extras: tuple[str, ...] = ()
    hashes: dict[str, str] = field(default_factory=dict)
    subdirectory: str | None = None
    ref: str | None = None
    credentials: Credentials | None = field(default=None, repr=False)

    @property
    def path(self) -> Path:
        """The path, where it is one of this machine."""
        return local_path(self.url)

    @property
    def filename(self) -> str:
        """The archive's own name, as the URL ends, with nothing in it that leads elsewhere."""
        name = unquote(urlsplit(self.url).path.rpartition("/")[2])
        return re.sub(r"[^\w.!+-]", "_", name)


def parse_direct(text: str, *, editable: bool = False) -> DirectReference | None:
    """Return the direct reference that ``text`` is, None if it is something else, as a spec.

    ``editable`` says that it was given with ``-e``, which may also be its beginning; then it has
    to be one. Paths are taken relative to the working directory. Raises
    :class:`~kaa.model.errors.InvalidSpecError` for what is meant as one and makes no sense, and
    :class:`~kaa.model.errors.UnsupportedError` for other version control than git.
    """
    typed = text.strip()
    found = _EDITABLE.match(typed)
    if found:
        typed, editable = found["rest"].strip(), True
    reference = _named(typed) or _bare(typed, editable=editable)
    if reference is None:
        if editable:
            raise _invalid(text, "it is neither a directory nor a git URL")
        return None
    if editable and reference.kind is not Kind.DIRECTORY:
        what = "a repository" if reference.kind is Kind.VCS else "an archive"
        raise UnsupportedError(
            f"{redact_text(typed)!r} cannot be installed editable",
            cause=f"it is {what}, and only a directory of this machine can be edited",
            hint="clone or unpack it, and give the directory: -e ./project",
        )
    return replace(reference, text=redact_text(text.strip()), editable=editable)


def _named(typed: str) -> DirectReference | None:
    """Return the reference of ``name[extras] @ place`` (PEP 508)."""
    found = _NAMED.match(typed)
    if found is None:
        return None
    place = found["url"].strip()
    if not (":" in place or _looks_like_path(place)):
        return None  # name@1.0
    if re.search(r"\s;", place):
        raise _invalid(typed, "it has a marker, and what is asked for counts always")
    reference = _place(place, named=True)
    if reference is None:
        raise _invalid(typed, f"{redact_text(place)!r} is no URL and no path")
    name = normalise(found["name"])
    if reference.name is not None and reference.name != name:
        raise _invalid(typed, f"it is called {name} and {reference.name}")
    extras = _extras(found["extras"]) or reference.extras
    return replace(reference, name=name, extras=extras)


def _bare(typed: str, *, editable: bool) -> DirectReference | None:
    extras: tuple[str, ...] = ()
    found = _WITH_EXTRAS.match(typed)
    if found and "#" not in typed:
        typed, extras = found["place"], _extras(found["extras"])
    reference = _place(typed, named=False, editable=editable)
    return replace(reference, extras=extras or reference.extras) if reference else None


def _place(place: str, *, named: bool, editable: bool = False) -> DirectReference | None:
    if place.startswith(_OTHER_VCS):
        raise UnsupportedError(
            f"{redact_text(place)!r} is in a version control system that kaa does not know",
            cause="it knows git",
            hint="check the project out and give the directory",
        )
    if place.startswith("git+"):
        return _repository(place)
    if re.match(r"(https?|file):", place, re.IGNORECASE):
        return _url(place, named=named)
    if "://" in place:
        if named or editable:
            raise _invalid(place, "only http, https, file and git+... URLs can be fetched")
        return None
    if "::" in place:  # a channel and a name
        return None
    return _path(place, named=named, editable=editable)


def _repository(place: str) -> DirectReference:
    url, fragment = _split_fragment(place[len("git+") :])
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in {"https", "http", "ssh", "git", "file"} or not (parts.netloc or parts.path):
        raise _invalid(
            place, "it is no URL of a repository: git+https://, git+ssh://, git+http:// or git+file"
        )
    path, separator, ref = parts.path.rpartition("@")
    if not separator:
        path, ref = parts.path, ""
    bare = urlunsplit((scheme, parts.netloc, path, parts.query, ""))
    credentials = None
    if scheme in {"http", "https"}:  # the name in ssh://git@... is no secret and is needed
        bare, credentials = split_credentials(bare)
    options = _Fragment(place, fragment)
    return DirectReference(
        place,
        bare,
        Kind.VCS,
        name=options.name,
        extras=options.extras,
        subdirectory=options.subdirectory,
        ref=unquote(ref) or None,
        credentials=credentials,
    )


def _url(place: str, *, named: bool) -> DirectReference | None:
    url, fragment = _split_fragment(place)
    if is_local(url):
        found = _local(local_path(url), place)
    else:
        path = urlsplit(url).path
        kind = _archive_kind(path, conda=not named)
        if kind is None or "::" in url:
            if not named and ("::" in url or path.lower().endswith(_CONDA_ENDINGS)):
                return None
            raise _invalid(
                place,
                "it does not end as a wheel or an archive of source does (and a repository "
                "would begin with git+)",
            )
        bare, credentials = split_credentials(url)
        found = DirectReference(place, bare, kind, credentials=credentials)
    options = _Fragment(place, fragment)
    return replace(
        found,
        name=options.name,
        extras=options.extras,
        hashes=options.hashes,
        subdirectory=options.subdirectory,
    )


def _path(place: str, *, named: bool, editable: bool) -> DirectReference | None:
    path = Path(place).expanduser()
    archive = _archive_kind(place, conda=True) is not None
    separated = "/" in place or os.sep in place
    if not (named or editable or archive or _looks_like_path(place)) and not (
        separated and path.exists()
    ):
        return None
    return _local(path, place)


def _local(path: Path, typed: str) -> DirectReference:
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links on the way are left as they are
    kind = Kind.DIRECTORY if absolute.is_dir() else _archive_kind(absolute.name, conda=False)
    if kind is None or not absolute.exists():
        there = absolute.exists()
        raise InvalidSpecError(
            f"{redact_text(typed)!r} is no directory and no archive"
            if there
            else f"there is nothing at {absolute}",
            hint=_EXAMPLES,
        )
    return DirectReference(typed, absolute.as_uri(), kind)


def _looks_like_path(place: str) -> bool:
    return (
        place in {".", ".."}
        or place.startswith(("./", "../", "/", "~/", f".{os.sep}", f"..{os.sep}"))
        or place.endswith(("/", os.sep))
        or bool(os.name == "nt" and re.match(r"[A-Za-z]:[\\/]", place))
    )


def _archive_kind(path: str, *, conda: bool) -> Kind | None:
    """Return what the archive with this name is; with ``conda`` one of conda's is none of ours."""
    name = unquote(path).lower()
    if name.endswith(".whl"):
        return Kind.WHEEL
    if name.endswith(SDIST_ENDINGS) and not (conda and name.endswith(_CONDA_ENDINGS)):
        return Kind.SDIST
    return None


def _split_fragment(url: str) -> tuple[str, str]:
    bare, _, fragment = url.partition("#")
    return bare, fragment


class _Fragment:
    """What stands behind the ``#`` of a URL: hashes, ``subdirectory`` and ``egg``."""

    def __init__(self, place: str, fragment: str) -> None:
        try:
            given = parse_qs(fragment, keep_blank_values=True, strict_parsing=bool(fragment))
        except ValueError:
            raise _invalid(place, f"{fragment!r} behind the # is not understood") from None
        self.hashes = {name: given[name][-1].lower() for name in _HASHES if name in given}
        for digest in self.hashes.values():
            if not re.fullmatch(r"[0-9a-f]+", digest):
                raise _invalid(place, f"{digest!r} is no hash")
        self.subdirectory = given.get("subdirectory", [""])[-1].strip("/") or None
        if ".." in (self.subdirectory or "").split("/"):
            raise _invalid(place, f"the subdirectory {self.subdirectory!r} leads out of it")
        egg = _EGG.match(given.get("egg", [""])[-1])
        self.name = normalise(egg["name"]) if egg else None
        self.extras = _extras(egg["extras"]) if egg else ()


def _extras(text: str | None) -> tuple[str, ...]:
    names = (normalise(name.strip()) for name in (text or "").split(","))
    return tuple(sorted({name for name in names if name}))


def _invalid(text: str, why: str) -> InvalidSpecError:
    shown = redact(text) if "://" in text else text
    return InvalidSpecError(
        f"{redact_text(shown)!r} is no direct reference", cause=redact_text(why), hint=_EXAMPLES
    )
