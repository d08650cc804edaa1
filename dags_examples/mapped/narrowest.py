"""Find the fewest features with which a nearest-centroid classifier reads nine digits of ten."""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.neighbors import NearestCentroid


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="a folder with one member for each features.py")
    parser.add_argument("--best", type=Path, required=True)
    args = parser.parse_args()

    found = []
    for member in sorted(args.features.iterdir()):
        train, labels, test, truth = (
            np.load(member / f"{name}.npy")
            for name in ("train_features", "train_labels", "test_features", "test_labels")
        )
        found.append({"features": train.shape[1], "accuracy": NearestCentroid().fit(train, labels).score(test, truth)})
        print(f"{found[-1]['features']:3} features: {found[-1]['accuracy']:.4f}")
    good = [one for one in found if one["accuracy"] >= 0.9 * max(f["accuracy"] for f in found)]
    args.best.mkdir(parents=True, exist_ok=True)
    (args.best / "best.json").write_text(json.dumps(min(good, key=lambda one: one["features"])) + "\n")


if __name__ == "__main__":
    main()
