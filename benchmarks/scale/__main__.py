"""`python -m benchmarks.scale`: prints the tables of docs/scaling.md; `… measure [JOBS] [ROWS]` takes the constants anew."""

import sys

from benchmarks.scale.tables import FILE, pages

if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        from benchmarks.scale.measure import write

        numbers = [int(word) for word in sys.argv[2:]]
        write(FILE, *(numbers or [200]), *([] if numbers[1:] else [5000]))
    for name, table in pages().items():
        print(f"<!-- {name} -->\n{table}\n")
