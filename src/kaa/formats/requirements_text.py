"""requirements.txt written: pip's part of what is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.formats.rendered import Rendered
from kaa.formats.requirements_txt import requirement_text

if TYPE_CHECKING:
    from kaa.formats.environment_file import EnvironmentFile


def render_requirements(file: EnvironmentFile) -> Rendered:
    """Return the content of a requirements file; conda packages and variables are not in it."""
    lost = []
    conda = [each.text for each in file.dependencies]
    if conda:
        lost.append(f"requirements.txt has no conda packages: {', '.join(conda)}")
    if file.variables or file.selected_variables:
        lost.append("requirements.txt has no variables")
    selected = [line for line in file.requirements if line.selector]
    if selected:
        lost.append(
            f"{', '.join(line.value for line in selected)}: it is on all platforms there, "
            "because pip knows no such selectors"
        )
    lines = [requirement_text(line) for line in file.requirements]
    return Rendered("".join(f"{line}\n" for line in lines), tuple(lost))
