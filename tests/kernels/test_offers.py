"""What environments offer as kernels, under the names that nb_conda_kernels gives."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kaa.kernels.command import kernelspec_content
from kaa.kernels.offers import KernelOptions, Offer, all_offers, kernel_id, listed, offers
from kaa.model.discovered import Discovered, Facts, InnerKernel, Maker
from kaa.store.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

R = InnerKernel("ir", "/x/share/jupyter/kernels/ir", "R", "R", ("R", "{connection_file}"))


def environment(
    name: str, maker: Maker = Maker.CONDA, prefix: str | None = None, **facts: object
) -> Discovered:
    known = {"python": "3.12.7", "own_ipykernel": True, **facts}
    return Discovered(prefix or f"/envs/{name}", maker, name, name, Facts(**known))  # type: ignore[arg-type]


def by_id(*environments: Discovered, **options: object) -> dict[str, Offer]:
    found = offers(environments, KernelOptions(**options))  # type: ignore[arg-type]
    return {offer.id: offer for offer in found}


@pytest.mark.parametrize(
    ("name", "kernel", "expected"),
    [
        ("demo", "python3", "conda-env-demo-py"),
        ("demo", "python2", "conda-env-demo-py"),
        ("demo", "ir", "conda-env-demo-r"),
        ("demo", "xcpp17", "conda-env-demo-xcpp17"),
        ("work (miniconda3)", "python3", "conda-env-work__miniconda3_-py"),
        ("blå", "python3", "conda-env-bla-py"),
    ],
)
def test_ids(name: str, kernel: str, expected: str) -> None:
    assert kernel_id(name, kernel) == expected


def test_the_metadata_that_notebooks_and_launchers_go_by() -> None:
    offer = by_id(environment("demo"))["conda-env-demo-py"]
    assert offer.display_name == "Python [conda env:demo]"
    assert offer.language == "python"
    assert {key: offer.metadata[key] for key in offer.metadata if key.startswith("conda_")} == {
        "conda_env_name": "demo",
        "conda_env_path": "/envs/demo",
        "conda_language": "Python",
        "conda_raw_kernel_name": "python3",
        "conda_is_base_environment": False,
        "conda_is_currently_running": False,
    }


def test_the_base_has_a_name_of_its_own() -> None:
    base = environment("base", prefix="/opt/conda")
    assert list(by_id(base)) == ["conda-base-py"]
    offer = by_id(base, base_name="root")["conda-root-py"]
    assert offer.metadata["conda_is_base_environment"] is True
    assert offer.metadata["conda_env_name"] == "root"


def test_several_kernels_of_one_environment() -> None:
    found = by_id(environment("stat", kernels=(R,)), environment("only", python=None, kernels=(R,)))
    assert {key: offer.language for key, offer in found.items()} == {
        "conda-env-stat-py": "python",
        "conda-env-stat-r": "R",
        "conda-env-only-r": "R",
    }


def test_what_is_left_out_and_what_comes_first() -> None:
    environments = [environment("a"), environment("b"), environment("c")]
    assert list(by_id(*environments, env_filter="/envs/[ab]$")) == ["conda-env-c-py"]
    assert list(by_id(*environments, hidden=frozenset({"a", "/envs/b"}))) == ["conda-env-c-py"]
    pinned = by_id(*environments, pinned=frozenset({"c"}))
    assert list(pinned) == ["conda-env-c-py", "conda-env-a-py", "conda-env-b-py"]
    with pytest.raises(re.error):
        by_id(*environments, env_filter="(")


def test_names_as_the_user_wants_them() -> None:
    form = "{environment}|{1}|{language}|{0}|{kernel}|{display_name}|{conda_kernel}"
    offer = by_id(environment("demo", kernels=(R,)), name_format=form)["conda-env-demo-r"]
    assert offer.display_name == "demo|demo|R|R|ir|R|conda-env-demo-r"
    named = by_id(environment("demo"), aliases={"/envs/demo": "The demo"})
    assert named["conda-env-demo-py"].display_name == "The demo"


def test_two_of_one_id_are_told_apart() -> None:
    found = by_id(environment("a b", prefix="/1"), environment("a_b", prefix="/2"))
    assert {key: offer.environment.prefix for key, offer in found.items()} == {
        "conda-env-a_b-py": "/1",
        "conda-env-a_b-py-2": "/2",
    }


def test_what_cannot_run_is_offered_with_the_reason() -> None:
    offer = by_id(environment("ill", problem="it is broken"))["conda-env-ill-py"]
    assert offer.reason == "it is broken"
    assert offer.display_name == "Python [conda env:ill] (cannot run)"
    assert offer.metadata["kaa"]["problem"] == "it is broken"


def test_settings_name_environments_by_path_label_or_name() -> None:
    one, two = environment("a", prefix="/1/a"), environment("b", prefix="/2/b")
    two = replace(two, label="b (two)")
    shown = by_id(one, two, aliases={"a": "First", "b (two)": "Second"}, icons={"b": "/logo.png"})
    assert [offer.display_name for offer in shown.values()] == ["First", "Second"]
    assert [offer.icon for offer in shown.values()] == [None, "/logo.png"]


def test_several_kernels_under_one_alias_are_told_apart() -> None:
    both = by_id(environment("stat", kernels=(R,)), aliases={"stat": "Statistics"})
    assert [each.display_name for each in both.values()] == ["Statistics", "Statistics (R)"]
    alone = by_id(environment("stat", python=None, kernels=(R,)), aliases={"stat": "Statistics"})
    assert [each.display_name for each in alone.values()] == ["Statistics"]


def test_what_is_left_out_says_why_and_changes_no_id() -> None:
    environments = [environment("a b", prefix="/1"), environment("a_b", prefix="/2")]
    everything = all_offers(environments, KernelOptions(hidden=frozenset({"/1"}), env_filter="/2"))
    assert [(each.id, each.left_out) for each in everything] == [
        ("conda-env-a_b-py", "hidden"),
        ("conda-env-a_b-py-2", "env-filter"),
    ]
    assert listed(everything) == ()


PYTHON3 = InnerKernel(
    *("python3", "/x/k/python3", "Python 3 (ipykernel)", "python", ("python", "-f")),
    metadata={"debugger": True, "mine": 1},
)
XCPP = InnerKernel(
    *("xcpp17", "/x/k/xcpp17", "C++17", "c++", ("xcpp",)),
    metadata={"debugger": False},
    interrupt_mode="message",
    env={"CPLUS": "1"},
)


def test_the_debugger_is_as_the_kernel_says_unless_it_is_set() -> None:
    """nb_conda_kernels: unset keeps the kernelspec's own word, else all say the same."""

    def said(**options: object) -> list[object]:
        kernels = (PYTHON3, R, XCPP)
        found = by_id(environment("demo", kernels=kernels), environment("lent"), **options)
        return [offer.metadata.get("debugger") for offer in found.values()]

    assert said() == [True, None, False, True]
    assert said(enable_debugger=False) == [False] * 4
    assert said(enable_debugger=True) == [True] * 4


