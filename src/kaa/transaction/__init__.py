"""Fetch, stage and commit: environments change as a whole or not at all."""
