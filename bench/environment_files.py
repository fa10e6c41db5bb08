"""Do real environment files solve? Each file of ../shared/data, against real records.

    python bench/environment_files.py [--loosen] [--priority flexible] [--json FILE] [NAME...]

Every channel that a file names is the same subset of conda-forge (records only, from
../shared/data), and its ``pip:`` section is asked of the package index that pip's settings name.
Nothing is installed. A refusal is printed with its reason, so that it can be checked by hand;
many are right, because the records are a subset: a version that is not among them is not there.
``--loosen`` takes the pins of python (3.7 becomes 3.8) and pip away, of which the subset has only
a few versions, so that the rest of the file is tried.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.model.errors import KaaError
from kaa.model.options import SolveOptions
from kaa.model.package import PYPI, source_of_channel
from kaa.model.progress import Silent
from kaa.model.source import Kind, Source
from kaa.solver.solve import solve
from kaa.solver.specs import parse_spec
from kaa.sources.virtual_packages import assumed
from kaa.store.layout import default_layout
from kaa.workflows.from_file import request_from_file
from kaa.workflows.options import question
from kaa.workflows.supply import open_supply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.solver.specs import Spec
    from kaa.workflows.file_request import FileRequest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PLATFORM = "linux-64"
PATIENCE = 180.0
"""Seconds after which a file counts as without an answer."""


@dataclass(frozen=True)
class Choice:
    """How the files are tried, see the options."""

    loosen: bool
    priority: str


@dataclass(frozen=True)
class Outcome:
    """What came of a file: ``result`` is ``solves`` or the class of the error."""

    file: str
    result: str
    conda: int = 0
    pypi: int = 0
    seconds: float = 0.0
    message: str = ""
    cause: str = ""
    hint: str = ""


class Channels:
    """Channels of any name, each a directory of links to the one subset of conda-forge."""

    def __init__(self, directory: Path) -> None:
        import zstandard

        self._directory = directory
        self._plain = directory / "records"
        self._plain.mkdir()
        for subdir in (PLATFORM, "noarch"):
            packed = DATA / "repodata" / "conda-forge-harvest" / subdir / "repodata.json.zst"
            (self._plain / subdir).mkdir()
            with (
                packed.open("rb") as source,
                (self._plain / subdir / "repodata.json").open("wb") as to,
            ):
                zstandard.ZstdDecompressor().copy_stream(source, to)

    def source(self, name: str) -> Source:
        """Return the channel of this name, which may be a URL."""
        if name == PYPI:
            return Source(PYPI, Kind.PYPI)
        short = name.rstrip("/").rpartition("/")[2]
        place = self._directory / "channels" / short
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            place.symlink_to(self._plain, target_is_directory=True)
        return Source(short, Kind.CONDA, (f"{place.as_uri()}/",))


def loosened(spec: Spec) -> Spec:
    """Return a spec of python or pip that the subset has something for; others as they are."""
    if spec.name == "pip" and spec.source != PYPI:
        return parse_spec("pip", origin=spec.origin)
    if spec.name == "python" and spec.text.startswith("python=3."):
        minor = max(8, int(spec.text.split(".")[1]))
        return parse_spec(f"python=3.{minor}", origin=spec.origin)
    return spec


async def outcome_of(path: Path, channels: Channels, choice: Choice) -> Outcome:
    began = time.monotonic()
    try:
        environ = {**os.environ, "CONDA_TOKEN": "x", "OTHER_KEY": "x"}
        request = request_from_file(path, PLATFORM, environ, ("conda-forge", PYPI))
        conda, pypi = await asyncio.wait_for(answer(request, channels, choice), PATIENCE)
    except (KaaError, asyncio.TimeoutError) as error:
        said = (getattr(error, name, None) or "" for name in ("message", "cause", "hint"))
        seconds = time.monotonic() - began
        return Outcome(path.name, type(error).__name__, 0, 0, seconds, *said)
    return Outcome(path.name, "solves", conda, pypi, time.monotonic() - began)


async def answer(request: FileRequest, channels: Channels, choice: Choice) -> tuple[int, int]:
    """Return how many conda packages and how many PyPI packages the answer has."""
    sources = tuple(channels.source(name) for name in request.sources)
    layout = default_layout()
    options = SolveOptions(
        priority=choice.priority,
        platform=PLATFORM,
        overrides=tuple(f"{name}={value}" for name, value in assumed(PLATFORM).items()),
        indexes=(*filter(None, [request.index_url]), *request.extra_index_urls),
        find_links=request.find_links,
    )
    async with open_supply(layout, options, Silent()) as supply:
        specs = tuple(map(loosened, request.specs)) if choice.loosen else request.specs
        asked = question(options, specs, sources, pins=request.constraints)
        solution = await solve(asked, supply.catalog)
    pypi = sum(source_of_channel(record.channel or "") == PYPI for record in solution.records)
    return len(solution.records) - pypi, pypi


def show(outcome: Outcome) -> None:
    name = outcome.file.removeprefix("Azure__azureml-examples__")
    print(f"{name}\n    {outcome.seconds:5.1f} s  ", end="")
    if outcome.result == "solves":
        print(f"solves: {outcome.conda} conda, {outcome.pypi} PyPI", flush=True)
        return
    print(f"{outcome.result}: {outcome.message}")
    for word in (outcome.cause, outcome.hint):
        for line in word.splitlines():
            print(f"        {line}")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="only files with one of these in their names")
    parser.add_argument("--json", type=Path, help="write the outcomes there, too")
    parser.add_argument("--loosen", action="store_true", help="take python's and pip's pins away")
    parser.add_argument("--priority", default="strict", help="the channel priority")
    chosen = parser.parse_args(arguments)
    choice = Choice(chosen.loosen, chosen.priority)
    files = sorted((DATA / "environments" / "environment-yml").iterdir())
    files = [f for f in files if not chosen.names or any(name in f.name for name in chosen.names)]
    outcomes = []
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kaa-files-")))
        os.environ.setdefault("KAA_ROOT", str(work / "root"))
        channels = Channels(work)
        for path in files:
            outcomes.append(asyncio.run(outcome_of(path, channels, choice)))
            show(outcomes[-1])
    solved = sum(outcome.result == "solves" for outcome in outcomes)
    print(f"{solved} of {len(outcomes)} solve")
    if chosen.json:
        text = json.dumps([asdict(outcome) for outcome in outcomes], indent=1)
        chosen.json.write_text(text, encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # see docs/architecture.md on rattler's threads at exit


if __name__ == "__main__":
    main()
