"""How many images there are of each digit: reads the Arrow file that a function step returned."""

import argparse
from pathlib import Path

import pandas as pd

parser = argparse.ArgumentParser()
parser.add_argument("--table", type=Path)
parser.add_argument("--out", type=Path)
args = parser.parse_args()
counts = pd.read_feather(args.table)["target"].value_counts().sort_index()
args.out.write_text("".join(f"{digit}: {count}\n" for digit, count in counts.items()))
