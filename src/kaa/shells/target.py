"""What ``kaa activate NAME|PREFIX`` means: an environment of any maker, by its name or its path.

kaa's own are found by one question to the file system; everybody else's by their list, and only
what is not on it by looking at the whole machine.
"""

# Paths are plain texts here, and questions about them must not raise.
# ruff: noqa: PTH100, PTH111, PTH112, PTH113, PTH118, PTH119, PTH120

from __future__ import annotations

import os

from kaa.environments.activation import default_name, generation_of
from kaa.shells.switching import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kaa.model.errors import EnvironmentNotFoundError

_ROOT_NAMES = ("base", "root")


def find_target(text: str, environ: Mapping[str, str]) -> Target:
    """Return the environment of this name or at this path; a path has a separator in it.

    Raises :class:`EnvironmentNotFoundError`, with names that are nearly this one.
    """
    if _is_path(text):
        return _at(os.path.abspath(os.path.expanduser(text)), text)
    if text in _ROOT_NAMES:
        return _base(environ)
    for directory in _directories(environ):
        prefix = os.path.join(directory, text)
        if os.path.lexists(prefix) and not text.startswith("."):
            return _named(prefix, text)
    listed = list(dict.fromkeys(_listed(text)))
    if len(listed) == 1:
        return Target(listed[0], generation_of(listed[0]), default_name(listed[0]))
    return _discovered(text)


def _directories(environ: Mapping[str, str]) -> list[str]:
    """Return where named environments are looked for."""
    from kaa.settings.search import has_files

    if not has_files(environ):
        from kaa.store.root import default_root

        return [os.path.join(default_root(), "envs")]
    from kaa.settings.directories import this_layout

    return list(map(os.fspath, this_layout().all_environments))


def _is_path(text: str) -> bool:
    return "/" in text or os.sep in text or text in (".", "..", "~")


def _at(prefix: str, text: str) -> Target:
    if _is_environment(prefix):
        return Target(prefix, generation_of(prefix), default_name(prefix))
    if os.path.lexists(prefix):
        raise _not_found(
            f"{prefix} is not an environment",
            cause="it has neither a conda-meta directory nor a pyvenv.cfg",
            hint="`kaa kernels list` shows the environments of this machine",
        )
    raise _not_found(
        f"there is nothing at {prefix}",
        hint=f"a name has no separator in it: `kaa activate {os.path.basename(text.rstrip('/'))}`?",
    )


def _named(prefix: str, name: str) -> Target:
    if _is_environment(prefix):
        return Target(prefix, generation_of(prefix), name)
    raise _not_found(
        f"the environment {name!r} is broken",
        cause=f"there is no environment behind {prefix}",
        hint=f"`kaa repair -n {name}` rebuilds it, if there is anything left of it",
    )


def _is_environment(prefix: str) -> bool:
    return os.path.isdir(f"{prefix}/conda-meta") or os.path.isfile(f"{prefix}/pyvenv.cfg")


def _listed(name: str) -> Iterator[str]:
    """Give the prefixes of this name on conda's list, where conda itself would look."""
    from kaa.environments.registry import listed_prefixes

    for path in listed_prefixes():
        if path.name == name and path.parent.name == "envs" and _is_environment(str(path)):
            yield str(path)


def _base(environ: Mapping[str, str]) -> Target:
    """Return conda's own installation, which kaa has none of."""
    from kaa.environments.registry import listed_prefixes

    program = environ.get("CONDA_EXE")
    told = [
        environ.get("CONDA_ROOT"),
        os.path.dirname(os.path.dirname(program)) if program else None,
        environ.get("MAMBA_ROOT_PREFIX"),
        *map(str, listed_prefixes()),
    ]
    for prefix in told:
        # A base is what environments are below, or what has conda in it.
        if prefix and _is_environment(prefix) and os.path.isdir(f"{prefix}/condabin"):
            return Target(prefix, generation_of(prefix), "base")
    raise _not_found(
        "there is no base environment",
        cause="that is what conda calls its own installation; kaa needs none",
        hint="activate one by its name: `kaa env list` shows them",
    )


def _discovered(text: str) -> Target:
    from kaa.environments.discovery import discover
    from kaa.settings.directories import this_layout

    found = discover(this_layout()).environments
    labelled = [each for each in found if each.label == text]
    named = labelled if len(labelled) == 1 else [each for each in found if each.name == text]
    if len(named) == 1:
        prefix = named[0].prefix
        return Target(prefix, generation_of(prefix), default_name(prefix))
    if named:
        raise _not_found(
            f"there are {len(named)} environments called {text!r}",
            cause="\n".join(each.prefix for each in named),
            hint="say which one by its path",
        )
    raise _not_found(
        f"there is no environment {text!r}",
        hint=_near(text, sorted({each.name for each in found} | {each.label for each in found})),
    )


def _near(text: str, there: list[str]) -> str:
    import difflib

    if _is_environment(os.path.abspath(text)):
        return f"the one in this directory has a path: `kaa activate ./{text}`"
    near = difflib.get_close_matches(text, there, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(f'`{known}`' for known in near)}?"
    if there:
        return "`kaa env list` shows kaa's environments, `kaa kernels list` those of every program"
    return "there is no environment yet: `kaa create -n NAME python=3.12` makes one"


def _not_found(
    message: str, *, cause: str | None = None, hint: str | None = None
) -> EnvironmentNotFoundError:
    """Return the error, whose module is imported only for it."""
    from kaa.model.errors import EnvironmentNotFoundError

    return EnvironmentNotFoundError(message, cause=cause, hint=hint)
