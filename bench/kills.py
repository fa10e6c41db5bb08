"""Stop kaa's commands at random moments, and look whether every environment is the old or the new.

python bench/kills.py --count 500
python bench/kills.py --how int --count 100 --commands create,install
python bench/kills.py --how event                 # every instant around the commit
python bench/kills.py --how full --count 50       # needs to be root, for a file system
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from killing.program import main

if __name__ == "__main__":
    sys.exit(main())
