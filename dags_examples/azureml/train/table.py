"""Read a table of flippers and weights."""

import csv


def read(path):
    """Pairs of length in millimetres and weight in grams."""
    with open(path, newline="") as file:
        return [(float(row["flipper_mm"]), float(row["weight_g"])) for row in csv.DictReader(file)]
