"""Link scripts of conda packages: programs that packages bring for when they come and go.

``bin/.<name>-post-link.sh`` runs after its package was linked, ``bin/.<name>-pre-unlink.sh``
before it goes or becomes another one (Windows: ``Scripts\\.<name>-....bat``). conda's ``pre-link``
and ``post-unlink`` are out of use. They get the variables that conda gives them, in an activated
environment, and run in a tree of their own (:mod:`kaa.transaction.workshop`), in which an old
package's own files are not there any more.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from enum import Enum
from typing import IO, TYPE_CHECKING

from kaa.environments.activation import WINDOWS, activated
from kaa.model.errors import LinkScriptError
from kaa.model.progress import Phase
from kaa.sources.programs import run_stoppable
from kaa.transaction.copying import relocation
from kaa.transaction.stage import link_packages, staging_directory
from kaa.transaction.workshop import Brought, add_unowned, bring_changes, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.environments.prefix import Prefix
    from kaa.model.progress import Progress
    from kaa.sources.programs import Programs
    from kaa.store.layout import Layout

_log = logging.getLogger(__name__)
_MESSAGES = ".messages.txt"
"""Where below the prefix a script leaves what the user is to read."""
_LAST_LINES = 10
_WITH_ACTIVATION = """
for each in "$PREFIX"/etc/conda/activate.d/*.sh; do
    if [ -f "$each" ]; then . "$each"; fi
done
exec "$BASH" "$1"
"""


class Kind(Enum):
    """When a script runs; the value is what its file is called by."""

    POST_LINK = "post-link"
    PRE_UNLINK = "pre-unlink"


@dataclass(frozen=True, slots=True)
class Script:
    """A script of one package; ``source`` is the file, ``path`` where it belongs in a prefix."""

    kind: Kind
    package: str
    version: str
    build_number: int
    path: str
    source: Path

    def __str__(self) -> str:
        return f"{self.kind.value} of {self.package}"


def find_scripts(
    kind: Kind,
    records: Iterable[RepoDataRecord],
    tree: Callable[[RepoDataRecord], Path],
    windows: bool = WINDOWS,
) -> tuple[Script, ...]:
    """Return the scripts of one kind that packages have, in the order in which they run.

    ``tree`` says where the files of a package are. What others depend on comes before them when
    it is linked, and after them when it goes, as conda has it.
    """
    found = []
    for record in records:
        name = record.name.normalized
        path = f"Scripts/.{name}-{kind.value}.bat" if windows else f"bin/.{name}-{kind.value}.sh"
        source = tree(record) / path
        if source.is_file():
            found.append((record, path, source))
    if len(found) > 1:
        import rattler

        order = rattler.PackageRecord.sort_topologically([record for record, _, _ in found])
        names = [record.name.normalized for record in order]
        found.sort(key=lambda each: names.index(each[0].name.normalized))
        if kind is Kind.PRE_UNLINK:
            found.reverse()
    return tuple(
        Script(kind, record.name.normalized, str(record.version), record.build_number, path, source)
        for record, path, source in found
    )


async def run_scripts(
    scripts: Sequence[Script],
    records: Sequence[RepoDataRecord],
    staging: Path,
    prefix: Prefix,
    layout: Layout,
    progress: Progress,
) -> list[str]:
    """Run ``scripts`` one after the other for the generation in ``staging``, which is complete.

    ``records`` are all of its packages. Returns what the user is to know, a sentence or text
    each: what scripts have said, and what they have made that will not work. When one fails
    nothing has changed in ``staging`` but files that no package owns, and it is to be thrown
    away. Cancelling ends the script that runs, with all that it has started; there is no limit of
    time, for some download a lot. Raises :class:`LinkScriptError` and the errors of the disk.
    """
    with staging_directory(prefix, layout) as workshop:
        await link_packages(records, (), workshop, prefix, layout, progress, apart=True)
        progress.expect(Phase.SCRIPTS, len(scripts))

        def work(programs: Programs) -> tuple[list[str], Brought]:
            add_unowned(staging, workshop)
            before = snapshot(workshop)
            notes = []
            for script in scripts:
                progress.advance(Phase.SCRIPTS, 0, str(script))
                notes += _run(script, workshop, prefix, layout, programs)
                progress.advance(Phase.SCRIPTS, 1)
            return notes, bring_changes(workshop, before, staging, prefix.path)

        notes, brought = await run_stoppable(work)
        progress.finish(Phase.SCRIPTS)
    _log.info("link scripts wrote %s and removed %s", brought.written, brought.removed)
    if brought.stuck:
        notes.append(
            "link scripts have made files that name the directory in which the scripts ran, which "
            f"is gone now: {', '.join(brought.stuck)}"
        )
    return notes


def _run(
    script: Script, workshop: Path, prefix: Prefix, layout: Layout, programs: Programs
) -> list[str]:
    """Run one script in the tree and return what it left for the user to read."""
    variables = _variables(script, workshop, layout)
    with tempfile.TemporaryFile() as output:
        try:
            with _in_place(script, workshop, prefix) as file:
                programs.run(
                    _command(script, file, variables),
                    directory=file.parent,
                    environment=variables,
                    output=output,
                )
        except subprocess.CalledProcessError as error:
            raise _failed(script, error.returncode, _said(output)) from error
        except OSError as error:
            raise _failed(script, None, error.strerror or str(error)) from error
        said = _said(output)
    if said:
        _log.info("%s said:\n%s", script, said)
    messages = workshop / _MESSAGES
    try:
        text = messages.read_text("utf-8", "replace").strip()
        messages.unlink()
    except OSError:
        return []
    text = text.replace(str(workshop), str(prefix.path))
    return [f"{script.package}: {text}"] if text else []


def _variables(script: Script, workshop: Path, layout: Layout) -> dict[str, str]:
    return {
        **activated(workshop, workshop, os.environ),
        "PREFIX": str(workshop),
        "ROOT_PREFIX": str(layout.root),
        "PKG_NAME": script.package,
        "PKG_VERSION": script.version,
        "PKG_BUILDNUM": str(script.build_number),
        "PYTHONDONTWRITEBYTECODE": "1",  # it would name a directory that is about to go
    }


@contextlib.contextmanager
def _in_place(script: Script, workshop: Path, prefix: Prefix) -> Iterator[Path]:
    """Give the path of a script in the tree; that of an old package is there for the moment."""
    file = workshop / script.path
    if script.kind is Kind.POST_LINK:
        yield file
        return
    # The new package may have one of the same name.
    file = file.with_name(f".kaa-{file.name.lstrip('.')}")
    made = not file.parent.is_dir()
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(relocation([prefix.path], workshop)(script.source.read_bytes()))
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
        if made:
            with contextlib.suppress(OSError):
                file.parent.rmdir()


def _command(script: Script, file: Path, variables: Mapping[str, str]) -> list[str]:
    if WINDOWS:
        return [variables.get("COMSPEC", "cmd.exe"), "/d", "/c", str(file)]
    bash = shutil.which("bash", path=variables["PATH"])
    if bash is None:
        return ["/bin/sh", str(file)]
    if script.kind is Kind.PRE_UNLINK:  # conda activates for what is new only
        return [bash, str(file)]
    return [bash, "-c", _WITH_ACTIVATION, "bash", str(file)]


def _said(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode("utf-8", "replace").strip()


def _failed(script: Script, code: int | None, said: str) -> LinkScriptError:
    how = "could not be started" if code is None else f"failed with exit code {code}"
    if code is not None and code < 0:
        how = f"was ended by signal {-code}"
    lines = said.splitlines()[-_LAST_LINES:]
    return LinkScriptError(
        f"the {script.kind.value} script of {script.package} {script.version} {how}; "
        "nothing was changed",
        cause="\n".join(lines) or "it said nothing",
        hint=f"read what it does: {script.source}\n"
        "without --allow-link-scripts it does not run, and its package may work all the same",
    )
