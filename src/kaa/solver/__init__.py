"""One solve over all sources, and the reasons when there is none."""
