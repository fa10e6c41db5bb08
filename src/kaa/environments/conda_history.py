"""conda's own history of an environment: ``conda-meta/history``.

conda takes a directory for an environment by this file, and reads from it what was asked for
(``conda list --revisions``, ``conda env export --from-history``).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.environments.heads import read_heads
from kaa.model.package import source_of_channel
from kaa.store.disk import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping

HISTORY = Path("conda-meta", "history")
_SPECS = re.compile(
    r"#\s*(?P<action>update|install|create|neutered|remove|uninstall)\s+specs:\s*(?P<specs>.*)"
)
_REMOVING = frozenset({"remove", "uninstall"})
_REQUIREMENT = re.compile(
    r"(?:pypi::)?(?P<name>[\w.-]+)\s*(?:\[[\w.,\s-]*\])?(?P<rest>[^\[]*)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class State:
    """What an environment had and was asked for: records as JSON, and specs as typed."""

    records: tuple[Mapping[str, Any], ...] = ()
    specs: tuple[str, ...] = ()


def append_history(
    generation: Path, command: str, moment: str, before: State, after: State
) -> None:
    """Add a change to the history in ``generation``: the command, what went, came and was asked.

    ``moment`` is in UTC (ISO 8601). An environment without a history has had nothing, whatever
    ``before`` is. Raises ``OSError``.
    """
    file = generation / HISTORY
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        text = ""
    if not text:
        before = State()
    elif not text.endswith("\n"):
        text += "\n"
    old, new = set(map(dist_name, before.records)), set(map(dist_name, after.records))
    # A line each: conda would take a line of a command for a package.
    lines = [f"==> {moment.replace('T', ' ')[:19]} <==", f"# cmd: {' '.join(command.split())}"]
    lines += [f"-{name}" for name in sorted(old - new)]
    lines += [f"+{name}" for name in sorted(new - old)]
    for action, specs in (
        ("remove", [spec for spec in before.specs if spec not in after.specs]),
        ("update", [spec for spec in after.specs if spec not in before.specs]),
    ):
        if specs:
            lines.append(f"# {action} specs: {list(map(_as_conda_reads, specs))!r}")
    # One that conda made may be shared with the package cache or with another generation.
    replace_file(
        file, "\n".join([text + lines[0], *lines[1:], ""]).encode("utf-8", "surrogateescape")
    )


def dist_name(record: Mapping[str, Any]) -> str:
    """Return how conda's history names a package: ``channel/subdir::name-version-build``."""
    channel = source_of_channel(str(record.get("channel") or "unknown"))
    name = "-".join(str(record.get(key, "")) for key in ("name", "version", "build"))
    return f"{channel}/{record.get('subdir') or 'noarch'}::{name}"


def asked_in_history(prefix: Path) -> tuple[str, ...]:
    """Return the specs that conda's history says were asked for and not removed since.

    Read as conda does: in one change what was removed goes before what came, and packages that are
    not there any more do not count. Empty where there is no history, or none that can be read.
    """
    try:
        text = (prefix / HISTORY).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    asked: dict[str, str] = {}
    for change in text.split("==>"):
        lines = [match for line in change.splitlines() if (match := _SPECS.match(line.strip()))]
        gone = [match for match in lines if match["action"] in _REMOVING]
        for match in gone:
            for spec in _specs(match["specs"]):
                asked.pop(_name(spec), None)
        for match in lines:
            if match not in gone:
                asked.update({_name(spec): spec for spec in _specs(match["specs"])})
    there = {str(record.get("name")) for record in read_heads(prefix)}
    return tuple(spec for name, spec in asked.items() if name in there)


def _name(spec: str) -> str:
    return re.split(r"[\s\[=<>!~]", spec.rpartition("::")[2].strip(), maxsplit=1)[0].lower()


def _as_conda_reads(spec: str) -> str:
    """Return a spec without what conda does not know: extras, and the URL of a requirement."""
    match = _REQUIREMENT.fullmatch(spec)
    if match is None:
        return spec
    version = "" if match["rest"].lstrip().startswith("@") else match["rest"]
    return f"{match['name']}{version}"


def _specs(text: str) -> list[str]:
    """Return the specs of a line: a list as Python writes it, or separated by commas."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        found = text.strip("[]").split(",")
    specs = [str(spec).strip() for spec in found] if isinstance(found, list | tuple) else []
    return [spec for spec in specs if spec and not spec.endswith("@")]  # which are features
