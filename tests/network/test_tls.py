"""Certificates: the settings decide whom both transports trust."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from kaa.model.errors import SourceUnreachableError
from kaa.network import transport
from kaa.network.client import Client
from kaa.network.settings import NetworkSettings
from local_index import LocalIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes certificates")


@pytest.fixture(autouse=True, params=["rust", "python"] if find_spec("pyreqwest") else ["python"])
def each_transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "python":
        monkeypatch.setattr(transport, "_rust_transport", lambda *_: None)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an authority (``ca.pem``), another, and a server's and a client's file."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"):
        openssl(
            *("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem"),
            *("-subj", f"/CN={name}", "-days", "2", "-addext", "keyUsage=critical,keyCertSign"),
        )
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    openssl(
        *("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out", "server.crt"),
    )
    both = (folder / "server.crt").read_text() + (folder / "server.key").read_text()
    (folder / "server.pem").write_text(both)
    bundle = (folder / "other.pem").read_text() + (folder / "ca.pem").read_text()
    (folder / "bundle.pem").write_text(bundle)
    return folder


@pytest.fixture
def secure_index(authority: Path) -> Iterator[LocalIndex]:
    with LocalIndex(tls=authority / "server.pem") as index:
        yield index


def status(index: LocalIndex, settings: NetworkSettings) -> int:
    async def main() -> int:
        async with Client(settings, backoff=0.01) as client:
            return (await client.get(f"{index.url}demo/")).status

    return asyncio.run(main())


def test_an_unknown_authority_is_refused_at_once(secure_index: LocalIndex) -> None:
    with pytest.raises(SourceUnreachableError) as caught:
        status(secure_index, NetworkSettings(timeout=60))
    assert "SSL_CERT_FILE" in str(caught.value.hint)


def test_an_authority_anywhere_in_the_bundle_is_trusted(
    secure_index: LocalIndex, authority: Path
) -> None:
    settings = NetworkSettings(timeout=60, ca_bundle=authority / "bundle.pem")
    assert status(secure_index, settings) == 404


def test_another_authority_does_not_help(secure_index: LocalIndex, authority: Path) -> None:
    with pytest.raises(SourceUnreachableError):
        status(secure_index, NetworkSettings(timeout=60, ca_bundle=authority / "other.pem"))


def test_trusted_hosts_need_no_certificate(secure_index: LocalIndex) -> None:
    for host in ("127.0.0.1", secure_index.host):
        assert status(secure_index, NetworkSettings(timeout=60, trusted_hosts=(host,))) == 404
    with pytest.raises(SourceUnreachableError):
        status(secure_index, NetworkSettings(timeout=60, trusted_hosts=("example.org",)))


def test_a_client_certificate_is_accepted(secure_index: LocalIndex, authority: Path) -> None:
    settings = NetworkSettings(
        timeout=60,
        ca_bundle=authority / "ca.pem",
        client_certificate=authority / "server.pem",
    )
    assert status(secure_index, settings) == 404


def test_a_bundle_that_is_missing(secure_index: LocalIndex, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachableError, match="cannot be read") as caught:
        status(secure_index, NetworkSettings(ca_bundle=tmp_path / "none.pem"))
    assert "SSL_CERT_FILE" in str(caught.value.hint)
    (tmp_path / "bad.pem").write_bytes(b"\xff\x00nonsense")
    with pytest.raises(SourceUnreachableError):
        status(secure_index, NetworkSettings(timeout=60, ca_bundle=tmp_path / "bad.pem"))
