"""environment.yml written: what :mod:`kaa.formats.environment_yml` reads back with one meaning.

A file that is there already is changed rather than replaced: its comments, its order and its way
of writing things stay wherever they still hold.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from kaa.formats.environment_yml import NO_DEFAULTS, read_environment_yml
from kaa.formats.rendered import Rendered
from kaa.formats.requirements_txt import requirement_text
from kaa.formats.yaml_scalar import yaml_scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kaa.formats.environment_file import EnvironmentFile


def render_environment_yml(file: EnvironmentFile, previous: str | None = None) -> Rendered:
    """Return the content of an environment.yml; ``previous`` is what the file says now.

    :raises RequestError: ``previous`` is no environment.yml.
    """
    lost = tuple(
        f"{each.name} is set on {each.selector} only, which environment.yml cannot say"
        for each in file.selected_variables
    )
    if previous is not None and previous.strip():
        return Rendered(_changed(previous, file), lost)
    return Rendered("".join(f"{line}\n" for line in _lines(file)), lost)


def _lines(file: EnvironmentFile) -> Iterator[str]:
    if file.name is not None:
        yield f"name: {yaml_scalar(file.name)}"
    yield from _list("channels", _channels(file))
    yield from _list("platforms", file.platforms)
    if file.category is not None:
        yield f"category: {yaml_scalar(file.category)}"
    yield "dependencies:" if file.dependencies or file.requirements else "dependencies: []"
    for each in file.dependencies:
        yield f"  - {yaml_scalar(each.text)}{_comment(each.selector)}"
    if file.requirements:
        yield "  - pip:"
        for line in file.requirements:
            yield f"    - {yaml_scalar(requirement_text(line))}{_comment(line.selector)}"
    if file.variables:
        yield "variables:"
        for name, value in file.variables:
            yield f"  {yaml_scalar(name)}: {_quoted(value)}"
    if file.prefix is not None:
        yield f"prefix: {yaml_scalar(file.prefix)}"


def _channels(file: EnvironmentFile) -> tuple[str, ...]:
    return (*file.channels, *([NO_DEFAULTS] if file.only_these_channels else []))


def _list(key: str, texts: Sequence[str]) -> Iterator[str]:
    if texts:
        yield f"{key}:"
        for text in texts:
            yield f"  - {yaml_scalar(text)}"


def _comment(selector: str | None) -> str:
    return f"  # [{selector}]" if selector else ""


def _quoted(value: str) -> str:
    """Return a variable's value, in quotes: to conda a plain ``1`` would be a number."""
    written = yaml_scalar(value)
    return written if written.startswith(("'", '"')) else f"'{value}'"


def _changed(previous: str, file: EnvironmentFile) -> str:
    """Return the text of a file with what has another meaning now written anew."""
    from ruamel.yaml import YAML

    before = read_environment_yml(previous)
    if before.meaning() == file.meaning():
        return previous
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    # lists keep the indentation that they have, which the library has to be told
    yaml.indent(
        mapping=2, sequence=4 if "\n  -" in previous else 2, offset=2 * ("\n  -" in previous)
    )
    content: Any = yaml.load(previous)
    for key, value in (("name", file.name), ("prefix", file.prefix), ("category", file.category)):
        if getattr(before, key) != value:
            _set(content, key, value)
    if _channels(before) != _channels(file):
        _set(content, "channels", list(_channels(file)) or None)
    if before.platforms != file.platforms:
        _set(content, "platforms", list(file.platforms) or None)
    if dict(before.variables) != dict(file.variables):
        _change_variables(content, dict(file.variables))
    wanted = [each.text for each in file.dependencies]
    lines = [requirement_text(each) for each in file.requirements]
    _change_items(content, wanted, lines)
    buffer = io.StringIO()
    yaml.dump(content, buffer)
    text = buffer.getvalue()
    again = read_environment_yml(text)
    if again.meaning() != file.meaning():  # selectors, merge keys: what cannot be changed in place
        return "".join(f"{line}\n" for line in _lines(file))
    return text


def _set(content: Any, key: str, value: object) -> None:
    if value is None:
        content.pop(key, None)
    else:
        content[key] = value


def _change_variables(content: Any, variables: dict[str, str]) -> None:
    section = content.get("variables")
    if not section:
        _set(content, "variables", variables or None)
        return
    for name in [name for name in section if str(name) not in variables]:
        del section[name]
    for name, value in variables.items():
        if str(section.get(name)) != value:
            section[name] = value
    if not section:
        del content["variables"]


def _change_items(content: Any, wanted: list[str], lines: list[str]) -> None:
    """Take away what is not wanted any more, and put what is new behind what stays."""
    section = content.setdefault("dependencies", [])
    if section is None:
        section = content["dependencies"] = []
    pip = next((each["pip"] for each in section if isinstance(each, dict) and "pip" in each), None)
    _change_list(section, wanted)
    if pip is not None:
        _change_list(pip, lines)
        if not pip:
            section.remove(next(each for each in section if isinstance(each, dict)))
    elif lines:
        section.append({"pip": lines})


def _change_list(section: Any, wanted: list[str]) -> None:
    there = [str(each).strip() for each in section if not isinstance(each, dict)]
    for number in reversed(range(len(section))):
        each = section[number]
        if not isinstance(each, dict) and str(each).strip() not in wanted:
            del section[number]
    place = next((n for n, each in enumerate(section) if isinstance(each, dict)), len(section))
    for text in wanted:
        if text not in there:
            section.insert(place, text)
            place += 1
