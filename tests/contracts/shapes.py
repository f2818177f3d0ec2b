"""What a program may rely on in JSON: which key is there, and what its value is.

A shape is flat: ``{"balances.currencies[].total.sum": "text", "p50_s": "null or number"}``.
"""

from collections import defaultdict

#: Maps whose keys are data, such as the kinds of errors that a run has met, shown as ``*``.
OPEN = {"counts", "kinds", "lost_s", "waiting"}
_WORDS = {
    type(None): "null",
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
}


def shape_of(*values):
    """The shape that all of `values` have together."""
    seen = defaultdict(set)
    for value in values:
        _look(value, "", seen)
    return {path: " or ".join(sorted(words)) for path, words in sorted(seen.items())}


def _look(value, path, seen):
    if isinstance(value, dict):
        is_open = path.rpartition(".")[2] in OPEN
        for key, member in value.items():
            _look(member, f"{path}.{'*' if is_open else key}".removeprefix("."), seen)
    elif isinstance(value, list):
        for member in value:
            _look(member, f"{path}[]", seen)
    else:
        seen[path].add(_WORDS[type(value)])
