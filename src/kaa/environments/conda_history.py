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

from kaa.model.package import source_of_channel
from kaa.store.disk import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping

HISTORY = Path("conda-meta", "history")
_SPECS = re.compile(r"^# (?P<action>update|install|create|remove|uninstall) specs: (?P<specs>.*)$")


@dataclass(frozen=True, slots=True)
class State:
    """What an environment had and was asked for: records as JSON, and specs as typed."""

    records: tuple[Mapping[str, Any], ...] = ()
    specs: tuple[str, ...] = ()


def append_history(
    generation: Path, command: str, moment: str, before: State, after: State
) -> None:
    """Add a change to the history in ``generation``: the command, what went, came and was asked.

    ``moment`` is in UTC (ISO 8601). Raises ``OSError``.
    """
    old, new = set(map(dist_name, before.records)), set(map(dist_name, after.records))
    lines = [f"==> {moment.replace('T', ' ')[:19]} <==", f"# cmd: {command}"]
    lines += [f"-{name}" for name in sorted(old - new)]
    lines += [f"+{name}" for name in sorted(new - old)]
    for action, specs in (
        ("remove", [spec for spec in before.specs if spec not in after.specs]),
        ("update", [spec for spec in after.specs if spec not in before.specs]),
    ):
        if specs:
            lines.append(f"# {action} specs: {specs!r}")
    file = generation / HISTORY
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        text = ""
    # One that conda made may be shared with the package cache or with another generation.
    replace_file(file, "\n".join([text + lines[0], *lines[1:], ""]).encode(errors="replace"))


def dist_name(record: Mapping[str, Any]) -> str:
    """Return how conda's history names a package: ``channel/subdir::name-version-build``."""
    channel = source_of_channel(str(record.get("channel") or "unknown"))
    name = "-".join(str(record.get(key, "")) for key in ("name", "version", "build"))
    return f"{channel}/{record.get('subdir') or 'noarch'}::{name}"


def asked_in_history(prefix: Path) -> tuple[str, ...]:
    """Return the specs that conda's history says were asked for and not removed since.

    Empty where there is no history, or none that can be read.
    """
    try:
        text = (prefix / HISTORY).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    asked: dict[str, str] = {}
    for line in text.splitlines():
        match = _SPECS.match(line)
        if match is None:
            continue
        for spec in _specs(match["specs"]):
            name = re.split(r"[\s\[=<>!~]", spec.rpartition("::")[2].strip(), maxsplit=1)[0].lower()
            asked.pop(name, None)
            if match["action"] not in {"remove", "uninstall"}:
                asked[name] = spec
    return tuple(asked.values())


def _specs(text: str) -> list[str]:
    """Return the specs of a line: a list as Python writes it, or separated by commas."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        found = text.strip("[]").split(",")
    return [str(spec).strip() for spec in found] if isinstance(found, list | tuple) else []
