"""Commands are stopped at random moments: environments have to be the old or the new ones.

``bench/kills.py`` is the program, ``tests/end_to_end/test_kills.py`` a short version of it.
"""
