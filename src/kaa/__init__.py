"""kaa keeps every Python environment of a machine and puts all of them into one Jupyter."""

__version__ = "0.1.0"
