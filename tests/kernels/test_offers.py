"""What environments offer as kernels, under the names that nb_conda_kernels gives."""

from __future__ import annotations

import re

import pytest

from kaa.kernels.offers import KernelOptions, Offer, kernel_id, offers
from kaa.model.discovered import Discovered, Facts, InnerKernel, Maker

R = InnerKernel("ir", "/x/share/jupyter/kernels/ir", "R", "r", ("R", "{connection_file}"))


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
        "conda-env-stat-r": "r",
        "conda-env-only-r": "r",
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
