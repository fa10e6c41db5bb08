"""Flip bits at random in the package cache and in an environment: are all found, all mended?

    python bench/bitflips.py            # 100 bits, real wheels, 10 minutes, network
    python bench/bitflips.py --flips 20 --rounds 2 pandas

Each bit is flipped in place, in a file chosen at random, and the file's size and times are kept, as
a disk does it. Every file is a candidate that a package brought or that kaa wrote about it: the
entries of the package cache with what they say of themselves and their lock files, the files of the
environment, the records in its ``conda-meta``. After each round ``kaa verify --all`` has to find
every one of them and ``kaa repair --all`` to mend them, so that the trees, all files by hash, are
what they were. The exit code is 1 when anything was missed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKAGES = ("pandas", "scikit-learn", "matplotlib", "jupyterlab")
_LEFT_OUT = ("CACHEDIR.TAG", "history", "state")
"""What rattler writes for itself, and conda's files that others write on."""
_VARIABLES = ("CONDA_", "JUPYTER_", "KAA_", "MAMBA_", "PIP_", "PYTHON", "UV_", "XDG_")


@dataclass
class Score:
    """What was flipped, found and mended, and how long the commands took, in seconds."""

    flipped: int = 0
    missed: list[str] = field(default_factory=list)
    unmended: list[str] = field(default_factory=list)
    verify: list[float] = field(default_factory=list)
    repair: list[float] = field(default_factory=list)


class Place:
    """A root of kaa's with one environment, and the command line."""

    def __init__(self, directory: Path) -> None:
        home = directory / "home"
        home.mkdir()
        self.environment = directory / "kaa" / "envs" / "demo"
        self.packages = directory / "kaa" / "pkgs"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_VARIABLES)}
        kept |= {k: v for k, v in os.environ.items() if k.endswith(("_CERT", "_CERT_FILE"))}
        self.variables = {
            **kept,
            "HOME": str(home),
            "KAA_ROOT": str(directory / "kaa"),
            "KAA_COMPILE": "false",  # in the background, while trees are compared
            "KAA_NAME_MAPPING": "none",
            "JUPYTER_DATA_DIR": str(home / "jupyter"),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }

    def kaa(self, *arguments: str) -> tuple[int, str, float]:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "kaa", *arguments],
            env=self.variables,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, time.perf_counter() - began

    def files(self) -> list[Path]:
        """Return every file in which a bit can be flipped, in the same order each time."""
        found = []
        for directory in (self.packages, self.environment):
            for folder, _, names in os.walk(directory):
                paths = (Path(folder, name) for name in names if name not in _LEFT_OUT)
                found += [p for p in paths if not p.is_symlink() and p.stat().st_size]
        return sorted(found)

    def tree(self) -> dict[str, str]:
        """Return all that has to be as it was: by path, the content's hash, or a link's target."""
        found = {}
        for directory in (self.packages, self.environment):
            for folder, _, names in os.walk(directory):
                for name in names:
                    path = Path(folder, name)
                    inner = path.relative_to(directory).as_posix()
                    if inner.startswith("conda-meta/"):
                        continue
                    if path.is_symlink():
                        found[f"{directory.name}/{inner}"] = f"-> {path.readlink()}"
                    else:
                        content = path.read_bytes()
                        found[f"{directory.name}/{inner}"] = hashlib.sha256(content).hexdigest()
        for path in self.environment.glob("conda-meta/*.json"):
            found[f"record/{path.name}"] = _record(path)
        return found


