"""Notebooks that come from elsewhere are opened with the kernel that is nearest to their own.

Lab and Notebook choose a kernel in the browser, from what the server lists and what the notebook
says, before any manager is asked. So what is sent when a notebook is opened names a kernel that is
there. The file stays as it is until somebody saves the notebook.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections import OrderedDict
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaa.jupyter.manager import KaaKernelSpecManager
from kaa.kernels.beside import with_files_beside
from kaa.kernels.nearest import Because
from kaa.kernels.wanted import wanted_by

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_AS_IT_IS = ("copy", "trust_notebook", "create_checkpoint")
"""What of a contents manager reads notebooks to write them somewhere."""
_REMEMBERED = 1000
"""Notebooks of which it is known how they were opened."""
_as_it_is: ContextVar[bool] = ContextVar("as_it_is", default=False)


class Opened(OrderedDict[str, dict[str, str]]):
    """How notebooks were opened, by path; the oldest are forgotten when there are too many."""

    def __setitem__(self, path: str, note: dict[str, str]) -> None:
        super().__setitem__(path, note)
        if len(self) > _REMEMBERED:
            self.popitem(last=False)


def opening_with_nearest_kernels(base: type) -> type:
    """Return a contents manager like ``base``, whose ``get`` names kernels that are there.

    It is for synchronous and asynchronous ones; options are those of ``base``, under its names.
    What it did is in ``opened_with``, by path: ``wanted``, ``name``, ``display_name``, ``reason``.
    """

    @functools.wraps(base.get)  # type: ignore[attr-defined]
    def get(self: Any, path: str, content: bool = True, *more: Any, **named: Any) -> Any:
        model = base.get(self, path, content, *more, **named)  # type: ignore[attr-defined]
        if not content or _as_it_is.get():
            return model
        return _later(self, model) if inspect.isawaitable(model) else _fitted(self, model)

    members: dict[str, Any] = {name: _as_written(getattr(base, name)) for name in _AS_IT_IS}
    members |= {
        "get": get,
        "opened_with": Opened(),
        "__module__": __name__,
        "__doc__": base.__doc__,
    }
    return type(base)(f"Matching{base.__name__}", (base,), members)


def _as_written(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method for which ``get`` gives what the file says."""

    async def waited_for(answer: Awaitable[Any]) -> Any:
        token = _as_it_is.set(True)  # its own context is only there while it is waited for
        try:
            return await answer
        finally:
            _as_it_is.reset(token)

    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        token = _as_it_is.set(True)
        try:
            answer = method(self, *arguments, **named)
        finally:
            _as_it_is.reset(token)
        return waited_for(answer) if inspect.isawaitable(answer) else answer

    return call


async def _later(contents: Any, model: Awaitable[Any]) -> Any:
    # In a thread, because the disk is looked at.
    return await asyncio.to_thread(_fitted, contents, await model)


def _fitted(contents: Any, model: dict[str, Any]) -> dict[str, Any]:
    """Let the notebook in a model name a kernel that is there, if it names none and one is near."""
    if model.get("type") != "notebook" or not isinstance(model.get("content"), dict):
        return model
    try:
        _fit(contents, model)
    except Exception:  # whatever it is, the notebook opens as it is
        contents.log.warning("kaa could not look for a kernel", exc_info=True)
    return model


def _fit(contents: Any, model: dict[str, Any]) -> None:
    notebook, path = model["content"], model["path"]
    kernels = getattr(contents.parent, "kernel_spec_manager", None)
    wanted = wanted_by(notebook)
    contents.opened_with.pop(path, None)
    if wanted is None or not isinstance(kernels, KaaKernelSpecManager):
        return
    listed = kernels.get_all_specs() if kernels.match_unknown else {}
    if not listed or wanted.name in listed:
        return
    found = kernels.nearest_to(wanted)
    if found is None and (root := getattr(contents, "root_dir", "")):
        directory = Path(root, path).parent
        found = kernels.nearest_to(with_files_beside(wanted, directory))
    if found is None or (name := _listed_name(found.offer, listed)) is None:
        return
    spec = listed[name]["spec"]
    shown = spec["display_name"]
    kernel = {"name": name, "display_name": shown, "language": spec["language"]}
    notebook["metadata"]["kernelspec"] = {**notebook["metadata"]["kernelspec"], **kernel}
    if found.because is not Because.SPELLING:
        note = {"wanted": wanted.name, "name": name, "display_name": shown, "reason": found.reason}
        contents.opened_with[path] = note
        contents.log.warning(
            "%s wants the kernel %s, which is not here; opened with %s: %s",
            *(path, wanted.name, name, found.reason),
        )


def _listed_name(offer: Any, listed: dict[str, Any]) -> str | None:
    """Return the name that a kernel is listed under: its id, or that of its kernelspec on disk."""
    if offer.id in listed:
        return str(offer.id)
    prefix, kernel = offer.environment.prefix, offer.metadata["conda_raw_kernel_name"]
    for name, entry in listed.items():
        told = entry["spec"].get("metadata", {})
        if (told.get("conda_env_path"), told.get("conda_raw_kernel_name")) == (prefix, kernel):
            return name
    return None
