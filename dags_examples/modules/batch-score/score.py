"""Add what a model predicts to every row of a table."""

import argparse
import csv
import json
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--column", default="predicted")
    parser.add_argument("--scored", type=Path, required=True)
    args = parser.parse_args()

    model = json.loads(args.model.read_text())
    rows = 0
    with args.data.open(newline="") as source, args.scored.open("w", newline="") as target:
        reader, writer = csv.reader(source), csv.writer(target, lineterminator="\n")
        writer.writerow([*next(reader), args.column])
        for row in reader:
            scaled = [(float(x) - mean) / spread for x, (mean, spread) in zip(row, model["scale"], strict=True)]
            raw = {
                label: sum(w * x for w, x in zip(weights, [1.0, *scaled], strict=True))
                for label, weights in model["weights"].items()
            }
            writer.writerow([*row, max(raw, key=raw.get)])
            rows += 1
    print(f"scored {rows} rows")


if __name__ == "__main__":
    main()
