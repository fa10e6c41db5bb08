"""The documentation: it builds, and what it says to type does what it says."""
