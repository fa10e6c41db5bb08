"""Every key that kaa understands: its names in both kinds of file, and how its value is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.settings import values

if TYPE_CHECKING:
    from kaa.settings.values import Reader


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. ``field`` is the attribute of the configuration that it fills.

    ``own`` is its name in kaa's own file (with a dot: in a table of it), ``conda`` its names in
    ``.condarc`` (the first one is preferred), ``variable`` the environment variable that wins over
    both; what is empty does not exist. ``expands`` says that ``$NAME`` in its value is replaced by
    that variable.
    """

    field: str
    read: Reader
    own: str = ""
    conda: tuple[str, ...] = ()
    variable: str = ""
    expands: bool = False


KEYS = (
    # --- where packages come from
    Key(
        "channels",
        values.read_texts,
        "channels",
        ("channels", "channel"),
        "KAA_CHANNELS",
        expands=True,
    ),
    Key(
        "default_channels",
        values.read_texts,
        "default-channels",
        ("default_channels",),
        expands=True,
    ),
    Key("channel_alias", values.read_text, "channel-alias", ("channel_alias",), expands=True),
    Key("channel_aliases", values.read_lists, "channel-aliases", (), expands=True),
    Key("custom_channels", values.read_mapping, "", ("custom_channels",), expands=True),
    Key("custom_multichannels", values.read_lists, "", ("custom_multichannels",), expands=True),
    Key("migrated_aliases", values.read_texts, "", ("migrated_channel_aliases",), expands=True),
    Key("migrated_channels", values.read_mapping, "", ("migrated_custom_channels",), expands=True),
    Key("mirrors", values.read_lists, "mirrors", ("mirrored_channels",), expands=True),
    Key(
        "allowed_channels",
        values.read_texts,
        "allow-channels",
        ("allowlist_channels", "whitelist_channels"),
        expands=True,
    ),
    Key(
        "denied_channels", values.read_texts, "deny-channels", ("denylist_channels",), expands=True
    ),
    # --- the solve
    Key(
        "channel_priority",
        values.read_priority,
        "channel-priority",
        ("channel_priority",),
        "KAA_CHANNEL_PRIORITY",
    ),
    Key("pinned", values.read_texts, "pinned", ("pinned_packages",)),
    Key("default_packages", values.read_texts, "default-packages", ("create_default_packages",)),
    Key("track_features", values.read_texts, "track-features", ("track_features",)),
    Key("add_pip", values.read_flag, "add-pip", ("add_pip_as_python_dependency",)),
    Key("exclude_newer", values.read_moment, "exclude-newer", (), "KAA_EXCLUDE_NEWER"),
    Key("name_mapping", values.read_text, "name-mapping", (), "KAA_NAME_MAPPING", expands=True),
    Key("no_build", values.read_flag, "no-build"),
    Key("only_tar_bz2", values.read_flag, "only-tar-bz2", ("use_only_tar_bz2",)),
    Key("subdir", values.read_text, "platform", ("subdir",)),
    # --- the network
    Key("offline", values.read_flag, "offline", ("offline",), "KAA_OFFLINE"),
    Key("proxies", values.read_mapping, "proxies", ("proxy_servers",), expands=True),
    Key("no_proxy", values.read_texts, "no-proxy"),
    Key(
        "ssl_verify", values.read_verification, "ssl-verify", ("ssl_verify", "verify_ssl"), "", True
    ),
    Key(
        "client_certificate",
        values.read_path,
        "client-certificate",
        ("client_ssl_cert", "client_cert"),
        expands=True,
    ),
    Key(
        "client_key",
        values.read_path,
        "client-key",
        ("client_ssl_cert_key", "client_cert_key"),
        expands=True,
    ),
    Key(
        "connect_timeout", values.read_seconds, "connect-timeout", ("remote_connect_timeout_secs",)
    ),
    Key("timeout", values.read_seconds, "timeout", ("remote_read_timeout_secs",)),
    Key("retries", values.read_count, "retries", ("remote_max_retries",)),
    Key("authentication_file", values.read_path, "authentication-file", (), expands=True),
    # --- this machine
    Key("root", values.read_path, "root", (), expands=True),
    Key(
        "environment_directories",
        values.read_paths,
        "envs-dirs",
        ("envs_dirs", "envs_path"),
        expands=True,
    ),
    Key("package_directories", values.read_paths, "pkgs-dirs", ("pkgs_dirs",), expands=True),
    Key("link_scripts", values.read_permission, "link-scripts"),
    Key("keep_generations", values.read_count, "keep-generations"),
    Key("keep_days", values.read_count, "keep-days"),
    Key("always_yes", values.read_flag, "always-yes", ("always_yes", "yes")),
    # --- shells
    Key("change_prompt", values.read_flag, "change-prompt", ("changeps1",)),
    Key("prompt", values.read_raw_text, "prompt", ("env_prompt",)),
    Key("auto_stack", values.read_depth, "auto-stack", ("auto_stack",)),
    Key("compile_bytecode", values.read_flag, "compile-bytecode", (), "KAA_COMPILE"),
    # --- kernels: the table [kernels]
    Key("kernel_aliases", values.read_named_texts, "kernels.alias"),
    Key("hidden_kernels", values.read_environments, "kernels.hidden"),
    Key("pinned_kernels", values.read_environments, "kernels.pinned"),
    Key("kernel_icons", values.read_named_paths, "kernels.icons"),
    Key("kernel_name_format", values.read_name_format, "kernels.name-format"),
    Key("kernel_filter", values.read_expression, "kernels.env-filter"),
    Key("kernel_base_name", values.read_text, "kernels.base-name"),
    Key("kernel_debugger", values.read_flag, "kernels.debugger"),
    Key("project_roots", values.read_paths, "kernels.roots", (), expands=True),
)
"""In the order of docs/configuration.md."""
