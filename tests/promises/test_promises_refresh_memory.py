"""Row 23, of bulk jobs: a file of a million rows takes no more memory than one of ten thousand."""

import pytest

from tests.promises.child import in_child

pytestmark = pytest.mark.slow
MOST_MIB = 60


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(promise, size, to):
    """CSV to another file: the peak over that of 10,000 rows is 60 MiB at most."""
    if to == "parquet":
        pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
    stated = promise(23, f"no leak: a refresh to {to}")
    rows = size(60_000, 1_000_000, quick=12_000)
    peaks = [
        in_child("refresh_memory", limit_s=1800, rows=count, to=to)["peak_kib"] / 1024
        for count in (size(10_000, quick=4_000), rows)
    ]
    more = peaks[1] - peaks[0]
    stated.came(tried=rows, failed=int(more > MOST_MIB), figure=f"{more:.1f} MiB more", why=peaks)
