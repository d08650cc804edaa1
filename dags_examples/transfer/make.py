"""Write a table for each day, and a note."""

import sys
from pathlib import Path


def main(days: int, folder: Path) -> None:
    """``<folder>/<day>/table.csv``."""
    for day in range(1, days + 1):
        (folder / f"{day:02}").mkdir()
        rows = [f"{hour},{(day * 7 + hour * 3) % 20}\n" for hour in range(24)]
        (folder / f"{day:02}" / "table.csv").write_text("hour,value\n" + "".join(rows))
        (folder / f"{day:02}" / "note.txt").write_text(f"made for day {day}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
