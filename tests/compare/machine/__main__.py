"""`make compare-sql`."""

import argparse
import sys
import time
from pathlib import Path

from .hunt import Hunt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landfall", type=Path, required=True, help="our binary")
    parser.add_argument("--seed", type=int, default=1, help="of the tables and queries")
    parser.add_argument("--queries", type=int, default=1000, help="how many cases")
    parser.add_argument("--seconds", type=float, help="as many cases as there is time for, instead")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--folder", type=Path, default=Path(".local/compare-sql"), help="where all goes and stays")
    parser.add_argument("--no-shrink", action="store_true", help="show what is found as it is")
    settings = parser.parse_args()
    started = time.monotonic()
    hunt = Hunt(settings.landfall.resolve(), settings.seed, settings.folder.resolve(), not settings.no_shrink)
    hunt.run(settings.first, settings.queries, settings.seconds)
    print(hunt.summary())
    print(f"\n{'failed' if hunt.failed else 'passed'} in {time.monotonic() - started:.0f} s")
    sys.exit(1 if hunt.failed else 0)


if __name__ == "__main__":
    main()
