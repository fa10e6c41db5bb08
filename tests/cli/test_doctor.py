"""``kaa doctor`` on a real environment, sound and ill."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.answer import PYTHON
from wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.answer import Answer
    from local_index import LocalIndex


def checks(answer: Answer) -> dict[str, dict[str, Any]]:
    return {each["question"]: each for each in answer.json["checks"]}


def test_a_new_environment_is_sound(demo: Answer, kaa_process: Callable[..., Answer]) -> None:
    answer = kaa_process("doctor", "-n", "demo", "--json")
    assert answer.code == 0, answer.out + answer.err
    assert answer.json["healthy"]
    assert {each["state"] for each in checks(answer).values()} == {"sound"}
    text = kaa_process("doctor", "-n", "demo").out
    assert text.startswith("demo at ") and "every package has what it needs" in text


def test_what_is_ill_is_named_with_what_mends_it(
    demo: Answer, index: LocalIndex, kaa_process: Callable[..., Answer], tmp_path: Path
) -> None:
    prefix = Path(os.environ["KAA_ROOT"]) / "envs" / "demo"
    assert kaa_process("remove", "-n", "demo", "fur", "--force", "-y").code == 0
    (prefix / "conda-meta" / "pinned").write_text("numpy ==\n")
    next(prefix.glob("lib/python*/site-packages/bear/__init__.py")).unlink()
    answer = kaa_process("doctor", "-n", "demo", "--json")
    assert answer.code == 1
    ill = {name: each for name, each in checks(answer).items() if each["state"] == "ill"}
    assert set(ill) == {"files", "dependencies", "pins"}
    assert ill["dependencies"]["details"] == ["bear needs fur, which is not there"]
    assert "missing" in ill["files"]["details"][0] and "bear" in ill["files"]["details"][0]
    assert ill["files"]["hint"].startswith("kaa repair -p ")
    text = kaa_process("doctor", "-n", "demo").out
    assert "to mend it: kaa repair" in text


def test_a_version_that_is_not_accepted_is_ill(
    index: LocalIndex, kaa_process: Callable[..., Answer], tmp_path: Path
) -> None:
    index.add(build_wheel(tmp_path, "den", requires=["fur>=2"]))
    index.add(build_wheel(tmp_path, "fur", "2.0"))
    assert kaa_process("create", "-n", "demo", PYTHON, "den", "-y").code == 0
    root = Path(os.environ["KAA_ROOT"]) / "envs" / "demo" / "conda-meta"
    record = next(root.glob("fur-*.json"))
    record.write_text(record.read_text().replace('"version": "2.0"', '"version": "1.0"'))
    found = checks(kaa_process("doctor", "-n", "demo", "--json"))["dependencies"]
    assert found["state"] == "ill" and "1.0 is there" in found["details"][0]
