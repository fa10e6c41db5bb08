"""Real projects and source distributions for tests, with a build backend inside of the tree.

The backend (PEP 517 ``backend-path``) needs nothing but Python's standard library, so a build of
it needs no index. Each hook leaves a line in the file ``$KAA_TEST_HOOKS``, where that is set.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

BACKEND = """
import json, os, pathlib, sys, zipfile

HERE = pathlib.Path(__file__).parent
SAID = json.loads((HERE / "project.json").read_text())
STEM = SAID["name"].replace("-", "_").lower() + "-" + SAID["version"]

def note(hook):
    with open(os.environ.get("KAA_TEST_HOOKS", os.devnull), "a") as file:
        print(hook, f"{sys.version_info[0]}.{sys.version_info[1]}", file=file)
    exec(SAID["code"].get(hook, ""), {"HERE": HERE, "os": os, "sys": sys})

def metadata():
    lines = ["Metadata-Version: 2.1", "Name: " + SAID["name"], "Version: " + SAID["version"]]
    lines += ["Requires-Dist: " + text for text in SAID["requires"]]
    if SAID["requires_python"]:
        lines.append("Requires-Python: " + SAID["requires_python"])
    return "\\n".join(lines) + "\\n\\n"

def write(folder, files, kind):
    tag = SAID["tag"] or f"cp{sys.version_info[0]}{sys.version_info[1]}-none-any"
    name = f"{STEM}-{tag}.whl"
    info = f"{STEM}.dist-info/"
    files[info + "METADATA"] = metadata()
    files[info + "WHEEL"] = f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {tag}\\n"
    files[info + "RECORD"] = ""
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    print("built", kind, flush=True)
    return name

def get_requires_for_build_wheel(config_settings=None):
    note("get_requires")
    return SAID["build_requires"]

get_requires_for_build_editable = get_requires_for_build_wheel

if SAID["prepares"]:
    def prepare_metadata_for_build_wheel(folder, config_settings=None):
        note("prepare")
        info = pathlib.Path(folder, STEM + ".dist-info")
        info.mkdir()
        (info / "METADATA").write_text(metadata())
        return info.name

    prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel

def build_wheel(folder, config_settings=None, metadata_directory=None):
    note("build_wheel")
    files = {p.name: p.read_text() for p in HERE.glob("*.py") if p.name != "tree_backend.py"}
    return write(folder, files, "wheel")

if SAID["editable"]:
    def build_editable(folder, config_settings=None, metadata_directory=None):
        note("build_editable")
        return write(folder, {STEM + ".pth": str(HERE) + "\\n"}, "editable")
"""


def write_project(
    folder: Path,
    name: str = "demo",
    version: str = "1.0",
    *,
    requires: Sequence[str] = (),
    requires_python: str | None = None,
    build_requires: Sequence[str] = (),
    static: bool = False,
    prepares: bool = True,
    editable: bool = True,
    tag: str | None = "py3-none-any",
    code: Mapping[str, str] | None = None,
) -> Path:
    """Write a project into ``folder`` and return it.

    ``static`` says its metadata in pyproject.toml (PEP 621), else only the backend knows them;
    ``prepares`` and ``editable`` are the optional hooks; a ``tag`` of None is the building
    Python's own; ``code`` is run at the beginning of the hooks ``get_requires``, ``prepare``,
    ``build_wheel`` and ``build_editable``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    said = {
        "name": name,
        "version": version,
        "requires": list(requires),
        "requires_python": requires_python,
        "build_requires": list(build_requires),
        "prepares": prepares,
        "editable": editable,
        "tag": tag,
        "code": dict(code or {}),
    }
    lines = ["[build-system]", "requires = []", 'build-backend = "tree_backend"']
    lines += ['backend-path = ["."]', "[project]", f'name = "{name}"']
    if static:
        lines += [f'version = "{version}"', f"dependencies = {json.dumps(list(requires))}"]
        if requires_python:
            lines.append(f'requires-python = "{requires_python}"')
    else:
        lines.append('dynamic = ["version", "dependencies", "requires-python"]')
    (folder / "pyproject.toml").write_text("\n".join(lines) + "\n")
    (folder / "project.json").write_text(json.dumps(said))
    (folder / "tree_backend.py").write_text(BACKEND)
    module = name.replace("-", "_").lower()
    (folder / f"{module}.py").write_text(f"__version__ = {version!r}\n")
    return folder


def pack(
    project: Path,
    archive: Path,
    *,
    pkg_info: str | None = None,
    members: Sequence[tarfile.TarInfo] = (),
) -> Path:
    """Pack a project as the sdist ``archive`` (``.tar.gz`` or ``.zip``) and return its path.

    ``pkg_info`` is its PKG-INFO; ``members`` are added to a tar as they are.
    """
    stem = archive.name.removesuffix(".zip").removesuffix(".tar.gz")
    files = {
        f"{stem}/{path.relative_to(project)}": path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file()
    }
    if pkg_info is not None:
        files[f"{stem}/PKG-INFO"] = pkg_info.encode()
    archive.parent.mkdir(parents=True, exist_ok=True)
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as opened:
            for name, content in files.items():
                opened.writestr(name, content)
        return archive
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return archive


def pkg_info(
    name: str = "demo",
    version: str = "1.0",
    *,
    metadata_version: str = "2.2",
    requires: Sequence[str] = (),
    dynamic: Sequence[str] = (),
) -> str:
    """Return the text of a PKG-INFO file."""
    lines = [f"Metadata-Version: {metadata_version}", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {text}" for text in requires]
    lines += [f"Dynamic: {field}" for field in dynamic]
    return "\n".join(lines) + "\n\nA description.\n"
