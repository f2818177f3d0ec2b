"""The contracts as files, and the sentence of CHANGELOG.md that tells users of their last change.

`changes.txt` has a line for each change: a hash of all contract files, and the words of
CHANGELOG.md that tell of it. So none changes without words that told of no earlier change.
"""

import hashlib
import json
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHANGES = HERE / "changes.txt"
FEWEST_WORDS = 4
HOW = 'write them anew: python -m tests.contracts "words of CHANGELOG.md that tell of the change"'


def recorded(name):
    """The contract as its file has it; nothing when there is no such file."""
    path = HERE / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def names():
    """Of all contracts that have a file."""
    return sorted(path.stem for path in HERE.glob("*.json"))


def write(contracts):
    """All contracts, and no others."""
    for name in names():
        (HERE / f"{name}.json").unlink()
    for name, contract in contracts.items():
        text = json.dumps(contract, indent=1, ensure_ascii=False)
        (HERE / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def mark():
    """A hash of the files."""
    together = {name: recorded(name) for name in names()}
    return hashlib.sha256(json.dumps(together, sort_keys=True).encode()).hexdigest()[:16]


def changes():
    """Hash and words of each change, the last one last."""
    lines = CHANGES.read_text("utf-8").splitlines() if CHANGES.exists() else []
    return [tuple(line.split(" ", 1)) for line in lines]


def trouble_with(words, earlier):
    """Why `words` tell of no change that CHANGELOG.md names; "" when they do."""
    changelog = " ".join((ROOT / "CHANGELOG.md").read_text("utf-8").split())
    if len(words.split()) < FEWEST_WORDS:
        return f"at least {FEWEST_WORDS} words are needed"
    if words not in changelog:
        return f"CHANGELOG.md does not say: {words}"
    return f"that told of an earlier change: {words}" if words in earlier else ""


def note(words):
    """Note the files' state beside `words`; those of the same state are replaced."""
    kept = [change for change in changes() if change[0] != mark()]
    words = " ".join(words.split())
    if trouble := trouble_with(words, [told for _, told in kept]):
        raise SystemExit(f"changes.txt is as it was: {trouble}")
    lines = [*kept, (mark(), words)]
    CHANGES.write_text("".join(f"{' '.join(line)}\n" for line in lines), encoding="utf-8")
