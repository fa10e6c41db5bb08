"""Files that describe environments: read and written, nothing else."""
