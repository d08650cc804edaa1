"""A line through flippers and weights, by gradient descent on standardised values."""

import argparse
import json
import os

from table import read

parser = argparse.ArgumentParser()
parser.add_argument("--data")
parser.add_argument("--passes", type=int)
parser.add_argument("--model")
args = parser.parse_args()

with open("settings.json") as file:
    rate = json.load(file)["rate"]
pairs = read(os.path.join(args.data, "train.csv"))
center = [sum(pair[side] for pair in pairs) / len(pairs) for side in (0, 1)]
width = [(sum((p[side] - center[side]) ** 2 for p in pairs) / len(pairs)) ** 0.5 for side in (0, 1)]
slope = 0.0
for _ in range(args.passes):
    gradient = sum(
        (slope * (x - center[0]) / width[0] - (y - center[1]) / width[1]) * (x - center[0]) / width[0] for x, y in pairs
    )
    slope -= rate * gradient / len(pairs)
slope *= width[1] / width[0]
model = {"slope": round(slope, 6), "offset": round(center[1] - slope * center[0], 6)}
os.makedirs(args.model, exist_ok=True)
with open(os.path.join(args.model, "model.json"), "w") as file:
    json.dump(model, file)
print("model", model)
