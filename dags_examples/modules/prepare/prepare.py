"""Split a table into rows to train and rows to test, and scale its numbers by those of the former."""

import argparse
import csv
import random
from pathlib import Path
from statistics import fmean, pstdev


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--test-share", type=float, default=0.25)
    parser.add_argument("--prepared", type=Path, required=True)
    args = parser.parse_args()

    with args.raw.open(newline="") as file:
        header, *rows = csv.reader(file)
    random.Random(7).shuffle(rows)
    test = rows[: int(len(rows) * args.test_share)]
    train = rows[len(test) :]
    columns = list(zip(*([float(cell) for cell in row[:-1]] for row in train), strict=True))
    scale = [(fmean(column), pstdev(column) or 1.0) for column in columns]
    for name, part in (("train", train), ("test", test)):
        with (args.prepared / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            for row in part:
                numbers = [round((float(x) - mean) / spread, 9) for x, (mean, spread) in zip(row, scale, strict=False)]
                writer.writerow([*numbers, row[-1]])
    with (args.prepared / "scale.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([name, mean, spread] for name, (mean, spread) in zip(header, scale, strict=False))
    print(f"{len(train)} rows to train, {len(test)} rows to test")


if __name__ == "__main__":
    main()
