"""What a file asks for, as specs and sources: from real files and from made ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from formats.real_files import FILES, find
from kaa.model.errors import InvalidSpecError, RequestError, UnsupportedError
from kaa.workflows.from_file import request_from_file

if TYPE_CHECKING:
    from pathlib import Path

    from rattler import MatchSpec

    from kaa.workflows.file_request import FileRequest

CONFIGURED = ("conda-forge", "pypi")
TOKENS = {"CONDA_TOKEN": "t0k", "OTHER_KEY": "k3y"}
# Each names a requirements file that is not beside it.
INCOMPLETE = {
    "model__python_env.yaml": "requirements.txt",
    "credit_defaults_model__python_env.yaml": "requirements.txt",
    "advanced-pip__env_template.yml": "another-project-requirements.txt",
}


def ask(path: Path, platform: str = "linux-64", **environ: str) -> FileRequest:
    return request_from_file(path, platform, environ, CONFIGURED)


def write(directory: Path, text: str, name: str = "environment.yml") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("tail", [row[0] for row in FILES])
def test_every_spec_of_a_real_file_means_the_same_to_the_solver(tail: str) -> None:
    from rattler import MatchSpec

    path = find(tail)
    if tail in INCOMPLETE:
        with pytest.raises(RequestError, match=f"no file {INCOMPLETE[tail]}"):
            ask(path, **TOKENS)
        return
    request = ask(path, **TOKENS)
    assert request.specs
    for spec in request.specs:
        for as_conda in (False, True):
            assert MatchSpec(spec.match_spec(conda=as_conda)).name is not None
        if spec.source != "pypi":  # rattler's own reading is the measure
            theirs = MatchSpec(spec.text.partition("::")[2] or spec.text)
            assert meaning(MatchSpec(spec.match_spec(conda=True))) == meaning(theirs)


def meaning(spec: MatchSpec) -> tuple[str, list[str], str | None]:
    """Return name, the terms of the version, and build."""
    assert spec.name is not None
    return spec.name.normalized, sorted((spec.version or "*").split(",")), spec.build


def test_origins_and_sources(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "name: a\nchannels: [bioconda]\ndependencies:\n- python=3.12\n- pip\n"
        "- pip:\n  - Rich[jupyter]>=13\nvariables: {A: 1}\n",
    )
    request = ask(path)
    assert [(spec.name, spec.source, spec.origin) for spec in request.specs] == [
        ("python", None, "environment.yml, line 4"),
        ("pip", None, "environment.yml, line 5"),
        ("rich", "pypi", "environment.yml, line 7"),
    ]
    assert request.specs[2].extras == ("jupyter",)
    assert request.sources == ("bioconda", "pypi")
    assert request.name == "a"
    assert request.variables == (("A", "1"),)


@pytest.mark.parametrize(
    ("head", "pip", "sources"),
    [
        ("", "", ("conda-forge", "pypi")),
        ("channels: [x]", "", ("x",)),
        ("channels: [x, nodefaults]", "", ("x",)),
        ("channels: [x, nodefaults]", "[rich]", ("x", "pypi")),
        ("channels: [conda-forge, x]", "[rich]", ("conda-forge", "x", "pypi")),
        ("channels: [pypi, conda-forge]", "[rich]", ("pypi", "conda-forge")),
    ],
)
def test_which_sources(head: str, pip: str, sources: tuple[str, ...], tmp_path: Path) -> None:
    path = write(tmp_path, f"{head}\ndependencies:\n- zlib\n- pip: {pip}\n")
    assert ask(path).sources == sources


def test_configured_channels_come_after_those_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "channels: [x]\ndependencies: [zlib]\n")
    file = request_from_file(path, "linux-64", {}, ("mine", "conda-forge", "pypi"))
    assert file.sources == ("x", "mine", "conda-forge")


def test_pip_comes_with_its_section(tmp_path: Path) -> None:
    path = write(tmp_path, "dependencies:\n- python\n- pip: [rich]\n")
    assert [spec.name for spec in ask(path).specs] == ["python", "pip", "rich"]
    for listed in ("pip=24", "conda-forge::pip", "pip >=23"):
        path = write(tmp_path, f"dependencies:\n- {listed}\n- pip: [pip-tools]\n")
        assert [spec.name for spec in ask(path).specs] == ["pip", "pip-tools"]
    assert "pip" not in [
        spec.name for spec in ask(write(tmp_path, "dependencies: [pip-tools]")).specs
    ]


def test_markers_are_decided_for_the_platform(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "dependencies:\n- pip\n- pip:\n"
        "  - a; sys_platform == 'win32'\n"
        "  - b>=1; python_version < '3.11'\n"
        "  - c; platform_machine == 'arm64'\n"
        "  - d  # [osx]\n",
    )
    assert [spec.match_spec() for spec in ask(path).specs] == [
        "pip",
        'b[version=">=1+dev", when="python <3.11a0"]',
    ]
    names = [spec.name for spec in ask(path, "osx-arm64").specs]
    assert names == ["pip", "b", "c", "d"]
    assert [spec.name for spec in ask(path, "win-64").specs] == ["pip", "a", "b"]


def test_variables_in_channels_and_requirements(tmp_path: Path) -> None:
    request = ask(find("support__channels_with_envvars.yml"), **TOKENS)
    assert request.sources[:2] == (
        "https://localhost/t/t0k/stable",
        "https://localhost/t/k3y/stable",
    )
    with pytest.raises(RequestError, match="needs the variable OTHER_KEY") as caught:
        ask(find("support__channels_with_envvars.yml"), CONDA_TOKEN="t0k")
    assert "t0k" not in str(caught.value.as_dict())
    path = write(
        tmp_path, "dependencies: [pip, pip: ['--extra-index-url https://${USER_X}@e.org/s']]"
    )
    assert ask(path, USER_X="me").extra_index_urls == ("https://me@e.org/s",)


def test_requirements_files_are_followed(tmp_path: Path) -> None:
    digest = "sha256:" + "ab" * 32
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", f"rich==13.0 --hash={digest}\n-r ../more.txt\n-e ./mine\n", "r.txt")
    write(tmp_path, "-c limits.txt\n--index-url https://e.org/s\n-f wheels\n--pre\n", "bad.txt")
    write(
        tmp_path,
        "-c limits.txt\n--index-url https://e.org/s\n-f wheels\nx @ https://e.org/x.whl\n",
        "more.txt",
    )
    write(tmp_path, "numpy<2; sys_platform == 'linux'\npywin32<9; os_name == 'nt'\n", "limits.txt")
    request = ask(write(tmp_path, "dependencies: [pip, pip: [-r sub/r.txt, ./local.whl]]"))
    assert [spec.text for spec in request.specs] == ["pip", "pypi::rich==13.0"]
    assert request.specs[1].origin == "r.txt, line 1"
    assert request.hashes == {"rich": (digest,)}
    assert request.editable == (str(tmp_path / "mine"),)
    assert request.direct == ("x @ https://e.org/x.whl", str(tmp_path / "local.whl"))
    assert request.index_url == "https://e.org/s"
    assert request.find_links == (str(tmp_path / "wheels"),)
    assert [(each.text, each.origin) for each in request.constraints] == [
        ("numpy<2", "limits.txt, line 1")
    ]
    with pytest.raises(UnsupportedError, match=r"bad\.txt, line 4: pip's option --pre"):
        ask(write(tmp_path, "-r bad.txt\n", "requirements.txt"))


def test_a_requirements_file_alone(tmp_path: Path) -> None:
    request = ask(write(tmp_path, "rich\n# nothing\n-e .\n", "requirements.txt"))
    assert request.sources == ("pypi",)
    assert [spec.text for spec in request.specs] == ["pypi::rich"]
    assert request.editable == (str(tmp_path),)
    assert request.name is None


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("dependencies: [numpy=]", InvalidSpecError, "environment.yml, line 1: 'numpy='"),
        ("dependencies: [pip, pip: [numpy=1.2]]", InvalidSpecError, "'numpy=1.2' is no"),
        ("dependencies: [pip, pip: [-r absent.txt]]", RequestError, "no file absent.txt"),
        ("dependencies: [pip, pip: [-r environment.txt]]", RequestError, "inside of itself"),
        ("dependencies: [pip, pip: ['-r https://e.org/r.txt']]", UnsupportedError, "a URL"),
        ("dependencies: [pip, pip: [--no-binary x]]", UnsupportedError, "--no-binary"),
        ("dependencies: [pip, pip: [-c c.txt]]", UnsupportedError, "only requirements"),
        ("channels: [$NOPE]", RequestError, "NOPE"),
    ],
)
def test_refused(text: str, error: type[Exception], said: str, tmp_path: Path) -> None:
    write(tmp_path, "-r environment.txt\n", "environment.txt")
    write(tmp_path, "-e .\n", "c.txt")
    with pytest.raises(error, match=said):
        ask(write(tmp_path, text))


def test_other_formats_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="nothing to be solved for"):
        ask(write(tmp_path, "# x\n@EXPLICIT\nhttps://e.org/a.conda\n", "explicit.txt"))
    with pytest.raises(UnsupportedError, match="lock file"):
        ask(write(tmp_path, "version: 6\nenvironments: {}\npackages: []\n", "x.yml"))


def test_secrets_in_a_wrong_line_are_not_shown(tmp_path: Path) -> None:
    path = write(tmp_path, "dependencies: [pip, pip: ['a b https://u:secret@e.org/']]")
    with pytest.raises(InvalidSpecError) as caught:
        ask(path)
    assert "secret" not in str(caught.value.message)
