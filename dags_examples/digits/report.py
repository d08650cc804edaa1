"""Show the comparison: a plot and a page of text."""

import argparse
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np


def plot(choice, images, labels, predicted, path):
    """Draw the accuracies, the best model's confusions and the images that it got wrong."""
    figure, (bars, matrix, wrong) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    names, accuracies = zip(*((s["name"], s["accuracy"]) for s in choice["scores"]), strict=True)
    bars.bar(names, accuracies, color=["#2a7f62" if n == choice["best"] else "#b7c9c2" for n in names])
    bars.set(title="accuracy on the test images", ylim=(min(accuracies) - 0.02, 1))
    best = next(s for s in choice["scores"] if s["name"] == choice["best"])
    matrix.imshow(np.log1p(best["confusion"]), cmap="Greens")
    matrix.set(title=f"{best['name']}: digit (down) read as (across)", xticks=range(10), yticks=range(10))
    rows = np.flatnonzero(labels != predicted)[:16]
    sheet = np.ones((44, 36))
    for place, row in enumerate(rows):
        y, x = place // 4 * 11, place % 4 * 9
        sheet[y : y + 8, x : x + 8] = 1 - images[row].reshape(8, 8)
        wrong.text(x, y + 9.6, f"{labels[row]}→{predicted[row]}", fontsize=7, color="#a03020")
    wrong.imshow(sheet, cmap="gray", vmin=0, vmax=1)
    wrong.set(title="misread", xticks=[], yticks=[])
    # Without the name and version of the library in it, equal pictures are equal files.
    figure.savefig(path, dpi=100, metadata={"Software": None})


def page(choice, errors, images):
    """Return the text of the report."""
    rows = "".join(f"| {s['name']} | {s['accuracy']:.4f} | {s['log_loss']:.4f} |\n" for s in choice["scores"])
    return (
        f"# Handwritten digits\n\nBest features: **{choice['best']}**, {errors} of {images} test images misread.\n\n"
        f"| features | accuracy | log loss |\n|---|---|---|\n{rows}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what prepare.py wrote")
    parser.add_argument("--best", type=Path, required=True, help="what choose.py wrote")
    parser.add_argument("--plot", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    args = parser.parse_args()

    choice = json.loads((args.best / "choice.json").read_text())
    predicted = np.load(args.best / "predicted.npy")
    images, labels = (np.load(args.data / f"test_{what}.npy") for what in ("images", "labels"))
    plot(choice, images, labels, predicted, args.plot)
    text = page(choice, int((labels != predicted).sum()), len(labels))
    args.summary.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
