"""uv as a program: where it is, and how it is told what kaa knows of indexes and networks.

Everything goes through environment variables, so that no credentials are in the list of
processes.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kaa.model.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kaa.network.settings import Index, NetworkSettings

_OF_OTHER_WORK = (
    "UV_BREAK_SYSTEM_PACKAGES",
    "UV_CONSTRAINT",
    "UV_DEFAULT_INDEX",
    "UV_EXCLUDE",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_NO_BUILD_ISOLATION",
    "UV_OVERRIDE",
    "UV_PROJECT",
    "UV_PYTHON",
    "UV_REQUIRE_HASHES",
    "UV_SYSTEM_PYTHON",
    "UV_TORCH_BACKEND",
    "UV_VENV_SEED",
    "UV_WORKING_DIR",
)
"""What a user has set for environments, and what must not shape the one that a build gets."""
_SECONDS = 30
_LOOKING = threading.Lock()
"""Builds run in threads, and Python's sysconfig, which uv asks, is not safe for several in
older Pythons: the second one may find its variables half read."""


def find_uv() -> str:
    """Return the path of the uv that was installed with kaa.

    Raises :class:`~kaa.model.errors.BuildError`.
    """
    try:
        from uv import find_uv_bin

        with _LOOKING:
            return str(find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        raise BuildError(
            "uv, which makes the environments that builds run in, is not there",
            cause=str(error),
            hint="install it beside kaa: pip install uv",
        ) from error


def uv_environment(settings: NetworkSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables with which uv uses the indexes, proxies and certificates
    of ``settings``; all else is as in ``environ``.

    uv's own configuration files are left out, because ``settings`` were read from them.
    """
    variables = {name: text for name, text in environ.items() if name not in _OF_OTHER_WORK}
    variables |= {"UV_NO_CONFIG": "1", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    variables.setdefault("UV_SYSTEM_CERTS", "1")
    variables.setdefault("UV_HTTP_TIMEOUT", str(max(_SECONDS, int(settings.timeout))))
    if "UV_BUILD_CONSTRAINT" in variables:  # uv's name for what constrains only builds
        variables["UV_CONSTRAINT"] = variables["UV_BUILD_CONSTRAINT"]
    variables |= _index_variables(settings)
    variables |= _network_variables(settings)
    return variables


def no_index(settings: NetworkSettings) -> bool:
    """Whether uv must be told not to ask any index: it has no variable for that."""
    return not settings.indexes


def _index_variables(settings: NetworkSettings) -> dict[str, str]:
    *extra, default = settings.indexes or (None,)
    variables: dict[str, str] = {}
    texts = [_index(number, index, variables) for number, index in enumerate(extra) if index]
    if texts:
        variables["UV_INDEX"] = " ".join(texts)
    if default is not None and default.location:
        variables["UV_DEFAULT_INDEX"] = _index(len(extra), default, variables)
    if settings.find_links:
        variables["UV_FIND_LINKS"] = ",".join(settings.find_links)
    variables["UV_INDEX_STRATEGY"] = (
        "unsafe-best-match" if settings.merge_indexes else "first-index"
    )
    return variables


def _index(number: int, index: Index, variables: dict[str, str]) -> str:
    name = f"kaa{number}"
    if index.credentials is not None:
        variables[f"UV_INDEX_{name.upper()}_USERNAME"] = index.credentials.username
        if index.credentials.password is not None:
            variables[f"UV_INDEX_{name.upper()}_PASSWORD"] = index.credentials.password
    return f"{name}={index.url}"


def _network_variables(settings: NetworkSettings) -> dict[str, str]:
    variables = {f"{scheme.upper()}_PROXY": url for scheme, url in settings.proxies.items()}
    if settings.no_proxy:
        variables["NO_PROXY"] = ",".join(settings.no_proxy)
    if settings.trusted_hosts:
        variables["UV_INSECURE_HOST"] = " ".join(settings.trusted_hosts)
    if settings.keyring:
        variables["UV_KEYRING_PROVIDER"] = "subprocess"
    if settings.offline:
        variables["UV_OFFLINE"] = "1"
    for name, path in (
        ("SSL_CERT_FILE", settings.ca_bundle),
        ("SSL_CERT_DIR", settings.ca_directory),
        ("SSL_CLIENT_CERT", settings.client_certificate),
    ):
        if path is not None:
            variables[name] = str(path)
    return variables
