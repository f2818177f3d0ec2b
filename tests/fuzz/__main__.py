"""Coverage-guided fuzzing of `read_reply` in both formats (promise 15), by atheris.

`python -m tests.fuzz --seconds 600` starts from the recorded replies and keeps what reaches new
code in `tests/fuzz/found`, which git ignores and a later run goes on from. What breaks is written
there too, as `crash-...`: `python -m tests.fuzz tests/fuzz/found/crash-...` tries it again.
"""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOUND = HERE / "found"


def main():
    asked = _asked()
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is missing: pip install 'altcraft-balance[fuzz]' (Linux and macOS)")
    with atheris.instrument_imports(include=["altcraft_balance.codec"]):
        from tests.fuzz import target
    seeds = asked.found / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (seeds / f"{number:03}").write_bytes(seed)
    news = asked.found / "news"
    news.mkdir(exist_ok=True)
    options = [
        f"-runs={asked.runs}",
        f"-max_total_time={asked.seconds}",
        f"-seed={asked.seed}",
        f"-artifact_prefix={asked.found}/",
        "-max_len=4096",
        "-timeout=5",
        "-print_final_stats=1",
        f"-verbosity={int(asked.verbose)}",
    ]
    places = [str(asked.again)] if asked.again else [str(news), str(seeds)]
    atheris.Setup([sys.argv[0], *options, *places], target.try_one)
    atheris.Fuzz()


def _asked():
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("again", nargs="?", type=Path, help="an input to try again, nothing else")
    parser.add_argument("--runs", type=int, default=-1, help="end after so many inputs")
    parser.add_argument("--seconds", type=int, default=60, help="end after so long, 0 for never")
    parser.add_argument("--seed", type=int, default=0, help="for equal runs; 0 is chance")
    parser.add_argument("--found", type=Path, default=FOUND, help="where inputs are kept")
    parser.add_argument("--verbose", action="store_true", help="show each input that is new")
    return parser.parse_args()


if __name__ == "__main__":
    main()
