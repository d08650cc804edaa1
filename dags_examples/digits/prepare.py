"""Load the handwritten digits that come with scikit-learn, clean them and split them into training and test images."""

import argparse
from pathlib import Path

import numpy as np
from cleaning import scale, split
from sklearn.datasets import load_digits


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for train_images.npy, train_labels.npy, test_..."
    )
    parser.add_argument("--test-share", type=float, default=0.25, help="part of the images that is kept for testing")
    args = parser.parse_args()

    images, labels = load_digits(return_X_y=True)
    train, test = split(labels, args.test_share)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", train), ("test", test)):
        np.save(args.out / f"{name}_images.npy", scale(images[rows]))
        np.save(args.out / f"{name}_labels.npy", labels[rows])
    print(f"{len(images)} images of {images.shape[1]} pixels: {len(train)} to train, {len(test)} to test")


if __name__ == "__main__":
    main()
