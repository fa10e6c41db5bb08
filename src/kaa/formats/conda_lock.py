"""conda-lock.yml, version 1: the unified lock file of conda-lock, for several platforms.

The format is what conda-lock's own models (``lockfile/v1/models.py``) accept: strictly, nothing
may be in it that they do not know. A lock is read with PyYAML's loader in C where there is one: a
lock has half a megabyte, and ruamel.yaml takes seconds for it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from kaa.formats.text_file import read_text_file
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

MAIN = "main"
"""The category of what is always installed."""
_MANAGERS = ("conda", "pip")
_PLAIN = re.compile(r"[A-Za-z_/][\w./@%+=-]*(:[\w./@%+=-]+)*\Z")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_METADATA_KINDS: dict[str, type] = {
    "channels": list,
    "platforms": list,
    "sources": list,
    "content_hash": dict,
}
_HINT = "make it anew with conda-lock or `kaa lock`"


@dataclass(frozen=True, slots=True)
class CondaLockPackage:
    """A package of a lock: ``manager`` is ``conda`` or ``pip``, hashes are hexadecimal.

    ``dependencies`` are names and version specs; ``category`` is ``main`` or a name of its own,
    whose packages are installed only when they are asked for (``optional``).
    """

    name: str
    version: str
    manager: str
    platform: str
    url: str
    dependencies: tuple[tuple[str, str], ...] = ()
    md5: str | None = None
    sha256: str | None = None
    category: str = MAIN
    optional: bool = False
    build: str | None = None


@dataclass(frozen=True, slots=True)
class CondaLock:
    """A lock file. ``channels`` are as written; ``content_hash`` is by platform."""

    channels: tuple[str, ...]
    platforms: tuple[str, ...]
    packages: tuple[CondaLockPackage, ...]
    sources: tuple[str, ...] = ()
    content_hash: tuple[tuple[str, str], ...] = ()

    def chosen(self, categories: Sequence[str] = ()) -> tuple[CondaLockPackage, ...]:
        """Return the packages of the main category and of ``categories``, each once a platform."""
        wanted = {MAIN, *categories}
        found: dict[tuple[str, str, str], CondaLockPackage] = {}
        for each in self.packages:
            if each.category in wanted:
                found.setdefault((each.platform, each.manager, each.name), each)
        return tuple(found.values())

    def meaning(self) -> CondaLock:
        """Return the lock with everything in one order: equal for locks that mean the same.

        That is: the same channels in order of priority, platforms, sources and hashes of them,
        and the same packages with all that is said of each, in whatever order.
        """
        return CondaLock(
            self.channels,
            tuple(sorted(self.platforms)),
            tuple(sorted(self.packages, key=repr)),
            tuple(sorted(self.sources)),
            tuple(sorted(self.content_hash)),
        )


def read_conda_lock(path: Path) -> CondaLock:
    """Return what a lock file says.

    :raises RequestError: it cannot be read, is not YAML or no lock file of version 1, or says two
        things of one package.
    """
    content = _loaded(read_text_file(path, what="lock file"), path.name)
    metadata = content.get("metadata")
    packages = content.get("package")
    version = content.get("version", "1")
    if version != "1" or not isinstance(metadata, dict) or not isinstance(packages, list):
        _refuse(path.name, f"it is no conda-lock.yml of version 1 (it says {version})")
    for key, kind in _METADATA_KINDS.items():
        if not isinstance(metadata.get(key) or kind(), kind):
            _refuse(path.name, f"`metadata.{key}` in it is none")
    channels = [
        each.get("url", "") if isinstance(each, dict) else str(each)
        for each in metadata.get("channels") or ()
    ]
    lock = CondaLock(
        tuple(channels),
        tuple(metadata.get("platforms") or ()),
        tuple(_package(each, path.name) for each in packages),
        tuple(metadata.get("sources") or ()),
        tuple((metadata.get("content_hash") or {}).items()),
    )
    _check_contradictions(lock, path.name)
    return lock


def render_conda_lock(lock: CondaLock) -> str:
    """Return the content of a lock file, packages in order of name, platform and category."""
    lines = [
        "# A lock file of conda-lock's format: `conda-lock install --name NAME FILE` and",
        "# `kaa create --name NAME --file FILE` make an environment of it.",
        "version: 1",
        "metadata:",
    ]
    hashes = dict(lock.content_hash)
    lines += _mapping(
        "content_hash", [(each, hashes.get(each) or _hash(lock, each)) for each in lock.platforms]
    )
    lines.append("  channels:" if lock.channels else "  channels: []")
    for channel in lock.channels:
        lines += [f"  - url: {_scalar(channel)}", "    used_env_vars: []"]
    lines += ["  platforms:", *(f"  - {_scalar(each)}" for each in lock.platforms)]
    lines.append("  sources:" if lock.sources else "  sources: []")
    lines += [f"  - {_scalar(each)}" for each in lock.sources]
    lines.append("package:" if lock.packages else "package: []")
    for each in sorted(lock.packages, key=lambda one: (one.name, one.manager, one.platform)):
        lines += _package_lines(each)
    return "\n".join([*lines, ""])


def _package_lines(package: CondaLockPackage) -> Iterable[str]:
    yield f"- name: {_scalar(package.name)}"
    yield f"  version: {_scalar(package.version)}"
    yield f"  manager: {package.manager}"
    yield f"  platform: {_scalar(package.platform)}"
    yield from _mapping("dependencies", package.dependencies)
    yield f"  url: {_scalar(package.url)}"
    hashes = (("md5", package.md5), ("sha256", package.sha256))
    yield from _mapping("hash", [(key, value) for key, value in hashes if value is not None])
    if package.build is not None:
        yield f"  build: {_scalar(package.build)}"
    yield f"  category: {_scalar(package.category)}"
    yield f"  optional: {str(package.optional).lower()}"


def _mapping(key: str, pairs: Sequence[tuple[str, str]]) -> Iterable[str]:
    yield f"  {key}:" if pairs else f"  {key}: {{}}"
    for name, value in pairs:
        yield f"    {_scalar(name)}: {_scalar(value)}"


def _scalar(text: str) -> str:
    """Return a text as YAML; a number, a date or a word with a meaning of its own in quotes."""
    if _PLAIN.match(text) and text.lower() not in _WORDS and not text.startswith("="):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text)


def _hash(lock: CondaLock, platform: str) -> str:
    said = [each.url for each in lock.packages if each.platform == platform]
    return hashlib.sha256(json.dumps([lock.channels, sorted(said)]).encode()).hexdigest()


def _loaded(text: str, name: str) -> dict[str, Any]:
    import yaml

    # Scalars as they are written: no version becomes a number.
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        content = yaml.load(text, Loader=loader)  # noqa: S506 - it builds texts, lists and dicts
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        cause = " ".join(filter(None, (error.context, error.problem)))
        raise RequestError(f"{name}{place}: this is not YAML", cause=cause, hint=_HINT) from None
    except (yaml.YAMLError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise RequestError(f"{name}: this is not YAML", cause=reason, hint=_HINT) from None
    if not isinstance(content, dict):
        _refuse(name, "it is no conda-lock.yml")
    return content


def _package(entry: Any, name: str) -> CondaLockPackage:
    try:
        digests = entry.get("hash") or {}
        package = CondaLockPackage(
            name=entry["name"],
            version=entry["version"],
            manager=entry["manager"],
            platform=entry["platform"],
            url=entry["url"],
            dependencies=tuple((entry.get("dependencies") or {}).items()),
            md5=digests.get("md5") or None,
            sha256=digests.get("sha256") or None,
            category=entry.get("category") or MAIN,
            optional=str(entry.get("optional", "false")).lower() == "true",
            build=entry.get("build"),
        )
    except (LookupError, TypeError, AttributeError) as error:
        _refuse(name, f"a package in it is none: {error!r}")
    texts = (package.name, package.version, package.platform, package.url)
    if package.manager not in _MANAGERS or not all(isinstance(each, str) for each in texts):
        _refuse(name, f"{package.name} in it is of {package.manager}, which is no manager")
    return package


def _check_contradictions(lock: CondaLock, name: str) -> None:
    seen: dict[tuple[str, str, str], CondaLockPackage] = {}
    for each in lock.packages:
        other = seen.setdefault((each.platform, each.manager, each.name), each)
        if (other.url, other.sha256, other.md5) != (each.url, each.sha256, each.md5):
            files = (urlsplit(one.url).path.rpartition("/")[2] for one in (other, each))
            _refuse(name, f"{each.name} for {each.platform} is two packages: {' and '.join(files)}")


def _refuse(name: str, problem: str) -> NoReturn:
    raise RequestError(f"{name}: {problem}", hint=_HINT)
