"""Measure a model on the rows that were kept for testing."""

import argparse
import csv
import json
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--scores", type=Path, required=True)
    args = parser.parse_args()

    weights = json.loads(args.model.read_text())["weights"]
    with (args.prepared / "test.csv").open(newline="") as file:
        _, *rows = csv.reader(file)
    right = 0
    for row in rows:
        numbers = [1.0, *map(float, row[:-1])]
        raw = {label: sum(w * x for w, x in zip(ws, numbers, strict=True)) for label, ws in weights.items()}
        right += max(raw, key=raw.get) == row[-1]
    scores = {"accuracy": round(right / len(rows), 6), "rows": len(rows)}
    args.scores.write_text(json.dumps(scores, sort_keys=True) + "\n")
    print(f"accuracy {scores['accuracy']} on {len(rows)} rows")


if __name__ == "__main__":
    main()
