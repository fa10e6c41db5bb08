"""An environment on disk, the registry of named ones, activation."""
