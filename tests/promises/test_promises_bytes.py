"""Row 15: only our errors come out, whatever bytes come back, and none of them takes long.

Recorded replies in both formats, damaged by chance, and soups of what means something to a parser,
at any status. The full size is done in blocks that are written down as they end. What hypothesis
finds is in `tests/codec/test_codec_fuzz.py`, what coverage leads to in `tests/fuzz`.
"""

import json

from tests.promises.child import in_child
from tests.promises.table import ROOT, state_of


def test_only_our_errors_come_out(promise, size, pytestconfig):
    """A balance with its amounts or one of our errors: no other exception, no stall over 30 ms."""
    stated = promise(15, "only our errors come out: damaged replies")
    blocks = size(20, 10_000, quick=5)
    further = {}
    cache, tree = getattr(pytestconfig, "cache", None), state_of(ROOT)
    if pytestconfig.getoption("scale") == "full" and cache is not None and tree is not None:
        further = {"file": cache.mkdir("promises") / "bytes.jsonl", "tree": tree}
    came = in_child("broken_bytes", blocks=blocks, inputs=1000, limit_s=6 * 3600, **further)
    share = came["kinds"].get("balance", 0) / came["tried"]
    stated.came(
        tried=came["tried"],
        failed=len(came["wrong"]),
        figure=f"{share:.1%} gave a balance, {len(came['kinds']) - 1} kinds of error",
        why="\n".join(came["wrong"][:20]),
    )
    assert came["tried"] == blocks * 1000
    assert 0.01 < share < 0.5  # else it tries one side only
    assert len(came["kinds"]) > 5


def test_a_stopped_run_goes_on_from_the_block_where_it_was(tmp_path):
    """What is written down is not tried again, for this tree only, and the sums are the same."""
    file = tmp_path / "blocks.jsonl"
    whole = in_child("broken_bytes", blocks=3, inputs=50)
    first = in_child("broken_bytes", blocks=2, inputs=50, file=file, tree="a")
    rest = in_child("broken_bytes", blocks=3, inputs=50, file=file, tree="a")
    other = in_child("broken_bytes", blocks=1, inputs=50, file=file, tree="b")
    assert (first["earlier"], rest["earlier"], other["earlier"]) == (0, 2, 0)
    assert rest | {"earlier": 0} == whole
    entries = map(json.loads, file.read_text("utf-8").splitlines())
    assert [(entry["tree"], entry["block"]) for entry in entries] == [
        *[("a", 0), ("a", 1), ("a", 2)],
        ("b", 0),
    ]
