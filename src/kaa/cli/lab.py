"""``kaa lab``."""

from __future__ import annotations

import click

from kaa.model.errors import ProgramNotFoundError


@click.command(
    short_help="Start JupyterLab with every environment in its launcher.",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  kaa lab\n  kaa lab --no-browser --port 9999 notebooks/",
)
@click.argument("arguments", metavar="[ARGUMENT...]", nargs=-1, type=click.UNPROCESSED)
def lab(arguments: tuple[str, ...]) -> None:
    """Start the JupyterLab that is installed beside kaa; ARGUMENTs are JupyterLab's own.

    Every environment of the machine is in its launcher, whoever made it. The same is so in any
    Jupyter server of the Python that kaa is installed in, however it is started.
    """
    import importlib.util
    import os
    import sys

    from kaa.environments.activation import become

    if importlib.util.find_spec("jupyterlab") is None:
        raise ProgramNotFoundError(
            "JupyterLab is not installed beside kaa",
            cause=f"{sys.executable} has no package jupyterlab",
            hint=f"{sys.executable} -m pip install 'kaa[lab]'",
        )
    manager = "kaa.jupyter.manager.KaaKernelSpecManager"
    option = f"--ServerApp.kernel_spec_manager_class={manager}"
    command = [sys.executable, "-m", "jupyterlab", option, *arguments]
    raise click.exceptions.Exit(become(command, os.environ))
