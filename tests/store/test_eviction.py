from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kaa.store.deletion import delete_counted
from kaa.store.eviction import cached_packages, evict
from kaa.store.layout import Layout
from kaa.store.package_cache import has_entry, new_entry

if TYPE_CHECKING:
    from pathlib import Path

SHA = "ab" * 32


def package(layout: Layout, name: str) -> Path:
    with new_entry(layout, name, SHA) as staging:
        (staging / "info").mkdir()
        (staging / "info" / "index.json").write_text("{}")
        (staging / "data").write_text("x" * 10_000)
    return layout.packages / name


def compiled(layout: Layout, name: str, layer: str = "cp312") -> Path:
    folder = layout.packages / ".compiled" / layer
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(layout.packages / name, folder / name, copy_function=os.link)
    (folder / name / "data.pyc").write_text("y" * 5_000)
    shutil.copy(layout.packages / f"{name}.lock", folder)
    return folder / name


def test_what_is_there(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert cached_packages(layout) == []
    package(layout, "bear-1.0-0")
    compiled(layout, "bear-1.0-0")
    package(layout, "fur-2.1-0")
    (layout.packages / "fur-2.1-0.lock").unlink()
    (layout.packages / "gone-1-0.lock").write_bytes(b"x" * 40)
    for other in (".cache.lock", "urls.txt", "cache.lock"):
        (layout.packages / other).touch()
    (layout.packages / "a-directory").mkdir()
    found = {each.name: (each.whole, each.layers) for each in cached_packages(layout)}
    assert found == {
        "bear-1.0-0": (True, ("cp312",)),
        "fur-2.1-0": (False, ()),
        "gone-1-0": (False, ()),
    }


def test_a_package_goes_with_its_layers(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    package(layout, "bear-1.0-0")
    compiled(layout, "bear-1.0-0")
    compiled(layout, "bear-1.0-0", "cp313")
    stays = package(layout, "fur-2.1-0")
    doomed = evict(layout, "bear-1.0-0", ("cp312",), base=False)
    assert has_entry(layout, "bear-1.0-0", SHA)
    assert sum(map(delete_counted, doomed)) >= 5_000
    assert [each.layers for each in cached_packages(layout)] == [("cp313",), ()]
    doomed = evict(layout, "bear-1.0-0", ("cp313",), base=True)
    assert not has_entry(layout, "bear-1.0-0", SHA)
    assert sum(map(delete_counted, doomed)) >= 15_000
    assert [each.name for each in cached_packages(layout)] == ["fur-2.1-0"]
    assert stays.is_dir()
    assert evict(layout, "bear-1.0-0", ("cp313",), base=True) == []


_WORK = """
import os, signal, sys
from pathlib import Path
from kaa.store.deletion import delete_counted
from kaa.store.eviction import evict
from kaa.store.layout import Layout

layout, instant = Layout(Path(sys.argv[1])), int(sys.argv[2])
count = 0

def watch(event, arguments):
    global count
    ours = event in {"os.rename", "os.remove", "os.rmdir"}
    if ours and str(layout.packages) in str(arguments[0]):
        if count == instant:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

sys.addaudithook(watch)
for path in evict(layout, "bear-1.0-0", ("cp312",), base=True):
    delete_counted(path)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_killed_at_any_instant_it_counts_or_not(tmp_path: Path) -> None:
    seen = set()
    for instant in range(50):
        layout = Layout(tmp_path / str(instant))
        entry = package(layout, "bear-1.0-0")
        compiled(layout, "bear-1.0-0")
        done = subprocess.run(
            [sys.executable, "-c", _WORK, str(layout.root), str(instant)],
            capture_output=True,
            text=True,
            check=False,
        )
        counts = has_entry(layout, "bear-1.0-0", SHA)
        if counts:
            assert (entry / "data").read_text() == "x" * 10_000
        elif entry.exists():
            (half,) = cached_packages(layout)
            assert not half.whole
        seen.add(counts)
        package(layout, "bear-1.0-0")  # whoever needs it makes it anew
        assert has_entry(layout, "bear-1.0-0", SHA)
        assert (entry / "data").read_text() == "x" * 10_000
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    else:
        raise AssertionError("it never ends")
    assert seen == {True, False}


def test_what_has_a_name_elsewhere_frees_nothing(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "closed").mkdir(parents=True)
    (top / "closed" / "file").write_text("x" * 10_000)
    os.link(top / "closed" / "file", tmp_path / "elsewhere")
    (top / "alone").write_text("x" * 10_000)
    (top / "link").symlink_to(tmp_path)
    (top / "closed").chmod(0o555)
    size = sum((top / name).lstat().st_blocks * 512 for name in ("alone", "link", "closed", "."))
    assert delete_counted(top) == size
    assert not top.exists()
    assert (tmp_path / "elsewhere").read_text() == "x" * 10_000
    assert delete_counted(top) == 0
