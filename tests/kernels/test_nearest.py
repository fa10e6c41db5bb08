"""Which kernel is nearest to one that this machine does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kaa.kernels.nearest import Because, Nearest, nearest
from kaa.kernels.offers import KernelOptions, Offer, offers
from kaa.kernels.wanted import Wanted, wanted_by
from kaa.model.discovered import Discovered, Facts, InnerKernel, Maker

if TYPE_CHECKING:
    from collections.abc import Mapping

R = InnerKernel("ir", "/x/share/jupyter/kernels/ir", "R", "R", ("R", "{connection_file}"))
CPP = InnerKernel("xcpp17", "/x/share/jupyter/kernels/xcpp17", "C++17", "c++", ("xcpp", "-f"))


def environment(
    name: str,
    maker: Maker = Maker.CONDA,
    *,
    prefix: str | None = None,
    label: str | None = None,
    **facts: object,
) -> Discovered:
    known: dict[str, Any] = {"python": "3.12.7", "own_ipykernel": True, **facts}
    return Discovered(
        prefix or f"/opt/conda/envs/{name}", maker, name, label or name, Facts(**known)
    )


ENVIRONMENTS = (
    environment("base", prefix="/opt/conda"),
    environment("forecast", Maker.KAA, prefix="/kaa/envs/forecast"),
    environment("my-env", Maker.VIRTUALENVWRAPPER, prefix="/home/.virtualenvs/my-env"),
    environment("stat", kernels=(R, CPP)),
    environment("shop", Maker.POETRY, prefix="/cache/virtualenvs/shop-aBcD1234-py3.12"),
    environment("crate", Maker.PIPENV, prefix="/share/virtualenvs/crate-aBcD1234"),
    environment("site", Maker.UV, prefix="/home/work/site/.venv"),
    environment("usr", Maker.SYSTEM, prefix="/usr"),
    environment("blå", prefix="/opt/conda/envs/blå"),
    environment("deep", prefix="/data/team/envs/deep"),
)


def nothing(_offer: Offer) -> Mapping[str, str]:
    return {}


def found(
    wanted: Wanted, *environments: Discovered, **installed: Mapping[str, str]
) -> Nearest | None:
    offered = offers(environments or ENVIRONMENTS, KernelOptions())
    return nearest(wanted, offered, lambda offer: installed.get(offer.environment.name, {}))


@pytest.mark.parametrize(
    ("name", "expected", "because"),
    [
        ("conda-env-forecast-python3", "conda-env-forecast-py", Because.SPELLING),
        ("Conda-Env-Forecast-Py", "conda-env-forecast-py", Because.SPELLING),
        ("conda-forecast-py", "conda-env-forecast-py", Because.SPELLING),
        ("conda-env-my_env-py", "conda-env-my-env-py", Because.SPELLING),
        ("conda-env-base-py", "conda-base-py", Because.SPELLING),
        ("conda-root-py", "conda-base-py", Because.NAME),
        ("conda-env-stat-ir", "conda-env-stat-r", Because.SPELLING),
        ("conda-stat-r", "conda-env-stat-r", Because.SPELLING),
        ("conda-env-Stat-xcpp17", "conda-env-stat-xcpp17", Because.SPELLING),
        ("conda-env-bla-python3", "conda-env-bla-py", Because.SPELLING),
        ("conda-env-team-deep-py", "conda-env-deep-py", Because.NAME),
        ("forecast", "conda-env-forecast-py", Because.SPELLING),
        ("kaa-forecast", "conda-env-forecast-py", Because.SPELLING),
        ("kaa-forecast-0123abcd", "conda-env-forecast-py", Because.NAME),
        ("My Env", "conda-env-my-env-py", Because.NAME),
        ("my_env", "conda-env-my-env-py", Because.NAME),
        ("shop", "conda-env-shop-py", Because.NAME),
        ("shop-Zyxw9876-py3.11", "conda-env-shop-py", Because.NAME),
        ("crate-Zyxw9876", "conda-env-crate-py", Because.NAME),
        ("site", "conda-env-site-py", Because.NAME),
    ],
)
def test_names(name: str, expected: str, because: Because) -> None:
    match = found(Wanted(name))
    assert match is not None
    assert (match.offer.id, match.because) == (expected, because)


@pytest.mark.parametrize(
    "name",
    [
        "conda-env-gone-py",
        "gone",
        "stat2",
        "conda-env-forecast-r",  # it has no R
        "conda-env-forecast-julia-1.9",
        "conda-env-stat-xcpp14",
        "usr",
        ".venv",
        "venv",
        "python3.9",
        "",
        "conda-env--py",
        "-",
        "shop-forecast",  # eight letters, and no hash
        "site-packages",
    ],
)
def test_nothing_is_guessed(name: str) -> None:
    assert found(Wanted(name)) is None
    assert found(Wanted(name, display_name="Python 3 (ipykernel)", language="python")) is None


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("Python [conda env:forecast]", "conda-env-forecast-py"),
        ("Python [conda env:forecast] *", "conda-env-forecast-py"),
        ("Python [conda env:.conda-forecast]", None),
        ("Python 3.11.4 ('my-env': venv)", "conda-env-my-env-py"),
        ("my_env (Python 3.11.4)", "conda-env-my-env-py"),
        ("Python (my env)", "conda-env-my-env-py"),
        ("Python 3.12 (forecast)", "conda-env-forecast-py"),
        ("Python [forecast]", "conda-env-forecast-py"),
        ("forecast", "conda-env-forecast-py"),
        ("Python 3.10.6 ('.venv': venv)", None),
        ("Python 3", None),
        ("R [conda env:forecast]", "conda-env-forecast-py"),  # the language says what it is
    ],
)
def test_what_the_kernel_was_shown_as(shown: str, expected: str | None) -> None:
    match = found(Wanted("a0b1c2d3", shown, "python"))
    assert (match.offer.id if match else None) == expected


def test_another_language_is_never_taken() -> None:
    assert found(Wanted("stat", language="julia")) is None
    match = found(Wanted("stat", language="r"))
    assert match is not None and match.offer.id == "conda-env-stat-r"
    match = found(Wanted("stat", language="python"))
    assert match is not None and match.offer.id == "conda-env-stat-py"
    assert found(Wanted("conda-env-forecast-r", "R [conda env:forecast]")) is None


def test_of_several_of_one_name() -> None:
    of_kaa = environment("work", Maker.KAA, prefix="/kaa/work", label="work one", last_used=1.0)
    old = environment("work", Maker.UV, prefix="/uv/work", label="work (uv)", last_used=5.0)
    new = environment("work", Maker.VENV, prefix="/venv/work", label="work (venv)", last_used=9.0)
    ill = environment("work", Maker.KAA, prefix="/ill/work", label="work two", problem="broken")

    def taken(*environments: Discovered) -> str:
        match = found(Wanted("conda-env-work-py"), *environments)
        assert match is not None and match.because is Because.NAME
        return match.offer.environment.prefix

    assert taken(old, new, of_kaa, ill) == "/kaa/work"
    assert taken(old, new, ill) == "/venv/work"
    assert taken(ill) == "/ill/work", "the kernel in its place says what is wrong with it"


PANDAS = ("pandas>=2", "numpy")


def test_requirements() -> None:
    bare, old = environment("bare"), environment("old", python="3.8.1")
    fit, later = environment("fit", last_used=1.0), environment("later", last_used=2.0)
    ill = environment("ill", problem="broken", last_used=3.0)
    versions = {"pandas": "2.1.0", "numpy": "1.26"}
    installed = {"old": {**versions, "pandas": "1.5"}, "fit": versions, "later": versions}
    installed["ill"] = versions
    everywhere = (bare, old, fit, later, ill)

    def taken(*requirements: str, python: str = "", requires_python: str = "") -> str | None:
        wanted = Wanted("gone", "", "python", python, requirements, requires_python)
        match = found(wanted, *everywhere, **installed)
        assert match is None or match.because is Because.REQUIREMENTS
        return match.offer.environment.name if match else None

    assert taken(*PANDAS) == "later"
    assert taken("pandas<2") == "old"
    assert taken("pandas", python="3.8.18") == "old", "the nearest Python"
    assert taken("pandas", python="3.11.2") == "later"
    assert taken("pandas", requires_python="<3.9") == "old"
    assert taken("pandas", requires_python=">=3.13") is None
    assert taken("pandas", "python=3.8") == "old", "a match spec"
    assert taken("conda-forge::pandas=2.1") == "later"
    assert taken("pandas ==2.1.0 py312_0") == "later"
    assert taken("pandas", "polars") is None, "all of them, or none"
    assert taken("pandas", "polars; python_version < '3.9'") == "later"
    assert taken() is None
    assert taken("python=3.12") is None, "which nearly every environment has"
    assert taken("git+https://example.org/x", "./here") is None


def notebook(*sources: object, **metadata: object) -> dict[str, Any]:
    cells = [{"cell_type": "code", "source": source} for source in sources]
    return {"metadata": metadata, "cells": cells}


SCRIPT = """# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "pandas>=2",
# ]
# ///
import pandas"""


def test_what_a_notebook_says() -> None:
    spec = {"name": "gone", "display_name": "Gone", "language": "Python"}
    info = {"name": "python", "version": "3.11.2"}
    said = wanted_by(notebook(kernelspec=spec, language_info=info))
    assert said == Wanted("gone", "Gone", "python", "3.11.2")
    lines = [f"{line}\n" for line in SCRIPT.splitlines()]
    for source in (SCRIPT, lines):
        said = wanted_by(notebook("1", source, kernelspec=spec))
        assert said is not None
        assert (said.requirements, said.requires_python) == (("pandas>=2",), ">=3.11")
    own = {"requirements": ["numpy"], "requires-python": ">=3.9"}
    said = wanted_by(notebook(SCRIPT, kernelspec=spec, kaa=own))
    assert said is not None
    assert (said.requirements, said.requires_python) == (("numpy",), ">=3.9")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"metadata": None},
        {"metadata": {"kernelspec": []}},
        {"metadata": {"kernelspec": {"name": 3}}},
        {"metadata": {"kernelspec": {"name": ""}}, "cells": 3},
    ],
)
def test_a_notebook_that_names_no_kernel(content: dict[str, Any]) -> None:
    assert wanted_by(content) is None


def test_nonsense_in_a_notebook_is_passed_over() -> None:
    broken = SCRIPT.replace("[", "[[")
    kernel = {"name": "gone", "display_name": 1, "language": None}
    content = notebook(3, [1], None, broken, kernelspec=kernel, language_info=4, kaa=[])
    content["cells"].append("no cell")
    assert wanted_by(content) == Wanted("gone")
