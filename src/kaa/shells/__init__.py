"""Environments in a user's own shell: hooks, activation and back, start files."""
