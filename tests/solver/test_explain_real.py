"""Explanations on conda-forge's own records: requests of ten specs that have no answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from harvest import harvest_channel
from kaa.model.source import Kind, Source
from kaa.solver.explain import explain
from kaa.solver.request import Solution, SolveRequest
from kaa.solver.solve import Refusal, attempt
from kaa.solver.specs import parse_spec
from kaa.sources.conda import open_gateway
from solver.universe import Universe

if TYPE_CHECKING:
    from kaa.model.errors import SolveError
    from kaa.solver.request import Catalog

MACHINE = ("__archspec=1=x86_64", "__glibc=2.28=0", "__linux=5.10=0", "__unix=0=0")
ENDLESS = 1000.0
"""Seconds that a refusal is said to have taken: its explanation may take its time."""


@dataclass
class Forge:
    """conda-forge, as far as it is here, and how often it was solved for."""

    url: str
    catalog: Catalog
    solves: list[tuple[str, ...]] = field(default_factory=list)

    def request(self, *specs: str) -> SolveRequest:
        sources = (Source("conda-forge", Kind.CONDA, (self.url,)), Source("pypi", Kind.PYPI))
        return SolveRequest(tuple(map(parse_spec, specs)), sources, "linux-64", MACHINE)

    async def attempt(self, request: SolveRequest, catalog: Catalog) -> Solution | Refusal:
        self.solves.append(tuple(spec.text for spec in request.specs))
        return await attempt(request, catalog)

    def explained(self, *specs: str) -> SolveError:
        async def run() -> SolveError:
            refusal = await attempt(self.request(*specs), self.catalog)
            assert isinstance(refusal, Refusal)
            return await explain(refusal, self.catalog, self.attempt, ENDLESS)

        self.solves.clear()
        return asyncio.run(run())

    def solvable(self, *specs: str) -> bool:
        return isinstance(asyncio.run(attempt(self.request(*specs), self.catalog)), Solution)


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    directory = tmp_path_factory.mktemp("forge")
    url = harvest_channel(directory, "linux-64")
    gateway = open_gateway(directory / "cache", None)
    return Forge(url, replace(Universe().catalog(), gateway=gateway))


OTHERS = ("requests", "click", "rich", "sympy", "networkx", "pillow")
CASES: list[Any] = [
    (("numpy=1.22", "python=3.12", "scipy", "pandas"), {"numpy=1.22", "python=3.12"}),
    (("jupyterlab=3", "notebook=7", "python=3.12", "pandas"), {"jupyterlab=3", "notebook=7"}),
    (("libboost=1.82", "gdal=3.11", "pandas", "scipy"), {"libboost=1.82", "gdal=3.11"}),
    (("openssl=1.1", "python=3.13", "pandas", "scipy"), {"openssl=1.1", "python=3.13"}),
    (("scipy=1.8", "numpy=2", "flask", "bokeh"), {"scipy=1.8", "numpy=2"}),
    (("pytorch=2.7.1=cuda*", "python=3.12", "flask", "bokeh"), {"pytorch=2.7.1=cuda*"}),
    (("gdal=3.5", "geopandas", "numpy=2", "python=3.12"), {"gdal=3.5"}),
]


@pytest.mark.parametrize(("specs", "conflict"), CASES)
def test_ten_specs(forge: Forge, specs: tuple[str, ...], conflict: set[str]) -> None:
    request = (*specs, *OTHERS)
    error = forge.explained(*request)
    explanation = error.explanation
    assert explanation is not None
    assert {constraint.text for constraint in explanation.conflict} == conflict
    assert explanation.minimal
    assert explanation.fixes
    for fix in explanation.fixes:
        changed = list(request)
        for change in fix.changes:
            if change.before in changed:
                place = changed.index(change.before)
                changed[place : place + 1] = [change.after] if change.after else []
        if not any("--override" in str(change.after) for change in fix.changes):
            assert forge.solvable(*changed), str(fix)
    # Each of them takes about as long as the refusal did, or less: the conflict's are parts of it.
    assert len(forge.solves) <= 10
    assert len(set(forge.solves)) == len(forge.solves), "the same question twice"
    assert 1 + len(f"{error.cause}\n{error.hint}".splitlines()) <= 15


def test_icu_is_what_gdal_and_boost_disagree_about(forge: Forge) -> None:
    error = forge.explained("libboost=1.82", "gdal=3.11", *OTHERS)
    assert "libboost 1.82.0 needs icu >=73.2,<74" in str(error.cause)
    assert "need icu >=75.1,<79" in str(error.cause)


def test_a_wide_conflict_is_told_in_one_line(forge: Forge) -> None:
    error = forge.explained("jupyterlab=3", "notebook=7", *OTHERS)
    assert error.explanation is not None
    assert error.explanation.reasons == (
        "notebook 7.0.3 to 7.6.1 need jupyterlab >=4.0.2,<5, not `jupyterlab=3`",
    )
    assert len(str(error.details).splitlines()) > 40


def test_names_that_are_misspelt(forge: Forge) -> None:
    error = forge.explained("sklearn", "nunpy", *OTHERS)
    assert "sklearn: did you mean `scikit-learn`" in str(error.hint)
    assert "nunpy: did you mean `numpy`" in str(error.hint)
    assert forge.solves == []
