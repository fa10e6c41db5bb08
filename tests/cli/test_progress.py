from __future__ import annotations

import io
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from kaa.cli.invocation import Invocation
from kaa.cli.progress import Display, display
from kaa.model.progress import Phase

if TYPE_CHECKING:
    from kaa.model.progress import Progress


def some_work(progress: Progress) -> None:
    progress.expect(Phase.METADATA, 2)
    progress.advance(Phase.METADATA, 1, "numpy")
    progress.expect(Phase.METADATA, 3)
    progress.advance(Phase.METADATA, 4, "pandas")
    progress.finish(Phase.METADATA)
    progress.expect(Phase.DOWNLOAD, 1_500_000)
    progress.advance(Phase.DOWNLOAD, 1_500_000)
    progress.finish(Phase.DOWNLOAD)


def test_one_line_per_finished_phase_where_there_is_no_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with display(Invocation()) as progress:
        some_work(progress)
    assert capfd.readouterr() == ("", "metadata: 5\ndownload: 1.5 MB\n")


def test_verbose_lines_have_the_time(capfd: pytest.CaptureFixture[str]) -> None:
    with display(Invocation(verbosity=1)) as progress:
        some_work(progress)
    assert capfd.readouterr().err.splitlines()[0] == "metadata: 5 (0.0 s)"


@pytest.mark.parametrize("invocation", [Invocation(quiet=True), Invocation(json=True)])
def test_silent_when_no_text_is_wanted(
    invocation: Invocation, capfd: pytest.CaptureFixture[str]
) -> None:
    with display(invocation) as progress:
        some_work(progress)
    assert capfd.readouterr() == ("", "")


def test_counts_of_many_threads_are_all_counted(capfd: pytest.CaptureFixture[str]) -> None:
    with display(Invocation()) as progress:
        progress.expect(Phase.LINK, 40_000)

        def link() -> None:
            for _ in range(10_000):
                progress.advance(Phase.LINK, 1)

        threads = [threading.Thread(target=link) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        progress.finish(Phase.LINK)
    assert capfd.readouterr().err == "link: 40000\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_display_on_a_terminal_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    progress = display(Invocation())
    assert isinstance(progress, Display)
    with pytest.raises(RuntimeError, match="stop"), progress:
        progress.expect(Phase.DOWNLOAD, 2_000_000)
        progress.advance(Phase.DOWNLOAD, 500_000, "numpy-2.1.0.whl")
        assert progress._live is not None
        progress._live.refresh()
        raise RuntimeError("stop")
    drawn = terminal.getvalue()
    assert "download" in drawn and "500.0 kB of 2.0 MB" in drawn and "numpy-2.1.0.whl" in drawn
    assert drawn.endswith("\x1b[1A\x1b[2K"), "the line is erased"
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 1, "the cursor is back"
    assert sys.stderr is terminal
    for thread in threading.enumerate():
        if "Refresh" in type(thread).__name__:
            thread.join(300)
            assert not thread.is_alive()
