"""Make raw images comparable, and split them; imported by ``prepare.py``."""

import numpy as np


def scale(images):
    """Bring grey values from 0..16 to 0..1."""
    return images / 16.0


def split(labels, test_share):
    """Return the row numbers of the training and of the test images; every digit is in both with the same share."""
    order = np.random.default_rng(20260101).permutation(len(labels))
    test = np.concatenate(
        [rows[: round(len(rows) * test_share)] for rows in (order[labels[order] == d] for d in range(10))]
    )
    return np.setdiff1d(order, test), np.sort(test)
