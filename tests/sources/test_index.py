"""Project pages from real servers: formats, the order of indexes, the cache."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kaa.model.errors import SourceAnswerError, SourceUnreachableError
from kaa.network.client import Client
from kaa.network.settings import Index, NetworkSettings, make_index
from kaa.sources.index import ProjectIndex
from local_index import JSON, Fault, LocalIndex
from wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.sources.page_cache import MergedReleases, Releases


def look_up(
    cache: Path, name: str, *indexes: Index, offline: bool = False, retries: int = 0
) -> Releases | MergedReleases | None:
    settings = NetworkSettings(indexes=indexes, timeout=60, retries=retries, offline=offline)

    async def main() -> Releases | MergedReleases | None:
        async with Client(settings, backoff=0.01) as client:
            return await ProjectIndex(client, settings, cache).releases(name)

    return asyncio.run(main())


def versions(releases: Releases | MergedReleases | None) -> list[str]:
    assert releases is not None
    return [release.version for release in releases]


def page(*files: dict[str, Any]) -> bytes:
    entries = [{"hashes": {}, "url": f"/f/{file['filename']}", **file} for file in files]
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": entries}).encode()


def serve(index: LocalIndex, folder: Path, *numbers: str, **options: Any) -> Index:
    for number in numbers:
        index.add(build_wheel(folder, "demo", number, requires=["x"]), **options)
    return make_index(index.url)


@pytest.mark.parametrize("as_json", [True, False])
def test_both_formats_say_the_same(local_index: LocalIndex, tmp_path: Path, as_json: bool) -> None:
    local_index.json = as_json
    index = serve(
        local_index, tmp_path / "w", "1.9", "1.10", "2.0rc1", requires_python=">=3.9", yanked="bad"
    )
    releases = look_up(tmp_path / "c", "Demo", index)
    assert versions(releases) == ["2.0rc1", "1.10", "1.9"]
    assert releases is not None
    file = next(iter(releases)).files[0]
    assert file.url == local_index.file_url("demo-2.0rc1-py3-none-any.whl")
    assert file.filename == "demo-2.0rc1-py3-none-any.whl"
    assert (file.requires_python, file.yanked) == (">=3.9", "bad")
    assert len(file.hashes["sha256"]) == 64
    assert file.metadata_hashes is not None
    assert len(file.metadata_hashes["sha256"]) == 64
    assert (file.size is not None) == as_json
    assert versions(releases) == ["2.0rc1", "1.10", "1.9"], "iterates again"
    assert len(releases) == 3


def test_only_wheels_and_sdists_of_the_project_count(
    local_index: LocalIndex, tmp_path: Path
) -> None:
    names = [
        "demo-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz",
        "Demo-1.1.zip",
        "demo-1.0-1-py3-none-any.whl",
        "demo-1.0.0-py2-none-any.whl",
        "demo-1.0-py3-none.whl",
        "demo-nonsense-py3-none-any.whl",
        "demo-1.0.win32.exe",
        "demo-1.2-py3.6.egg",
        "other-3.0-py3-none-any.whl",
        "demo-extra-1.0.tar.gz",
    ]
    local_index.fail("*", Fault(body=page(*({"filename": n} for n in names)), content_type=JSON))
    releases = look_up(tmp_path, "demo", make_index(local_index.url))
    assert releases is not None
    found = {release.version: [file.filename for file in release.files] for release in releases}
    assert found == {"1.1": [names[2]], "1.0": [names[0], names[1], names[3], names[4]]}


def test_fields_of_the_json_page(local_index: LocalIndex, tmp_path: Path) -> None:
    body = page(
        {
            "filename": "demo-1-py3-none-any.whl",
            "url": "https://me:secret@example.org/x.whl#sha256=1",
            "yanked": True,
            "core-metadata": True,
            "upload-time": "2026-01-01T00:00:00Z",
        },
        {"filename": "demo-1.tar.gz", "dist-info-metadata": {"sha256": "ab"}, "yanked": False},
    )
    local_index.fail("*", Fault(body=body, content_type=JSON))
    releases = look_up(tmp_path, "demo", make_index(local_index.url))
    assert releases is not None
    wheel, sdist = next(iter(releases)).files
    assert wheel.url == "https://example.org/x.whl"
    assert (wheel.yanked, wheel.metadata_hashes) == ("", {})
    assert wheel.upload_time == "2026-01-01T00:00:00Z"
    assert (sdist.yanked, sdist.metadata_hashes) == (None, {"sha256": "ab"})
    assert "secret" not in "".join(path.read_text() for path in tmp_path.rglob("*.jsonl"))


def test_the_first_index_that_has_the_project_provides_it(tmp_path: Path) -> None:
    with LocalIndex() as private, LocalIndex() as public:
        first = serve(private, tmp_path / "w", "1.0")
        second = serve(public, tmp_path / "v", "9.0")
        assert versions(look_up(tmp_path / "c", "demo", first, second)) == ["1.0"]
        assert public.requests == []
        assert versions(look_up(tmp_path / "c", "demo", second, first)) == ["9.0"]
        public.add(build_wheel(tmp_path / "v", "elsewhere"))
        assert versions(look_up(tmp_path / "c", "elsewhere", first, second)) == ["1.0"]
        assert look_up(tmp_path / "c", "nowhere", first, second) is None


def test_indexes_of_pips_settings_are_merged(tmp_path: Path) -> None:
    with LocalIndex() as ours, LocalIndex() as public:
        first, second = serve(ours, tmp_path / "w", "1.0"), serve(public, tmp_path / "v", "9.0")
        public.add(build_wheel(tmp_path / "v", "demo", "1.0"))
        public.add(build_wheel(tmp_path / "v", "demo", "0.5"))
        settings = NetworkSettings(indexes=(first, second), merge_indexes=True)

        async def merged() -> list[tuple[str, list[str]]]:
            async with Client(settings) as client:
                found = await ProjectIndex(client, settings, tmp_path / "c").releases("demo")
                assert found is not None
                return [(r.version, [file.url for file in r.files]) for r in found]

        name = "demo-1.0-py3-none-any.whl"
        assert asyncio.run(merged()) == [
            ("9.0", [public.file_url("demo-9.0-py3-none-any.whl")]),
            ("1.0", [ours.file_url(name)]),  # the same file name: the earlier index's counts
            ("0.5", [public.file_url("demo-0.5-py3-none-any.whl")]),
        ]


def test_an_index_that_fails_is_never_skipped(tmp_path: Path) -> None:
    with LocalIndex() as private, LocalIndex() as public:
        first, second = make_index(private.url, "company"), serve(public, tmp_path / "w", "9.0")
        private.fail("*", Fault(status=403))
        with pytest.raises(SourceAnswerError, match="403"):
            look_up(tmp_path / "c", "demo", first, second)
        private.heal()
        private.fail("*", Fault(reset=True))
        with pytest.raises(SourceUnreachableError):
            look_up(tmp_path / "c", "demo", first, second)
        assert public.requests == []
        private.heal()
        private.fail("*", Fault(status=403))
        lenient = replace(first, ignored_statuses=(403,))
        assert versions(look_up(tmp_path / "c", "demo", lenient, second)) == ["9.0"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", JSON),
        (b"[]", JSON),
        (b'{"meta": {"api-version": "2.0"}, "files": []}', JSON),
        (b'{"meta": {"api-version": "1.0"}, "files": [{"filename": 3}]}', JSON),
        (b"<html><form><input name=password></form></html>", "text/html"),
        (b"\x89PNG", "image/png"),
    ],
)
def test_garbage_is_an_error_that_names_the_index(
    local_index: LocalIndex, tmp_path: Path, body: bytes, kind: str
) -> None:
    local_index.fail("*", Fault(body=body, content_type=kind))
    with pytest.raises(SourceAnswerError, match="company") as caught:
        look_up(tmp_path, "demo", make_index(local_index.url, "company"))
    assert caught.value.cause
    assert caught.value.hint
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_html_with_odd_fragments(local_index: LocalIndex, tmp_path: Path) -> None:
    body = b'<a href="demo-1.0.tar.gz#">x</a><a href="demo-2.0.tar.gz#egg">y</a>'
    local_index.fail("*", Fault(body=body))
    releases = look_up(tmp_path, "demo", make_index(local_index.url))
    assert versions(releases) == ["2.0", "1.0"]


def age(cache: Path, seconds: float) -> None:
    for path in cache.rglob("*.jsonl"):
        os.utime(path, (time.time() - seconds,) * 2)


def test_a_directory_called_t_is_no_token(tmp_path: Path) -> None:
    folder = tmp_path / "t" / "simple" / "demo"
    wheel = build_wheel(folder, "demo", "1.0")
    found = look_up(tmp_path / "c", "demo", make_index(str(folder.parent)))
    assert found is not None
    assert [file.url for file in next(iter(found)).files] == [wheel.as_uri()]


def test_a_token_in_an_indexs_url_is_asked_with(local_index: LocalIndex, tmp_path: Path) -> None:
    # without it, another index would provide a project that is private
    body = page({"filename": "demo-1.0-py3-none-any.whl", "url": "demo-1.0-py3-none-any.whl"})
    local_index.fail("/t/s3cret/simple/demo/", Fault(body=body, content_type=JSON))
    base = f"http://{local_index.host}/t/s3cret/simple/"
    found = look_up(tmp_path / "c", "demo", make_index(base))
    assert found is not None
    assert [file.url for file in next(iter(found)).files] == [
        f"{base}demo/demo-1.0-py3-none-any.whl"
    ]


def test_a_fresh_page_needs_no_request_and_a_stale_one_is_asked_for(
    local_index: LocalIndex, tmp_path: Path
) -> None:
    cache = tmp_path / "c"
    index = serve(local_index, tmp_path / "w", "1.0")
    for _ in range(2):
        assert versions(look_up(cache, "demo", index)) == ["1.0"]
    assert len(local_index.requests) == 1
    serve(local_index, tmp_path / "w", "2.0")
    age(cache, 599)
    assert versions(look_up(cache, "demo", index)) == ["1.0"]
    age(cache, 601)
    assert versions(look_up(cache, "demo", index)) == ["2.0", "1.0"]
    assert len(local_index.requests) == 2


def test_a_stale_page_is_revalidated(local_index: LocalIndex, tmp_path: Path) -> None:
    cache = tmp_path / "c"
    local_index.etags = True
    local_index.headers = {"Cache-Control": "max-age=50, public"}
    index = serve(local_index, tmp_path / "w", "1.0")
    look_up(cache, "demo", index)
    age(cache, 51)
    assert versions(look_up(cache, "demo", index)) == ["1.0"]
    assert "if-none-match" in local_index.requests[1].headers
    assert versions(look_up(cache, "demo", index)) == ["1.0"]
    assert len(local_index.requests) == 2, "the 304 made the entry fresh again"
    age(cache, 51)
    serve(local_index, tmp_path / "w", "2.0")
    assert versions(look_up(cache, "demo", index)) == ["2.0", "1.0"]


@pytest.mark.parametrize("directive", ["no-cache", "no-store", "max-age=0"])
def test_an_index_may_forbid_the_cache(
    local_index: LocalIndex, tmp_path: Path, directive: str
) -> None:
    local_index.headers = {"Cache-Control": directive}
    index = serve(local_index, tmp_path / "w", "1.0")
    for _ in range(2):
        look_up(tmp_path / "c", "demo", index)
    assert len(local_index.requests) == 2
    assert bool(list((tmp_path / "c").rglob("*.jsonl"))) == (directive != "no-store")


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\xff" * 40, None])
def test_a_damaged_entry_is_fetched_again(
    local_index: LocalIndex, tmp_path: Path, damage: bytes | None
) -> None:
    cache = tmp_path / "c"
    index = serve(local_index, tmp_path / "w", "1.0")
    look_up(cache, "demo", index)
    (entry,) = cache.rglob("*.jsonl")
    entry.write_bytes(entry.read_bytes()[:-9] if damage is None else damage)
    assert versions(look_up(cache, "demo", index)) == ["1.0"]
    assert len(local_index.requests) == 2


def test_a_cache_that_cannot_be_written_is_no_error(
    local_index: LocalIndex, tmp_path: Path
) -> None:
    index = serve(local_index, tmp_path / "w", "1.0")
    (tmp_path / "c").write_text("a file where the directory should be")
    assert versions(look_up(tmp_path / "c", "demo", index)) == ["1.0"]


def test_offline_the_cache_answers_however_old(local_index: LocalIndex, tmp_path: Path) -> None:
    index = serve(local_index, tmp_path / "w", "1.0")
    look_up(tmp_path / "c", "demo", index)
    age(tmp_path / "c", 10_000)
    assert versions(look_up(tmp_path / "c", "demo", index, offline=True)) == ["1.0"]
    with pytest.raises(SourceUnreachableError, match="switched off"):
        look_up(tmp_path / "c", "other", index, offline=True)


def test_a_directory_is_an_index(tmp_path: Path) -> None:
    build_wheel(tmp_path / "simple" / "demo", "demo", "1.0")
    (tmp_path / "empty").mkdir()
    index, empty = make_index(str(tmp_path / "simple")), make_index(str(tmp_path / "empty"))
    releases = look_up(tmp_path / "c", "demo", empty, index)
    assert versions(releases) == ["1.0"]
    assert releases is not None
    path = tmp_path / "simple" / "demo" / "demo-1.0-py3-none-any.whl"
    assert next(iter(releases)).files[0].url == path.as_uri()
    assert look_up(tmp_path / "c", "other", empty, index) is None
    with pytest.raises(SourceUnreachableError, match="is not there"):  # no other takes its place
        look_up(tmp_path / "c", "demo", make_index(str(tmp_path / "none")), index)


def test_a_warm_look_up_imports_no_network_library(local_index: LocalIndex, tmp_path: Path) -> None:
    import subprocess
    import sys

    index = serve(local_index, tmp_path / "w", "1.0", "2.0")
    look_up(tmp_path / "c", "demo", index)
    program = f"""
