"""Kernelspecs on disk, the launcher that starts a kernel, the overlay that lends it ipykernel."""
