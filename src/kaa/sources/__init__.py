"""Where package records come from: indexes and the interpreters of this machine."""
