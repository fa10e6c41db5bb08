"""A real debug session: Jupyter's debug requests on the control channel, DAP inside them."""

from __future__ import annotations

import os
import queue
import time
from typing import TYPE_CHECKING, Any

import pytest

from jupyter.own_home import own_home
from kernels.conftest import add_ipykernel, make_generation, move_into, site_of, started

if TYPE_CHECKING:
    from pathlib import Path

    from kernels.conftest import Running

pytestmark = pytest.mark.skipif(os.name == "nt", reason="generations are made as on POSIX")
CELL = "a = 1\nb = a + 1\nprint('sum', a + b)\n"
_PATIENCE = 300.0


class Session:
    """A client's half of a debug session."""

    def __init__(self, running: Running) -> None:
        self.client = running.client
        self.seq = 0

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a request, and return the body of the answer, which must be a success."""
        self.seq += 1
        content = {
            "type": "request",
            "seq": self.seq,
            "command": command,
            "arguments": arguments,
        }
        message = self.client.session.msg("debug_request", content)
        self.client.control_channel.send(message)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            reply = self.client.get_control_msg(timeout=_PATIENCE)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                assert reply["content"]["success"], reply["content"]
                body: dict[str, Any] = reply["content"].get("body", {})
                return body
        raise AssertionError(f"no answer to {command}")

    def event(self, name: str) -> dict[str, Any]:
        """Wait for an event of the debugger."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                message = self.client.get_iopub_msg(timeout=_PATIENCE)
            except queue.Empty:
                break
            if message["msg_type"] == "debug_event" and message["content"]["event"] == name:
                body: dict[str, Any] = message["content"]["body"]
                return body
        raise AssertionError(f"there was no event {name}")

    def printed(self, request: str) -> str:
        """Return what a cell prints from here on to its end, in however many pieces."""
        text = ""
        while True:
            message = self.client.get_iopub_msg(timeout=_PATIENCE)
            content = message["content"]
            if message["parent_header"].get("msg_id") != request:
                continue
            if content.get("execution_state") == "idle":
                return text
            if content.get("name") == "stdout":  # the debugger has warnings of its own
                text += content["text"]


@pytest.mark.parametrize("own", [True, False], ids=["own ipykernel", "overlay"])
def test_a_breakpoint_stops_a_cell_that_goes_on_afterwards(
    own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = own_home(tmp_path / "debugging")
    move_into(home.path, monkeypatch)
    for name, text in home.environ.items():
        monkeypatch.setenv(name, text)
    prefix = home.layout.environments / "demo"
    home.lend_ipykernel()
    generation = make_generation(prefix)
    if own:
        add_ipykernel(site_of(generation))
    home.run("-c", _ANNOUNCE, prefix, generation)
    with started("demo") as running:
        session = Session(running)
        running.client.kernel_info()
        session.ask("initialize", clientID="test", adapterID="", pathFormat="path")
        session.ask("attach")
        source = session.ask("dumpCell", code=CELL)["sourcePath"]
        set_ = session.ask(
            "setBreakpoints",
            source={"path": source},
            breakpoints=[{"line": 2}],
            sourceModified=False,
        )
        assert set_["breakpoints"][0]["verified"]
        session.ask("configurationDone")
        request = running.client.execute(CELL)
        stopped = session.event("stopped")
        assert stopped["reason"] == "breakpoint"
        thread = stopped["threadId"]
        frames = session.ask("stackTrace", threadId=thread)["stackFrames"]
        assert frames[0]["line"] == 2 and frames[0]["source"]["path"] == source
        scopes = session.ask("scopes", frameId=frames[0]["id"])["scopes"]
        variables = session.ask("variables", variablesReference=scopes[0]["variablesReference"])
        assert {"a": "1"}.items() <= {v["name"]: v["value"] for v in variables["variables"]}.items()
        session.ask("continue", threadId=thread)
        assert session.printed(request).strip() == "sum 3"
        session.ask("disconnect", terminateDebuggee=False, restart=False)


_ANNOUNCE = """
import sys
from pathlib import Path
from kaa.kernels.specs import write_kernelspec
from kaa.store.layout import default_layout
prefix, generation = map(Path, sys.argv[1:])
write_kernelspec("demo", prefix, generation, default_layout())
"""
