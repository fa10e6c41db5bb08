"""Everyday command lines of conda and mamba, and what kaa does with them.

They are those of conda's cheat sheet and "Getting started", "Managing environments", "Managing
packages" and "Using the .condarc", and of mamba's user guide. ``tests/end_to_end/test_everyday.py``
types them one after the other, with ``conda`` replaced by ``kaa``, and checks exit code, effect and
JSON fields; ``python docs/everyday_commands.py`` writes ``docs/compatibility.md``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One command line, as documented, with this table's packages in it.

    ``typed`` is everything after ``conda`` (or ``mamba``); ``says`` is what has to be in the
    output; ``fields`` are keys of the JSON answer; ``code`` is conda's exit code, and kaa's unless
    ``ours`` is given; ``differs`` says how kaa's effect or answer is another one, and why. ``env``
    are the packages, as ``name=version``, that the environment ``demo`` has afterwards, where the
    line is to change it.
    """

    typed: str
    says: str = ""
    fields: tuple[str, ...] = ()
    code: int = 0
    ours: int | None = None
    differs: str = ""
    env: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """Lines about one thing."""

    title: str
    lines: tuple[Line, ...]


_LIST_FIELDS = (
    "base_url",
    "build_number",
    "build_string",
    "channel",
    "dist_name",
    "name",
    "platform",
    "version",
)

