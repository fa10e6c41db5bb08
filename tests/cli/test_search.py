"""``kaa search`` and ``kaa repoquery`` with an index and a channel on 127.0.0.1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from conda_channel import CondaChannel, Fault
from kaa.sources.name_mapping import load_mapping
from kaa.workflows import supply
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.answer import Answer
    from local_index import LocalIndex

HARVEST = Path(__file__).parents[3] / "shared" / "data" / "repodata" / "conda-forge-harvest"
_2024 = 1_704_067_200_000


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[CondaChannel]:
    with CondaChannel(tmp_path / "forge") as channel:
        for number, version in enumerate(("1.9", "1.10", "2.0")):
            channel.add_record(
                "bear",
                version,
                "py312_0",
                depends=["python >=3.12,<3.13.0a0", "honey >=1", "__glibc >=2.17"],
                timestamp=_2024 + number * 86_400_000,
                license="MIT",
            )
        channel.add_record("bear", "2.0", "py312_1", build_number=1, depends=["honey >=2"])
        channel.add_record("honey", "1.5", noarch="generic", depends=["wax"])
        channel.add_record("honey", "2.5", noarch="generic", depends=["wax 1.*", "bee <3"])
        channel.add_record("wax", "1.0")
        channel.add_record("wax", "2.0", depends=["bee"])
        channel.add_record("bee", "2.0", depends=["honey"], constrains=["wax <9"])
        channel.add_record("pytorch", "2.4", depends=["bear >=1,<2"])
        channel.add_record("polar-bear", "0.1", depends=["bear <1.10"])
        yield channel


@pytest.fixture
def index(local_index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    wheels = tmp_path / "wheels"
    for version in ("1.0", "2.1", "3.0rc1"):
        local_index.add(
            build_wheel(wheels, "bear", version, requires=["fur>=2"], extras={"wild": ["teeth"]}),
            upload_time=f"2025-0{version[0]}-01T00:00:00Z",
            requires_python=">=3.8",
        )
    local_index.add(build_wheel(wheels, "bear", "2.2"), yanked="it bites")
    local_index.add(build_wheel(wheels, "torch", "2.5"))
    local_index.add(build_wheel(wheels, "pytorch", "0.1"))
    local_index.add(build_wheel(wheels, "only-there", "1.0"))
    monkeypatch.setenv("PIP_INDEX_URL", local_index.url)
    # The mapping of names is asked for here, too, and is not there: the built-in table will do.
    nowhere = f"{local_index.url}mapping.json"
    monkeypatch.setattr(supply, "load_mapping", partial(load_mapping, url=nowhere))
    return local_index


@pytest.fixture
def search(
    kaa: Callable[..., Answer], channel: CondaChannel, index: LocalIndex
) -> Callable[..., Answer]:
    """Search both, the channel first."""
    both = ("-c", channel.url, "-c", "pypi", "--platform", "linux-64")
    return lambda *arguments: kaa("search", *arguments, *both)


def lines(answer: Answer) -> list[str]:
    assert answer.code == 0, answer.err
    return [" ".join(line.split()) for line in answer.out.splitlines()]


def test_versions_are_shown_newest_first_by_source(
    search: Callable[..., Answer], channel: CondaChannel
) -> None:
    shown = lines(search("bear"))
    assert shown[0] == "bear"
    assert shown[1].endswith(", which would provide it (channel priority strict)")
    assert channel.url.rstrip("/") in shown[1]
    assert shown[2:] == [
        "2.0 2 builds 2024-01-03 latest",
        "1.10 1 build 2024-01-02",
        "1.9 1 build 2024-01-01",
        "pypi",
        "3.0rc1 1 file 2025-03-01 pre-release",
        "2.2 1 file yanked: it bites",
        "2.1 1 file 2025-02-01 latest",
        "1.0 1 file 2025-01-01",
    ]


@pytest.mark.parametrize(
    ("spec", "conda", "pypi"),
    [
        ("bear=1", ["1.10", "1.9"], ["1.0"]),
        ("bear 1.10", ["1.10"], []),
        ("bear>=2", ["2.0"], ["3.0rc1", "2.2", "2.1"]),
        ("bear>=1,!=2.0,<2.2", ["1.10", "1.9"], ["2.1", "1.0"]),
        ("bear=2.0=py312_1", ["2.0"], []),
        ("pypi::bear<2", None, ["1.0"]),
        ("BEAR", ["2.0", "1.10", "1.9"], ["3.0rc1", "2.2", "2.1", "1.0"]),
    ],
)
def test_specs_choose_versions(
    search: Callable[..., Answer], spec: str, conda: list[str] | None, pypi: list[str]
) -> None:
    packages = search(spec, "--json").json["packages"]
    found = {p["kind"]: [v["version"] for v in p["versions"]] for p in packages}
    assert found == {k: v for k, v in (("conda", conda), ("pypi", pypi)) if v}


def test_a_source_is_named_by_its_url(search: Callable[..., Answer], channel: CondaChannel) -> None:
    [package] = search(f"{channel.url}::bear", "--json").json["packages"]
    assert package["kind"] == "conda" and package["provides"]


def test_the_first_source_provides_even_what_it_has_no_version_of(
    search: Callable[..., Answer],
) -> None:
    answer = search("bear>=2.1", "--json").json
    assert [(p["source"], p["provides"]) for p in answer["packages"]] == [("pypi", False)]
    assert "comes first and has bear, but no version that matches" in answer["notes"][0]
    assert "`pypi::bear>=2.1`" in answer["notes"][0]


def test_the_other_order_of_sources(
    kaa: Callable[..., Answer], channel: CondaChannel, index: LocalIndex
) -> None:
    packages = kaa("search", "bear", "-c", "pypi", "-c", channel.url, "--json").json["packages"]
    assert [(p["kind"], p["provides"]) for p in packages] == [("pypi", True), ("conda", False)]


def test_the_other_ecosystems_name(search: Callable[..., Answer]) -> None:
    answer = search("torch", "--json").json
    found = [(p["name"], p["own_name"], p["provides"]) for p in answer["packages"]]
    assert found == [("pytorch", "pytorch", True), ("pytorch", "torch", False)]
    assert answer["notes"] == ["conda channels call torch pytorch"]
    answer = search("pytorch", "--json").json
    assert [p["own_name"] for p in answer["packages"]] == ["pytorch", "torch"]
    assert answer["notes"] == [
        "PyPI calls pytorch torch",
        "PyPI's pytorch is something else: `kaa search pypi::pytorch`",
    ]
    [only] = search("pypi::pytorch", "--json").json["packages"]
    assert [v["version"] for v in only["versions"]] == ["0.1"]


def test_what_only_pypi_has(search: Callable[..., Answer]) -> None:
    shown = lines(search("only.there"))
    assert shown == ["only-there", "pypi", "1.0 1 file latest"]


def test_patterns_search_the_channels_names(search: Callable[..., Answer]) -> None:
    answer = search("*bear*")
    shown = lines(answer)
    assert shown[0] == "Name Latest Versions Source"
    assert [line.split()[:3] for line in shown[1:]] == [
        ["bear", "2.0", "3"],
        ["bear", "2.1", "4"],
        ["polar-bear", "0.1", "1"],
    ]
    assert "only bear was looked for" in answer.err
    assert search("*bear*", "--limit", "1").out.endswith("... and 1 more packages (--limit 0)\n")
    assert search("?ax").out.splitlines()[0] == "wax"
    found = search("b*>=2", "--json").json["packages"]
    assert [(p["name"], p["kind"]) for p in found] == [("bear", "conda"), ("bee", "conda")]


def test_a_limit(search: Callable[..., Answer]) -> None:
    shown = lines(search("bear", "--limit", "1"))
    assert shown[2:4] == ["2.0 2 builds 2024-01-03 latest", "... and 2 older (--limit 0)"]
    assert "older" not in search("bear", "--limit", "0").out
    packages = search("bear", "--limit", "1", "--json").json["packages"]
    assert [len(p["versions"]) for p in packages] == [1, 1]


def test_info_shows_everything(search: Callable[..., Answer], channel: CondaChannel) -> None:
    shown = lines(search("bear", "--info"))
    assert shown[0] == "bear 2.0 py312_1"
    assert f"URL {channel.url}linux-64/bear-2.0-py312_1.conda" in shown
    assert "Needs honey >=2" in shown
    assert "Size 1.0 kB (1000 bytes)" in shown
    assert any(line.startswith("SHA256 ") for line in shown)
    assert "... and 3 more builds (--limit 0)" in shown
    start = shown.index("bear 2.1")
    assert "Requires Python >=3.8" in shown[start:]
    assert "Extras wild" in shown[start:]
    assert "Needs fur>=2" in shown[start:]
    assert any("teeth" in line and "extra" in line for line in shown[start:])
    assert "Would provide no: another source comes first" in shown[start:]
    old = lines(search("bear=1.10", "--info"))
    assert {"License MIT", "Published 2024-01-02 00:00:00+00:00"} <= set(old)


def test_info_in_json_has_the_records(search: Callable[..., Answer]) -> None:
    conda, pypi = search("bear", "--info", "--json").json["packages"]
    assert [r["build"] for r in conda["versions"][0]["records"]] == ["py312_1", "py312_0"]
    assert conda["versions"][2]["records"][0]["depends"][1] == "honey >=1"
    [latest] = next(v["records"] for v in pypi["versions"] if v["version"] == "2.1")
    assert latest["requires_dist"][0] == "fur>=2" and latest["extras"] == ["wild"]
    assert latest["files"][0]["filename"] == "bear-2.1-py3-none-any.whl"


@pytest.mark.parametrize(
    ("spec", "error", "near"),
    [
        ("hony", "UnknownPackageError", "`honey`"),
        ("pypi::hony", "UnknownPackageError", "whole name"),
        ("*hony*", "UnknownPackageError", "cannot be searched"),
        ("bear>9", "NoMatchingVersionError", "`kaa search bear`"),
        ("*bear*>9", "UnknownPackageError", ""),
    ],
)
def test_nothing_found(search: Callable[..., Answer], spec: str, error: str, near: str) -> None:
    answer = search(spec, "--json")
    assert answer.code == 4
    assert answer.json["error"] == error
    assert near in answer.json["hint"]


@pytest.mark.parametrize(
    "spec", ["", "numpy>>2", "a b c d e", "host::python", "bear[", "nope::x y"]
)
def test_bad_specs(search: Callable[..., Answer], spec: str) -> None:
    answer = search(spec)
    assert answer.code in {2, 4, 5}
    assert "internal error" not in answer.err and "Traceback" not in answer.err


def test_a_platform_that_does_not_exist(kaa: Callable[..., Answer]) -> None:
    answer = kaa("search", "bear", "--platform", "linux-63", "-c", "pypi")
    assert answer.code == 2 and "linux-64" in answer.err


def test_an_unreachable_channel_is_an_error(
    search: Callable[..., Answer], channel: CondaChannel
) -> None:
    channel.fail("*", Fault(status=503))
    answer = search("bear", "--json")
    assert answer.code == 5
    assert answer.json["success"] is False


def test_a_silent_channel_is_given_up(
    search: Callable[..., Answer], channel: CondaChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "1")
    channel.fail("*", Fault(hang=600))
    answer = search("bear")  # in less time than a process is given here
    assert answer.code == 5 and "cannot be reached" in answer.err


def test_the_priority_of_the_settings_decides(
    search: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAA_CHANNEL_PRIORITY", "disabled")
    answer = search("bear", "--json").json
    assert answer["channel_priority"] == "disabled"
    provides = {p["source"]: p["provides"] for p in answer["packages"]}
    assert provides.pop("pypi") is True and list(provides.values()) == [False]


def test_an_index_that_fails_is_an_error(search: Callable[..., Answer], index: LocalIndex) -> None:
    index.fail("*", Fault(status=403))
    assert search("bear").code == 5


def test_credentials_are_not_shown(
    kaa: Callable[..., Answer], channel: CondaChannel, index: LocalIndex
) -> None:
    channel.auth = ("jane", "s3cret")
    url = channel.url.replace("http://", "http://jane:s3cret@")
    for options in ((), ("--info",), ("--info", "--json")):
        answer = kaa("search", "bear", "-c", url, "--platform", "linux-64", *options)
        assert answer.code == 0, answer.err
        assert "s3cret" not in answer.out + answer.err
    channel.fail("*", Fault(status=403))
    assert "s3cret" not in str(kaa("search", "wax", "-c", url))


def test_offline_from_the_cache(
    search: Callable[..., Answer], channel: CondaChannel, index: LocalIndex
) -> None:
    before = search("bear")
    channel.fail("*", Fault(status=500))
    index.fail("*", Fault(status=500))
    asked = len(channel.requests), len(index.requests)
    assert search("bear", "--offline").out == before.out
    assert (len(channel.requests), len(index.requests)) == asked


def test_names_from_a_channel_cannot_steer_the_terminal(
    search: Callable[..., Answer], channel: CondaChannel
) -> None:
    channel.add_record("evil", license="\x1b[31mMIT", depends=["x \x1b]0;t\x07"])
    for options in ((), ("--info",)):
        answer = search("evil", *options)
        assert "\x1b" not in answer.out and "\x07" not in answer.out


# --- repoquery --------------------------------------------------------------------------------


@pytest.fixture
def repoquery(kaa: Callable[..., Answer], channel: CondaChannel) -> Callable[..., Answer]:
    remote = ("-c", channel.url, "--platform", "linux-64")
    return lambda *arguments: kaa("repoquery", *arguments, *remote)


def test_what_a_package_of_a_channel_needs(repoquery: Callable[..., Answer]) -> None:
    shown = lines(repoquery("depends", "bear=1.10"))
    assert shown[0].startswith("bear 1.10 (")
    assert shown[1] == "Name Version Build Source Needed"
    assert [line.split()[0] for line in shown[2:]] == ["__glibc", "honey", "python"]
    assert shown[3].split()[1] == "2.5"
    recursive = lines(repoquery("depends", "bear", "-r"))
    assert [line.split()[:2] for line in recursive[2:]] == [
        ["bee", "2.0"],
        ["honey", "2.5"],
        ["wax", "1.0"],
    ]


def test_the_tree_of_a_package_of_a_channel(repoquery: Callable[..., Answer]) -> None:
    drawn = lines(repoquery("depends", "bear", "--tree"))
    assert [line.split(" (")[0] for line in drawn[:5]] == [
        "bear 2.0",
        "└── honey 2.5",
        "├── bee 2.0",
        "│ └── honey 2.5",
        "└── wax 1.0",
    ]
    answer = repoquery("depends", "bear", "-t", "--json").json
    assert {(e["from"], e["to"]) for e in answer["edges"]} == {
        *(("bear", "honey"), ("honey", "bee"), ("honey", "wax"), ("bee", "honey"))
    }


def test_who_needs_a_package_of_a_channel(repoquery: Callable[..., Answer]) -> None:
    shown = lines(repoquery("whoneeds", "bear"))
    assert [line.rsplit(" ", 1)[0] for line in shown] == [
        "Name Version Builds Needs",
        "polar-bear 0.1 1 bear <1.10",
        "pytorch 2.4 1 bear >=1,<2",
    ]
    exact = lines(repoquery("whoneeds", "bear=1.10"))
    assert [line.split()[0] for line in exact] == ["Name", "pytorch"]
    wax = repoquery("whoneeds", "wax")
    assert [line.split()[:3] for line in lines(wax)[1:]] == [["honey", "2.5", "2"]]
    assert "1 more constrain" in wax.err
    assert "(constrains)" in repoquery("whoneeds", "wax", "-v").out
    kinds = {d["kind"] for d in repoquery("whoneeds", "wax", "--json").json["dependents"]}
    assert kinds == {"depends", "constrains"}


def test_repoquery_search(repoquery: Callable[..., Answer]) -> None:
    assert lines(repoquery("search", "bear"))[2].startswith("2.0 2 builds")
    assert lines(repoquery("search", "bear", "--pretty"))[0] == "bear 2.0 py312_1"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("depends", "hony"), 4),
        (("depends", "bear=9"), 4),
        (("whoneeds", "hony"), 4),
        (("whoneeds", "bear", "-t"), 2),
        (("depends", "bear", "--local", "-n", "x"), 2),
    ],
)
def test_questions_without_an_answer(
    repoquery: Callable[..., Answer], arguments: tuple[str, ...], code: int
) -> None:
    answer = repoquery(*arguments)
    assert answer.code == code
    assert "hint:" in answer.err


def test_an_index_cannot_be_asked(kaa: Callable[..., Answer], index: LocalIndex) -> None:
    answer = kaa("repoquery", "whoneeds", "bear", "-c", "pypi")
    assert answer.code == 2 and "kaa search --info bear" in answer.err
    answer = kaa("repoquery", "depends", "bear")
    assert answer.code == 2 and "which environment, or which channels?" in answer.err


def test_an_environment_is_asked_by_default(kaa: Callable[..., Answer], tmp_path: Path) -> None:
    meta = tmp_path / "env" / "conda-meta"
    meta.mkdir(parents=True)
    for name, needs in {
        "app": ["library >=1", "__unix"],
        "library": ["base 2.*"],
        "base": [],
    }.items():
        record = {"name": name, "version": "2.0", "build": "0", "depends": needs}
        (meta / f"{name}-2.0-0.json").write_text(json.dumps(record))
    where = ("-p", str(tmp_path / "env"))
    shown = lines(kaa("repoquery", "depends", "app", *where))
    assert shown[2:] == ["__unix virtual", "library 2.0 0 unknown >=1"]
    assert len(lines(kaa("repoquery", "depends", "app", "-r", *where))) == 5
    assert lines(kaa("repoquery", "whoneeds", "base", *where))[2:] == ["library 2.0 0 unknown 2.*"]
    assert "app" in kaa("repoquery", "whoneeds", "base", "-t", *where).out
    assert "nothing needs it" in kaa("repoquery", "whoneeds", "app", *where).out
    found = kaa("repoquery", "search", "*b*", "--local", *where)
    assert [line.split()[0] for line in lines(found)] == ["Name", "base", "library"]
    assert kaa("repoquery", "search", "base>=3", "--local", *where).code == 3
    assert kaa("repoquery", "search", "bse", "--local", *where).code == 3
    names = kaa("repoquery", "search", "base=2", "--local", "--json", *where).json["packages"]
    assert [each["name"] for each in names] == ["base"]


@pytest.mark.parametrize(
    ("words", "word", "expected"),
    [
        ("kaa search -c p", 3, "plain,pypi"),
        ("kaa search --platform osx-a", 3, "plain,osx-arm64"),
        ("kaa repoquery wh", 2, "plain,whoneeds"),
        ("kaa repoquery depends --rec", 3, "plain,--recursive"),
    ],
)
def test_completion(words: str, word: int, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kaa"],
        env={
            **os.environ,
            "_KAA_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(word),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [expected]


# --- real records -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def harvest(tmp_path_factory: pytest.TempPathFactory) -> str:
    if not HARVEST.is_dir():
        pytest.skip(f"{HARVEST} is not there")
    folder = tmp_path_factory.mktemp("harvest")
    for subdir in ("linux-64", "noarch"):
        (folder / subdir).mkdir()
        content = (HARVEST / subdir / "repodata.json.zst").read_bytes()
        plain = zstandard.ZstdDecompressor().decompressobj().decompress(content)
        (folder / subdir / "repodata.json").write_bytes(plain)
    return f"{folder.as_uri()}/"


def test_real_packages_are_found(kaa: Callable[..., Answer], harvest: str) -> None:
    real = ("-c", harvest, "--platform", "linux-64")
    [numpy] = kaa("search", "numpy=2.1.*", "--info", "--json", *real).json["packages"]
    assert [v["version"] for v in numpy["versions"]] == ["2.1.3", "2.1.2", "2.1.1", "2.1.0"]
    records = [record for version in numpy["versions"] for record in version["records"]]
    assert all("python_abi" in " ".join(record["depends"]) for record in records)
    names = {p["name"] for p in kaa("search", "*numpy*", "--json", *real).json["packages"]}
    assert {"numpy", "numpydoc"} <= names
    answer = kaa("search", "scikit-lern", *real)
    assert answer.code == 4 and "`scikit-learn`" in answer.err
    tree = kaa("repoquery", "depends", "jupyterlab", "-t", "--json", *real).json
    assert len(tree["nodes"]) > 100
    assert not [n["name"] for n in tree["nodes"] if n["presence"] == "missing"]
    needing = kaa("repoquery", "whoneeds", "numpy", "--json", *real).json["dependents"]
    assert {"pandas", "scipy", "xarray"} <= {each["name"] for each in needing}
