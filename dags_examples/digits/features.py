"""Turn images into one of three kinds of features: the pixels themselves, principal components, or gradients."""

import argparse
import shutil
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA


def pixels(train, test, args):
    """Every pixel is a feature."""
    return train, test


def components(train, test, args):
    """The directions in which the training images differ most."""
    pca = PCA(n_components=args.components, random_state=0).fit(train)
    print(f"{args.components} components explain {pca.explained_variance_ratio_.sum():.1%} of the variance")
    return pca.transform(train), pca.transform(test)


def gradients(train, test, args):
    """How strong the edges of each direction are in each part of the image (a small relative of HOG)."""
    return tuple(np.stack([histogram(image.reshape(8, 8), args.bins) for image in images]) for images in (train, test))


def histogram(image, bins):
    """Return the directions of the edges in nine overlapping cells of one image, weighted by their strength."""
    down, right = np.gradient(image)
    strength = np.hypot(down, right)
    direction = np.floor((np.arctan2(down, right) + np.pi) / (2 * np.pi) * bins).astype(int) % bins
    cells = [(slice(y, y + 4), slice(x, x + 4)) for y in (0, 2, 4) for x in (0, 2, 4)]
    return np.concatenate([np.bincount(direction[c].ravel(), strength[c].ravel(), bins) for c in cells])


KINDS = {"pixels": pixels, "pca": components, "gradients": gradients}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what prepare.py wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--components", type=int, default=24, help="for pca")
    parser.add_argument("--bins", type=int, default=8, help="for gradients: how many directions")
    args = parser.parse_args()

    train, test = KINDS[args.kind](*(np.load(args.data / f"{part}_images.npy") for part in ("train", "test")), args)
    args.out.mkdir(parents=True, exist_ok=True)
    for part, values in (("train", train), ("test", test)):
        np.save(args.out / f"{part}_features.npy", values)
        shutil.copyfile(args.data / f"{part}_labels.npy", args.out / f"{part}_labels.npy")
    print(f"{args.kind}: {train.shape[1]} features for each of {len(train)} + {len(test)} images")


if __name__ == "__main__":
    main()
