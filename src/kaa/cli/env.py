"""``kaa env``: the environments themselves."""

from __future__ import annotations

from kaa.cli.lazy import Entry, lazy_group

env = lazy_group(
    "env",
    {
        "list": Entry("kaa.cli.env_list:list_environments", "List the environments."),
        "export": Entry("kaa.cli.export:export", "Write an environment to a file."),
        "remove": Entry("kaa.cli.env_remove:remove", "Remove an environment and its kernel."),
    },
    "List and remove environments.",
)
