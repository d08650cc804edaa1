"""The mean error of a model on the rows that it has not seen."""

import argparse
import json
import os

from table import read

parser = argparse.ArgumentParser()
parser.add_argument("--data")
parser.add_argument("--model")
parser.add_argument("--score")
args = parser.parse_args()

with open(os.path.join(args.model, "model.json")) as file:
    model = json.load(file)
pairs = read(os.path.join(args.data, "test.csv"))
error = sum(abs(model["offset"] + model["slope"] * x - y) for x, y in pairs) / len(pairs)
os.makedirs(args.score, exist_ok=True)
with open(os.path.join(args.score, "score.txt"), "w") as file:
    file.write(f"mean error {error:.1f} g\n")
if "MLPIPE_METRICS" in os.environ:
    with open(os.environ["MLPIPE_METRICS"], "a") as file:
        file.write(json.dumps({"name": "mean_error_g", "value": error}) + "\n")
print(f"mean error {error:.1f} g on {len(pairs)} penguins")
