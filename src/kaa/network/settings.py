"""Where packages come from and how to get there, as pip's and uv's own settings say.

Nothing is to be configured twice: whoever made pip or uv work on a machine made kaa work on it.
Where both tools are configured, uv's value wins. What neither says comes from the configuration
of kaa and conda.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kaa.network.locations import Credentials, as_url, redact, split_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from kaa.settings.configuration import Configuration

DEFAULT_TIMEOUT = 10.0
"""Seconds after which a source that says nothing counts as unreachable."""
DEFAULT_RETRIES = 3


@dataclass(frozen=True, slots=True)
class Index:
    """A package index (PEP 503, PEP 691), or the default one when ``location`` is empty.

    ``location`` is the URL without credentials; ``ignored_statuses`` are the answers that mean
    "this project is not here", beside 404 and 410 (uv's ``ignore-error-codes``).
    """

    location: str = ""
    name: str | None = None
    credentials: Credentials | None = field(default=None, repr=False)
    ignored_statuses: tuple[int, ...] = ()

    @property
    def url(self) -> str:
        """The URL that project names are appended to; it ends with a slash."""
        return self.location or _default_index_url()

    @property
    def key(self) -> str:
        """A name for directories of the cache, the same for the same URL, without credentials."""
        if not self.location:
            return "default"
        import hashlib

        return hashlib.sha256(self.location.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """What messages call it."""
        url = redact(self.url)
        return f"{self.name} ({url})" if self.name else url


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Everything that the network room needs to know.

    ``indexes`` are in order of priority; the first that has a project provides it, unless
    ``merge_indexes`` says that all of them do (pip's rule, and for pip's settings). ``proxies``
    maps ``http``, ``https`` or ``all`` to a proxy's URL; ``no_proxy`` lists hosts to reach without.
    ``find_links`` are directories and pages of archives, as URLs, maybe with credentials in them.
    ``timeout`` is in seconds. ``client_certificate`` is a PEM file with certificate and key.
    """

    indexes: tuple[Index, ...] = (Index(),)
    merge_indexes: bool = False
    find_links: tuple[str, ...] = field(default=(), repr=False)
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    no_proxy: tuple[str, ...] = ()
    ca_bundle: Path | None = None
    ca_directory: Path | None = None
    client_certificate: Path | None = None
    timeout: float = DEFAULT_TIMEOUT
    retries: int = DEFAULT_RETRIES
    trusted_hosts: tuple[str, ...] = ()
    keyring: bool = False
    netrc: Path | None = None
    offline: bool = False


def load_settings(
    environ: Mapping[str, str],
    *,
    pip_files: Sequence[Path] | None = None,
    uv_files: Sequence[Path] | None = None,
    configuration: Configuration | None = None,
) -> NetworkSettings:
    """Return the settings that pip, uv and the environment variables ``environ`` give.

    ``configuration`` has what kaa's own file and ``.condarc`` say, which counts where the others
    say nothing. That conda is not to verify certificates says nothing of package indexes.

    ``pip_files`` (the later one wins) and ``uv_files`` (the earlier one wins) are for programs
    and tests that bring their own; by default the files are found as pip and uv find them.

    Raises :class:`~kaa.model.errors.RequestError` for a value that makes no sense.
    """
    from kaa.network.pip_settings import read_pip_settings
    from kaa.network.uv_settings import read_uv_settings

    uv = read_uv_settings(environ, uv_files)
    pip = read_pip_settings(environ, pip_files)
    more = _from_configuration(configuration) if configuration else {}
    return NetworkSettings(
        indexes=_indexes(uv, pip),
        merge_indexes=_merges(uv),
        find_links=uv.get("find-links") or pip.get("find-links") or (),
        proxies=_proxies(environ, pip.get("proxy")) or more.get("proxies", {}),
        no_proxy=(
            *(host.strip() for host in _variable(environ, "no_proxy").split(",") if host.strip()),
            *more.get("no-proxy", ()),
        ),
        ca_bundle=_path(
            environ.get("SSL_CERT_FILE"),
            pip.get("cert"),
            environ.get("REQUESTS_CA_BUNDLE"),
            environ.get("CURL_CA_BUNDLE"),
            more.get("ca-bundle"),
        ),
        ca_directory=_path(environ.get("SSL_CERT_DIR"), more.get("ca-directory")),
        client_certificate=_path(
            environ.get("SSL_CLIENT_CERT"), pip.get("client-cert"), more.get("client-cert")
        ),
        timeout=_first(uv.get("timeout"), pip.get("timeout"), more.get("timeout"), DEFAULT_TIMEOUT),
        retries=_first(uv.get("retries"), pip.get("retries"), more.get("retries"), DEFAULT_RETRIES),
        trusted_hosts=(*uv.get("trusted-hosts", ()), *pip.get("trusted-hosts", ())),
        keyring=_first(uv.get("keyring"), pip.get("keyring"), False),
        netrc=_netrc(environ),
        offline=uv.get("offline", False) or more.get("offline", False),
    )


def _from_configuration(configuration: Configuration) -> dict[str, Any]:
    """Return what the configuration says, by the names that pip's and uv's settings have."""
    found: dict[str, Any] = {
        # A proxy for one host only (conda's "scheme://host") is none for all of a scheme.
        "proxies": {
            scheme: _proxy_url(url)
            for scheme, url in configuration.proxies.items()
            if scheme in {"http", "https", "all"} and url
        },
        "no-proxy": configuration.no_proxy,
        "timeout": configuration.timeout,
        "retries": configuration.retries,
        "offline": configuration.offline,
    }
    if not isinstance(configuration.ssl_verify, bool):
        place = "ca-directory" if configuration.ssl_verify.is_dir() else "ca-bundle"
        found[place] = str(configuration.ssl_verify)
    # One file has to hold both, as for pip; a key of its own is for conda channels.
    if configuration.client_certificate and configuration.client_key in {
        None,
        configuration.client_certificate,
    }:
        found["client-cert"] = str(configuration.client_certificate)
    return found


def make_index(
    location: str,
    name: str | None = None,
    credentials: Credentials | None = None,
    ignored_statuses: Iterable[int] = (),
) -> Index:
    """Return the index at ``location``, a URL (credentials are split off) or a directory."""
    url, found = split_credentials(as_url(location))
    if credentials and found:
        password = found.password if credentials.password is None else credentials.password
        credentials = Credentials(credentials.username or found.username, password)
    return Index(
        url if url.endswith("/") else f"{url}/", name, credentials or found, tuple(ignored_statuses)
    )


def _indexes(uv: Mapping[str, Any], pip: Mapping[str, Any]) -> tuple[Index, ...]:
    if uv.get("no-index") or pip.get("no-index"):
        return ()
    extra = uv.get("indexes") or pip.get("indexes") or ()
    default = uv.get("default") or pip.get("default") or Index()
    unique: dict[str, Index] = {}
    for index in (*extra, default):
        unique.setdefault(index.location, index)
    return tuple(unique.values())


def _merges(uv: Mapping[str, Any]) -> bool:
    """Say whether several indexes count as one, as their settings were written to be read."""
    if uv.get("index-strategy"):
        return bool(uv["index-strategy"] == "unsafe-best-match")
    return not uv.get("indexes")


@lru_cache(maxsize=1)
def _default_index_url() -> str:
    from urllib.parse import urljoin

    # The library's constant is the only place that knows the address; it costs 50 ms to import,
    # which a run that finds everything in the cache never pays.
    from distlib.index import DEFAULT_INDEX  # type: ignore[import-untyped]

    return urljoin(str(DEFAULT_INDEX), "/simple/")


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _path(*values: str | None) -> Path | None:
    from pathlib import Path

    return next((Path(value).expanduser() for value in values if value), None)


def _variable(environ: Mapping[str, str], name: str) -> str:
    # Lower case first, as curl and requests have it: a CGI request can set HTTP_PROXY.
    return environ.get(name.lower()) or environ.get(name.upper()) or ""


def _proxies(environ: Mapping[str, str], pip_proxy: str | None) -> dict[str, str]:
    if pip_proxy:
        return {"all": _proxy_url(pip_proxy)}
    given = {scheme: _variable(environ, f"{scheme}_proxy") for scheme in ("http", "https", "all")}
    return {scheme: _proxy_url(url) for scheme, url in given.items() if url}


def _proxy_url(value: str) -> str:
    return value if "://" in value else f"http://{value}"


def _netrc(environ: Mapping[str, str]) -> Path | None:
    from pathlib import Path

    given = environ.get("NETRC")
    if given:
        return Path(given).expanduser()
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if not home:
        return None
    candidates = (Path(home, name) for name in (".netrc", "_netrc"))
    return next((path for path in candidates if path.is_file()), None)