def main() -> int:
    """Do it, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("packages", nargs="*", default=PACKAGES)
    parser.add_argument("--flips", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--directory", type=Path, help="where to work")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kaa-bits-", dir=options.directory) as directory:
        place = Place(Path(directory))
        code, said, _ = place.kaa(
            "create", "-q", "-y", "-n", "demo", "-c", "pypi", "python", *options.packages
        )
        if code:
            print(said, file=sys.stderr)
            return 2
        score = _play(place, options.flips, options.rounds, random.Random(options.seed))
    print(f"flipped {score.flipped} bits in {options.rounds} rounds")
    print(f"found   {score.flipped - len(score.missed)}", *score.missed)
    print(f"mended  {score.flipped - len(score.unmended)}", *score.unmended)
    print(
        f"verify --all: {_middle(score.verify):.1f} s, repair --all: {_middle(score.repair):.1f} s"
    )
    return 1 if score.missed or score.unmended else 0


def _play(place: Place, flips: int, rounds: int, randomly: random.Random) -> Score:
    score = Score()
    before = place.tree()
    for turn in range(rounds):
        number = flips * (turn + 1) // rounds - flips * turn // rounds
        chosen = _different(randomly, place.files(), number)
        for path in chosen:
            _flip(path, randomly)
        score.flipped += len(chosen)
        _, answer, took = place.kaa("verify", "--all", "--json")
        score.verify.append(took)
        reported = _reported(json.loads(answer))
        score.missed += [str(p) for p in chosen if not _names(place, p) & reported]
        _, _, took = place.kaa("repair", "--all", "-y", "-q")
        score.repair.append(took)
        after = place.tree()
        score.unmended += [
            name
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]
    return score


def _different(randomly: random.Random, files: list[Path], number: int) -> list[Path]:
    """Choose files of which none is another name of the same one: two flips would be none."""
    chosen: dict[int, Path] = {}
    while len(chosen) < min(number, len(files) // 2):
        path = randomly.choice(files)
        chosen.setdefault(path.stat().st_ino, path)
    return list(chosen.values())


def _flip(path: Path, randomly: random.Random) -> None:
    status = path.stat()
    position = randomly.randrange(status.st_size)
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1 << randomly.randrange(8)]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _reported(answer: dict[str, Any]) -> set[str]:
    """Return what was reported: paths in the environment, paths in entries, unreadable records."""
    found = set()
    for report in answer["environments"]:
        if report["name"] == "demo":
            found |= {f"demo/{each['path']}" for each in report["findings"]}
            found |= {
                f"record of {each['package']}"
                for each in report["findings"]
                if each["kind"] == "record"
            }
    for entry in answer["cache"]["damaged"]:
        for each in entry["findings"]:
            found.add(f"pkgs/{entry['entry']}/{each['path']}")
            if each["path"] in ("info/paths.json", f"{entry['entry']}.lock"):
                found.add(f"entry {entry['entry']}")
    return found


def _names(place: Place, path: Path) -> set[str]:
    """Return how a flip in ``path`` may be reported.

    Where a record or an entry's list of files is unreadable itself, its files cannot be compared,
    and the whole package is mended.
    """
    if path.is_relative_to(place.environment):
        inner = path.relative_to(place.environment).as_posix()
        names = {f"demo/{inner}"}
        for record in place.environment.glob("conda-meta/*.json"):
            try:
                if inner in json.loads(record.read_bytes())["files"]:
                    names.add(f"record of {record.name.rsplit('-', 2)[0]}")
            except (ValueError, LookupError):
                names.add(f"record of {record.name.rsplit('-', 2)[0]}")
        return names
    inner = path.relative_to(place.packages).as_posix()
    entry = inner.partition("/")[0].removesuffix(".lock")
    full = inner if "/" in inner else f"{entry}/{inner}"
    return {f"pkgs/{full}", f"entry {entry}"}


def _record(path: Path) -> str:
    """Return what has to be the same in a record: all but what tells of its linking."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return "unreadable"
    kept = {key: content.get(key) for key in ("name", "version", "build", "url", "sha256", "files")}
    paths = content["paths_data"]["paths"]
    kept["paths"] = sorted(paths, key=lambda each: each["_path"])
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _middle(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]


if __name__ == "__main__":
    sys.exit(main())
