"""What is wrong with environments and the package cache, and how much space they take."""
