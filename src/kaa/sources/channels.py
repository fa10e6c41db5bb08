"""What the names of sources stand for: channel names, URLs and paths, ``pypi`` and ``host``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from kaa.model.errors import RequestError
from kaa.model.source import Kind, Source
from kaa.network.locations import redact, redact_text
from kaa.sources.channel_locations import looks_like_path, path_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kaa.settings.configuration import Configuration

DEFAULTS = "defaults"
NO_DEFAULTS = "nodefaults"
SCHEMES = ("http", "https", "file", "s3", "gcs", "oci")
"""What rattler fetches channels by."""

_OTHERS = {kind.value: Source(kind.value, kind) for kind in (Kind.PYPI, Kind.HOST)}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_.+-]+)*\Z")
_OF_DEFAULTS = ("pkgs/main", "pkgs/r")
_OF_DEFAULTS_ON_WINDOWS = (*_OF_DEFAULTS, "pkgs/msys2")


def resolve_sources(texts: Sequence[str], configuration: Configuration) -> tuple[Source, ...]:
    """Return the sources that ``texts`` (names, URLs, paths) stand for, each once, in order.

    Plain names are looked up as conda does: ``defaults``, channels with names of their own, and
    else below ``channel_alias``. ``nodefaults`` stands for nothing. Which sources are allowed and
    denied is heeded.

    Raises :class:`~kaa.model.errors.RequestError` for what is no source, or not allowed.
    """
    resolver = _Resolver(configuration)
    sources = [resolver.source(text.strip()) for text in texts if text.strip() != NO_DEFAULTS]
    resolver.check(sources)
    unique: dict[tuple[str, ...], Source] = {}
    for source in sources:
        key = tuple(public_url(url) for url in source.urls) or (source.name,)
        unique.setdefault(key, source)
    return tuple(unique.values())


def mirrors(configuration: Configuration) -> dict[str, list[str]]:
    """Return, by the URLs of channels, the URLs that are asked in their place, best first.

    In the form that rattler's ``MirrorMiddleware`` takes. Raises
    :class:`~kaa.model.errors.RequestError` for what is no channel, and for mirrors that are no
    web addresses.
    """
    resolver = _Resolver(configuration)
    found: dict[str, list[str]] = {}
    for text, places in configuration.mirrors.items():
        for place in places:
            if urlsplit(place).scheme not in {"http", "https", "oci", "s3", "gcs"}:
                raise RequestError(
                    f"the mirror {public_url(place)} of {public_url(text)} is no web address",
                    hint=f"use the channel itself: `-c {public_url(place)}`",
                )
        url, *others = resolver.urls(text)
        if others:
            raise RequestError(
                f"{text} stands for several channels, and cannot have a mirror",
                hint=f"name the mirrors of each one: {', '.join(map(public_url, (url, *others)))}",
            )
        found[url] = [_closed(place) for place in places]
    return found


def public_url(url: str) -> str:
    """Return a URL fit for records and messages: no user information, no ``/t/TOKEN``."""
    return redact(url)


def private_url(url: str, sources: Sequence[Source]) -> str:
    """Return a :func:`public_url` with the credentials of the channel that it is below, if any."""
    for source in sources:
        for base in source.urls:
            bare = public_url(base)
            if bare != base and url.startswith(bare):
                return base + url[len(bare) :]
    return url


class _Resolver:
    """Resolves names for one configuration; rattler is asked for its alias when it is needed."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._found_alias = ""

    def source(self, text: str) -> Source:
        """Return one source. Raises :class:`RequestError`."""
        if text in _OTHERS:
            return _OTHERS[text]
        urls = self.urls(text)
        several = self._named(text) is not None or text == DEFAULTS
        name = text if several else self._name(urls[0])
        return Source(name, Kind.CONDA, urls)

    def urls(self, text: str, above: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the URLs of a channel or multichannel; ``above`` are the names that led here."""
        if text in _OTHERS:
            raise RequestError(
                f"{text} is no conda channel, and cannot stand for one",
                hint=f"name {text} beside the channels: `-c {text}`",
            )
        members = None if text in above else self._named(text)
        if members is None and text == DEFAULTS and text not in above:
            members = self._defaults()
        if members is None:
            return (self._url(text),)
        urls = [url for member in members for url in self.urls(member, (*above, text))]
        if not urls:
            raise RequestError(
                f"the channel {text} stands for no channels",
                hint="list its channels in the configuration",
            )
        return tuple(dict.fromkeys(urls))

    def check(self, sources: Sequence[Source]) -> None:
        """Raise :class:`RequestError` for a source that the configuration does not allow."""
        allowed, denied = self._configuration.allowed_channels, self._configuration.denied_channels
        for source in sources if allowed else ():
            permitted = set(self._identities(allowed))
            if not permitted.issuperset(_identity(source)):
                names = ", ".join(map(public_url, allowed))
                raise self._refusal(source, "allowed_channels", f"allows only {names}")
        for source in sources if denied else ():
            if not set(self._identities(denied)).isdisjoint(_identity(source)):
                raise self._refusal(source, "denied_channels", "denies it")

    def _refusal(self, source: Source, field: str, reason: str) -> RequestError:
        origin = self._configuration.origin(field) or "the configuration"
        return RequestError(
            f"the source {source.name} must not be used",
            cause=f"{origin} {reason}",
            hint="use another source with `-c`, or ask whoever administers this machine",
        )

    def _identities(self, texts: Sequence[str]) -> Iterator[str]:
        for text in texts:
            yield from (
                _identity(_OTHERS[text]) if text in _OTHERS else map(public_url, self.urls(text))
            )

    def _named(self, text: str) -> tuple[str, ...] | None:
        """Return the members of a channel that was given a name in the configuration."""
        configuration = self._configuration
        members = configuration.channel_aliases.get(text)
        return configuration.custom_multichannels.get(text) if members is None else members

    def _defaults(self) -> tuple[str, ...]:
        if self._configuration.default_channels:
            return self._configuration.default_channels
        from kaa.sources.target import host_subdir

        subdir = self._configuration.subdir or host_subdir()
        return _OF_DEFAULTS_ON_WINDOWS if subdir.startswith("win") else _OF_DEFAULTS

    def _url(self, text: str) -> str:
        if looks_like_path(text):
            return path_url(text)
        if "://" in text or text.startswith("file:"):
            return self._migrated(_checked_url(text))
        _check_name(text)
        name = text.strip("/")
        # conda's way: the longest part of the name that has a place of its own.
        parts = name.split("/")
        for length in range(len(parts), 0, -1):
            place = self._configuration.custom_channels.get("/".join(parts[:length]))
            if place:
                return _checked_url(f"{place.rstrip('/')}/{name}")
        return _checked_url(f"{self._alias()}{name}")

    def _migrated(self, url: str) -> str:
        """Return where a channel is today that was below an alias of former times."""
        for name, place in self._configuration.migrated_channels.items():
            if public_url(url) == _closed(f"{place.rstrip('/')}/{name}"):
                return self._url(name)
        for alias in self._configuration.migrated_aliases:
            rest = url.removeprefix(_closed(alias))
            if rest != url and rest:
                return self._url(rest)
        return url

    def _alias(self) -> str:
        if not self._found_alias:
            given = self._configuration.channel_alias
            if given and "://" not in given:
                raise RequestError(
                    f"the channel alias {given!r} is no URL",
                    cause=f"it is set in {self._configuration.origin('channel_alias')}",
                    hint="write it with its scheme: https://...",
                )
            self._found_alias = _closed(given) if given else _alias_of_rattler()
        return self._found_alias

    def _name(self, url: str) -> str:
        """Return what users are told a channel is called: the shortest name that leads to it."""
        public = public_url(url)
        for name, place in self._configuration.custom_channels.items():
            if public == _closed(public_url(f"{place.rstrip('/')}/{name}")):
                return name
        if urlsplit(url).scheme != "file":
            rest = public.removeprefix(public_url(self._alias()))
            if rest != public and _NAME.match(rest.rstrip("/")):
                return rest.rstrip("/")
        return public.rstrip("/")


def _identity(source: Source) -> tuple[str, ...]:
    """Return what makes two sources the same one."""
    return tuple(map(public_url, source.urls)) or (source.name,)


def _closed(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"


def _alias_of_rattler() -> str:
    """Return rattler's default for what plain names are below; no address is written here."""
    from rattler import Channel

    probe = "name"
    return str(Channel(probe).base_url).removesuffix(f"{probe}/")


def _check_name(text: str) -> None:
    if not text:
        raise RequestError("a channel without a name", hint="name one: `-c conda-forge`")
    if "::" in text or "[" in text:
        hint = "name the channel alone; specs of packages stand for themselves"
    elif "," in text:
        parts = [part.strip() for part in text.split(",")]
        hint = f"name each one by itself: `{' '.join(f'-c {part}' for part in parts if part)}`"
    elif text == "local":
        hint = "name the directory of your own packages: `-c ./conda-bld`"
    elif re.match(r"[a-z0-9]+:/", text):
        hint = "a URL has two slashes after its scheme: https://host/channel"
    elif not _NAME.match(text.rstrip("/")):
        hint = f"a directory is named by its path: `-c './{text}'`"
    else:
        _refuse_subdir(text, text)
        return
    raise RequestError(f"{redact_text(text)!r} cannot be the name of a channel", hint=hint)


def _refuse_subdir(path: str, text: str) -> None:
    """Refuse a channel that is named with one of its subdirs, which conda restricts it to."""
    from kaa.sources.target import SUBDIRS

    channel, _, last = path.rstrip("/").rpartition("/")
    if channel and (last in SUBDIRS or last == "noarch"):
        whole = public_url(text.rstrip("/").removesuffix(f"/{last}"))
        platform = "" if last == "noarch" else f" --platform {last}"
        raise RequestError(
            f"{public_url(text)} is a part of a channel, for one platform",
            cause="kaa reads a channel for the platform that it solves for, and noarch",
            hint=f"name the channel: `-c {whole}{platform}`",
        )


def _checked_url(text: str) -> str:
    """Return a channel's URL as rattler has it: with a slash at its end, spaces quoted."""
    shown = public_url(text)
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise RequestError(
            f"{shown} is no URL of a channel",
            cause=str(error),
            hint="write it as https://host/channel",
        ) from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        raise RequestError(
            f"{shown} has a scheme that channels cannot have",
            hint=f"use one of {', '.join(SCHEMES)}, or a path",
        )
    if parts.query or parts.fragment:
        raise RequestError(
            f"{public_url(urlunsplit((*parts[:3], '', '')))} is given with a query or a fragment",
            hint="write the channel's URL without what follows `?` and `#`",
        )
    path = re.sub(r"/{2,}", "/", parts.path)
    if scheme == "file":
        return _closed(path_url(unquote(path)))
    if not parts.hostname or (any(letter.isspace() for letter in parts.netloc)):
        raise RequestError(
            f"{shown} is no URL of a channel", hint="write it as https://host/channel"
        )
    if "repodata" in path.rpartition("/")[2]:
        raise RequestError(
            f"{shown} is a file of a channel", hint="name the directory above its subdirs"
        )
    _refuse_subdir(path, text)
    return _closed(urlunsplit((scheme, parts.netloc, path.replace(" ", "%20"), "", "")))
