"""Fit a softmax regression by gradient descent."""

import argparse
import csv
import json
import math
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()

    with (args.prepared / "train.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    examples = [([1.0, *map(float, row[:-1])], row[-1]) for row in rows]
    labels = sorted({label for _, label in examples})
    weights = {label: [0.0] * len(header) for label in labels}
    for _ in range(args.epochs):
        for numbers, label in examples:
            raw = {one: sum(w * x for w, x in zip(weights[one], numbers, strict=True)) for one in labels}
            powers = {one: math.exp(value - max(raw.values())) for one, value in raw.items()}
            for one in labels:
                error = (one == label) - powers[one] / sum(powers.values())
                weights[one] = [w + args.rate * error * x for w, x in zip(weights[one], numbers, strict=True)]
    with (args.prepared / "scale.csv").open(newline="") as file:
        scale = [[float(mean), float(spread)] for _, mean, spread in csv.reader(file)]
    rounded = {one: [round(w, 9) for w in weights[one]] for one in labels}
    args.model.write_text(json.dumps({"weights": rounded, "scale": scale}, sort_keys=True) + "\n")
    print(f"trained on {len(examples)} rows with {len(labels)} labels")


if __name__ == "__main__":
    main()