CHAPTERS = (
    Chapter(
        "Environments",
        (
            Line("create --name demo bear=1.0 --yes", env=("bear=1.0", "fur=1.0")),
            Line(
                "create --name demo bear --yes",
                code=0,
                ours=3,
                differs="conda asks whether to overwrite, and with `--yes` removes what was there; "
                "kaa refuses, and says what to type",
            ),
            Line("env list", says="demo"),
            Line("env list --json", fields=("envs",)),
            Line("info --envs", says="demo"),
            Line("info --envs --json", fields=("envs",)),
            Line("create --name copy --clone demo --yes", says="copy"),
            Line("create --prefix ./envs/here bear --yes", says="here"),
            Line("rename --name copy moved --yes", says="moved"),
            Line("run --name demo sh -c 'echo $CONDA_DEFAULT_ENV'", says="demo"),
            Line("run --name demo --no-capture-output sh -c 'exit 3'", code=3),
            Line("remove --name moved --all --yes", says="moved"),
            Line("env remove --prefix ./envs/here --yes"),
            Line(
                "env remove --name nothing --yes",
                code=1,
                ours=3,
                differs="exit codes tell kinds of errors apart",
            ),
        ),
    ),
    Chapter(
        "Packages",
        (
            Line("list --name demo", says="bear"),
            Line("list --name demo --json", fields=_LIST_FIELDS),
            Line("list --name demo ^be", says="bear"),
            Line("list --name demo --explicit", says="@EXPLICIT"),
            Line(
                "list --name demo --explicit --md5",
                says="@EXPLICIT",
                differs="each URL has its sha256, which conda reads as well",
            ),
            Line("list --name demo --export", says="bear=1.0="),
            Line("search bear", says="2.0"),
            Line("search 'bear>=2'", says="2.0"),
            Line("search bear --info", says="SHA256"),
            Line(
                "search bear --json",
                fields=("bear",),
                differs="beside conda's records by name, the object has kaa's own fields",
            ),
            Line(
                "search nothing-of-this-name",
                code=1,
                ours=4,
                differs="exit codes tell kinds of errors apart",
            ),
            Line("install --name demo lair --yes", env=("bear=1.0", "fur=1.0", "lair=1.0")),
            Line(
                "install --name demo lair --dry-run --json",
                fields=("success", "prefix"),
                differs="it says in `plan` why each package moves, too",
            ),
            Line("install --name demo bear=2.0 --yes", env=("bear=2.0", "fur=1.0", "lair=1.0")),
            Line(
                "install --name demo --freeze-installed den --yes",
                env=("bear=2.0", "den=1.0", "fur=1.0", "lair=1.0"),
            ),
            Line(
                "install --name demo --no-deps hide --yes",
                env=("bear=2.0", "den=1.0", "fur=1.0", "hide=1.0", "lair=1.0"),
            ),
            Line("remove --name demo hide den --yes", env=("bear=2.0", "fur=1.0", "lair=1.0")),
            Line("update --name demo fur --yes", env=("bear=2.0", "fur=1.5", "lair=1.0")),
            Line("update --name demo --all --yes", env=("bear=2.0", "fur=1.5", "lair=1.0")),
            Line("uninstall --name demo lair --yes", env=("bear=2.0", "fur=1.5")),
            Line("install --name demo --download-only lair --yes", env=("bear=2.0", "fur=1.5")),
            Line(
                "install --name demo nothing-of-this-name --yes",
                code=1,
                ours=4,
                differs="exit codes tell kinds of errors apart",
            ),
            Line("list --name demo --revisions", says="install"),
            Line(
                "install --name demo --revision 1 --yes",
                env=("bear=1.0", "fur=1.0"),
                differs="packages of PyPI go back, too, and it is a matter of a moment",
            ),
        ),
    ),
    Chapter(
        "Files",
        (
            Line("env export --name demo", says="dependencies:"),
            Line("env export --name demo --from-history", says="bear"),
            Line("env export --name demo --no-builds", says="bear=1.0"),
            Line("env export --name demo --json", fields=("name", "channels", "dependencies")),
            Line("env export --name demo --file environment.yml"),
            Line("export --name demo --format explicit --file explicit.txt"),
            Line("env create --name again --file environment.yml --yes", says="again"),
            Line("create --name exact --file explicit.txt --yes", says="exact"),
            Line("compare --name demo environment.yml"),
            Line(
                "env update --name demo --file wanted.yml --yes",
                env=("bear=1.0", "fur=1.0", "lair=1.0"),
            ),
            Line(
                "env update --name demo --file environment.yml --prune --yes",
                env=("bear=1.0", "fur=1.0"),
            ),
            Line("compare --name demo wanted.yml", code=1),
            Line(
                "create --dry-run --name never --file environment.yml --json",
                fields=("success", "prefix", "actions", "dry_run"),
            ),
        ),
    ),
    Chapter(
        "Settings",
        (
            Line("config --show", says="channels"),
            Line("config --show --json", fields=("channels", "channel_priority", "always_yes")),
            Line("config --show-sources", says="channels"),
            Line("config --add channels bioconda"),
            Line("config --append channels other"),
            Line("config --get channels", says="bioconda"),
            Line("config --get --json", fields=("get",)),
            Line("config --remove channels bioconda"),
            Line("config --remove channels other"),
            Line("config --set channel_priority strict"),
            Line(
                "config --set show_channel_urls true",
                ours=2,
                differs="`-v` shows URLs; kaa has "
                "no such setting, and says so instead of writing what nobody reads",
            ),
            Line("config --remove-key channel_priority"),
            Line("config --describe channels", says="channels"),
            Line("env config vars set --name demo HONEY=sweet"),
            Line("env config vars list --name demo", says="HONEY = sweet"),
            Line("run --name demo sh -c 'echo $HONEY'", says="sweet"),
            Line("env config vars unset --name demo HONEY"),
        ),
    ),
    Chapter(
        "The rest",
        (
            Line("--version", says="kaa"),
            Line("info", says="platform"),
            Line("info --json", fields=("envs", "envs_dirs", "pkgs_dirs", "platform", "channels")),
            Line("doctor --name demo", says="files"),
            Line("notices", says="No notices"),
            Line("clean --all --dry-run --yes"),
            Line("clean --packages --tarballs --yes"),
            Line("clean --index-cache --yes"),
            Line("init bash --dry-run", says=".bashrc"),
            Line(
                "install --name demo lair --solver libmamba --dry-run",
                says="--solver has no effect",
            ),
            Line("repoquery depends bear --remote", says="fur"),
            Line("repoquery whoneeds fur --name demo", says="bear"),
            Line(
                "repoquery whoneeds fur",
                ours=2,
                differs="where no environment is active kaa asks which, or which channels",
            ),
            Line("repoquery search bear", says="2.0"),
            Line(
                "update conda",
                code=0,
                ours=2,
                differs="kaa is updated as it was installed: `pip install -U kaa`",
            ),
        ),
    ),
)


def page() -> str:
    """Return the page as Markdown."""
    lines = [
        "# conda and mamba command lines",
        "",
        (
            f"{sum(len(chapter.lines) for chapter in CHAPTERS)} everyday command lines from the "
            "documentation of conda and mamba, typed with `kaa` in place of `conda` by the tests, "
            "which check exit code, effect and fields of JSON. Where nothing is said, they are "
            "what the documentation of conda 25 and mamba 2 says they are. conda itself was not "
            "run beside it."
        ),
        "",
        "This page is written by `docs/everyday_commands.py`.",
    ]
    for chapter in CHAPTERS:
        lines += ["", f"## {chapter.title}", "", "| `conda ...` | exit code | what is different |"]
        lines += ["| --- | --- | --- |"]
        for line in chapter.lines:
            code = str(line.code)
            if line.ours is not None and line.ours != line.code:
                code = f"{line.ours} (conda's {line.code})"
            typed = line.typed.replace("|", "\\|")
            lines.append(f"| `{typed}` | {code} | {line.differs} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    target = Path(__file__).with_name("compatibility.md")
    target.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {target.name}\n")
