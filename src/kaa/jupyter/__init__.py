"""What runs inside a Jupyter server or kernel: the kernelspec manager, and its command line."""
