"""The commands of kaa, as a table."""

from __future__ import annotations

import click

from kaa import __version__
from kaa.cli.lazy import Entry, lazy_group

app = lazy_group(
    "kaa",
    {
        "create": Entry("kaa.cli.create:create", "Create an environment."),
        "install": Entry("kaa.cli.install:install", "Install packages into an environment."),
        "update": Entry("kaa.cli.update:update", "Update packages of an environment."),
        "upgrade": Entry("kaa.cli.update:upgrade", "The same as update."),
        "remove": Entry("kaa.cli.remove:remove", "Remove packages from an environment."),
        "uninstall": Entry("kaa.cli.remove:uninstall", "The same as remove."),
        "sync": Entry("kaa.cli.sync:sync", "Make an environment what a file says."),
        "undo": Entry("kaa.cli.history:undo", "Undo the last change of an environment."),
        "history": Entry("kaa.cli.history:history", "Show what an environment was, and when."),
        "diff": Entry("kaa.cli.history:diff", "Show how two generations differ."),
        "rollback": Entry("kaa.cli.history:rollback", "Go to any generation of an environment."),
        "clone": Entry("kaa.cli.copies:clone", "Make a copy of an environment."),
        "rename": Entry("kaa.cli.copies:rename", "Give an environment another name or place."),
        "lock": Entry("kaa.cli.lock:lock", "Write a lock file for one or more platforms."),
        "compare": Entry("kaa.cli.compare:compare", "Compare an environment with a file."),
        "export": Entry("kaa.cli.export:export", "Write an environment to a file."),
        "run": Entry("kaa.cli.run:run", "Run a program in an environment."),
        "activate": Entry("kaa.cli.activate:activate", "Activate an environment in this shell."),
        "deactivate": Entry("kaa.cli.activate:deactivate", "Return to what was before activate."),
        "shell": Entry("kaa.cli.shell:shell", "Start a shell in an environment."),
        "init": Entry("kaa.cli.init:initialise", "Prepare shells for activate."),
        "deinit": Entry("kaa.cli.init:deinit", "Take kaa out of shells again."),
        "hook": Entry("kaa.cli.hook:hook", "Print a shell's hook, for activate."),
        "list": Entry("kaa.cli.packages:list_packages", "List the packages of an environment."),
        "search": Entry("kaa.cli.search:search", "Search the sources for packages."),
        "why": Entry("kaa.cli.why:why", "Say why a package is in an environment."),
        "tree": Entry("kaa.cli.tree:tree", "Show what the packages of an environment need."),
        "repoquery": Entry("kaa.cli.repoquery:repoquery", "Ask who needs whom, in mamba's words."),
        "adopt": Entry(
            "kaa.cli.adopt:adopt", "Take over what pip installed, or what conda, venv or uv made."
        ),
        "verify": Entry("kaa.cli.verify:verify", "Look for damage in environments and packages."),
        "repair": Entry(
            "kaa.cli.repair:repair", "Mend what is damaged in environments and packages."
        ),
        "doctor": Entry("kaa.cli.doctor:doctor", "Examine the health of one environment."),
        "info": Entry("kaa.cli.info:info", "Show kaa's settings, or all about one environment."),
        "lab": Entry("kaa.cli.lab:lab", "Start JupyterLab with every environment in its launcher."),
        "kernels": Entry(
            "kaa.cli.kernels:kernels",
            "The kernels of this machine's environments, whoever made them.",
        ),
        "env": Entry("kaa.cli.env:env", "List, create, update, export and remove environments."),
        "du": Entry("kaa.cli.du:du", "Show what takes space on the disk, and who shares it."),
        "clean": Entry("kaa.cli.clean:clean", "Remove what nothing refers to."),
        "notices": Entry("kaa.cli.notices:notices", "Show what the channels want you to know."),
        "config": Entry("kaa.cli.config:config", "Show and change the settings."),
        "completion": Entry("kaa.cli.completion:completion", "Print a shell's completion script."),
    },
    "Environments, packages and Jupyter kernels in one tool.",
)
app.context_settings = {"help_option_names": ["-h", "--help"]}
app.epilog = "Begin with: kaa create -n demo -c pypi python pandas"
click.version_option(__version__, "-V", "--version", message="kaa %(version)s")(app)
