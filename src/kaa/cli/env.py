"""``kaa env``: the environments themselves."""

from __future__ import annotations

from kaa.cli.lazy import Entry, lazy_group

env = lazy_group(
    "env",
    {
        "list": Entry("kaa.cli.env_list:list_environments", "List the environments."),
        "create": Entry("kaa.cli.create:create", "Create an environment."),
        "update": Entry(
            "kaa.cli.env_update:update", "Change an environment to have what a file says."
        ),
        "config": Entry(
            "kaa.cli.env_config:config", "Show and change variables of an environment."
        ),
        "export": Entry("kaa.cli.export:export", "Write an environment to a file."),
        "remove": Entry("kaa.cli.env_remove:remove", "Remove an environment and its kernel."),
    },
    "List, create, update, export and remove environments.",
)