import asyncio, pathlib, sys
from kaa.network.client import Client
from kaa.network.settings import NetworkSettings, make_index
from kaa.sources.index import ProjectIndex

async def main():
    settings = NetworkSettings(indexes=(make_index({local_index.url!r}),))
    async with Client(settings) as client:
        index = ProjectIndex(client, settings, pathlib.Path({str(tmp_path / "c")!r}))
        print([release.version for release in await index.releases("demo")])

asyncio.run(main())
print(sorted({{"httpx", "pyreqwest", "packaging", "mousebender", "distlib"}} & set(sys.modules)))
"""
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert output.stdout == "['2.0', '1.0']\n[]\n"


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0-1/../../../../precious-py3-none-any.whl",
        "demo-1.0-py3-none-any/../../x.whl",
        "../demo-1.0-py3-none-any.whl",
        "demo-1.0\\x-py3-none-any.whl",
    ],
)
def test_a_file_name_that_is_a_path_does_not_count(
    local_index: LocalIndex, tmp_path: Path, filename: str
) -> None:
    files = [
        {"filename": filename, "url": "https://example.org/a.whl", "hashes": {}},
        {"filename": "demo-2.0-py3-none-any.whl", "url": "file:///etc/passwd", "hashes": {}},
        {"filename": "demo-3.0-py3-none-any.whl", "url": "https://example.org/b.whl", "hashes": {}},
    ]
    body = page(*files)
    local_index.fail("*", Fault(body=body, content_type=JSON))
    found = look_up(tmp_path / "c", "demo", make_index(local_index.url))
    assert versions(found) == ["3.0"]  # 2.0 is a file of this machine, named by another
