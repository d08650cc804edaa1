"""Drop what was not measured, and keep a share of the rows for the test: every n-th one."""

import argparse
import csv
import os

parser = argparse.ArgumentParser()
parser.add_argument("--raw")
parser.add_argument("--test-share", type=float)
parser.add_argument("--limit", type=int)
parser.add_argument("--out")
args = parser.parse_args()

with open(args.raw, newline="") as file:
    rows = [row for row in csv.DictReader(file) if row["flipper_mm"] and row["weight_g"]][: args.limit]
every = max(2, round(1 / args.test_share))
os.makedirs(args.out, exist_ok=True)
for name, kept in (
    ("train.csv", [row for number, row in enumerate(rows) if number % every]),
    ("test.csv", [row for number, row in enumerate(rows) if number % every == 0]),
):
    with open(os.path.join(args.out, name), "w", newline="") as file:
        writer = csv.DictWriter(file, ["flipper_mm", "weight_g"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(kept)
print(f"{len(rows)} penguins, every {every}th one for the test")
