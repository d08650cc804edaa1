"""Fit a logistic regression to features; the model is kept as plain arrays."""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="what features.py wrote")
    parser.add_argument("--regularization", type=float, default=1.0, help="C of scikit-learn: smaller is smoother")
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()

    features, labels = (np.load(args.features / f"train_{what}.npy") for what in ("features", "labels"))
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=args.regularization, max_iter=2000, random_state=0).fit(
        scaler.transform(features), labels
    )
    args.model.mkdir(parents=True, exist_ok=True)
    np.save(args.model / "mean.npy", scaler.mean_)
    np.save(args.model / "scale.npy", scaler.scale_)
    np.save(args.model / "weights.npy", model.coef_)
    np.save(args.model / "bias.npy", model.intercept_)
    about = {"features": features.shape[1], "iterations": int(model.n_iter_[0]), "regularization": args.regularization}
    (args.model / "about.json").write_text(json.dumps(about, sort_keys=True) + "\n")
    print(f"trained on {len(features)} rows of {features.shape[1]} features in {about['iterations']} iterations")


if __name__ == "__main__":
    main()
