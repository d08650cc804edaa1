"""Measure a model on the test images."""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="what to call this model in the comparison")
    parser.add_argument("--features", type=Path, required=True, help="what features.py wrote")
    parser.add_argument("--model", type=Path, required=True, help="what train.py wrote")
    parser.add_argument("--scores", type=Path, required=True)
    args = parser.parse_args()

    features, labels = (np.load(args.features / f"test_{what}.npy") for what in ("features", "labels"))
    mean, scale, weights, bias = (np.load(args.model / f"{what}.npy") for what in ("mean", "scale", "weights", "bias"))
    raw = (features - mean) / scale @ weights.T + bias
    chances = np.exp(raw - raw.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    predicted = chances.argmax(axis=1)
    scores = {
        "name": args.name,
        "accuracy": round(accuracy_score(labels, predicted), 6),
        "log_loss": round(log_loss(labels, chances), 6),
        "confusion": confusion_matrix(labels, predicted).tolist(),
    }
    args.scores.mkdir(parents=True, exist_ok=True)
    (args.scores / "scores.json").write_text(json.dumps(scores, sort_keys=True) + "\n")
    np.save(args.scores / "predicted.npy", predicted)
    print(f"{args.name}: accuracy {scores['accuracy']:.4f}, log loss {scores['log_loss']:.4f}")


if __name__ == "__main__":
    main()
