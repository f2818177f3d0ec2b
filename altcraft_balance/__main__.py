"""``python -m altcraft_balance``: the command ``altcraft-balance`` by another name."""

import sys

from altcraft_balance.cli import main

if __name__ == "__main__":
    sys.exit(main())
