"""``python -m tests.contracts "words of CHANGELOG.md"`` writes the contract files anew.

The words tell users of the change. Without them only the files are written, and the test says that
the change is not told.
"""

import sys
import tempfile
from pathlib import Path

from tests.contracts import record
from tests.contracts.taken import all_contracts

with tempfile.TemporaryDirectory() as folder:
    record.write(all_contracts(Path(folder)))
if len(sys.argv) > 1:
    record.note(" ".join(sys.argv[1:]))