def test_what_a_kernelspec_inside_says_is_kept(tmp_path: Path) -> None:
    offer = by_id(environment("demo", kernels=(PYTHON3,)))["conda-env-demo-py"]
    assert offer.metadata["mine"] == 1
    offer = by_id(environment("demo", kernels=(XCPP,)))["conda-env-demo-xcpp17"]
    content = kernelspec_content(offer, Layout(tmp_path))
    assert (content["interrupt_mode"], content["env"]) == ("message", {"CPLUS": "1"})


def test_a_python_of_another_kernel_is_called_python() -> None:
    """nb_conda_kernels cuts what a display name says after ``Python``."""
    xpython = InnerKernel("xpython", "/x", "Python 3.12 (XPython)", "python", ("x",))
    offer = by_id(environment("demo", kernels=(xpython,)))["conda-env-demo-xpython"]
    assert offer.display_name == "Python [conda env:demo]"
    form = "{0} {1} {conda_kernel} {display_name} {environment} {kernel} {language}"
    offer = by_id(environment("demo", kernels=(xpython,)), name_format=form)[offer.id]
    assert offer.display_name == (
        "Python demo conda-env-demo-xpython Python 3.12 (XPython) demo xpython Python"
    )


def test_several_bases_are_told_apart() -> None:
    one = environment("base", prefix="/opt/miniconda3")
    two = replace(environment("base", prefix="/opt/miniforge3"), label="base (miniforge3)")
    found = by_id(one, two, base_name="root")
    assert {key: offer.display_name for key, offer in found.items()} == {
        "conda-root-py": "Python [conda env:root]",
        "conda-root__miniforge3_-py": "Python [conda env:root (miniforge3)]",
    }
