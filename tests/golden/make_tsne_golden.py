"""Makes tsne.json: sets of points, and what scikit-learn's exact t-SNE makes of them.

    python3 make_tsne_golden.py tsne.json          (Debian: python3-sklearn)

Of each set: the points, the places that scikit-learn found, their Kullback-Leibler divergence, and the share of each
point's ten nearest neighbours that are among its ten nearest in the plane too.
"""
import json
import sys

import numpy as np
from sklearn.manifold import TSNE

NEIGHBOURS = 10


def nearest(points):
    squares = ((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    return np.argsort(squares, axis=1, kind="stable")[:, :NEIGHBOURS]


def preserved(points, places):
    return float(np.mean([len(set(a) & set(b)) for a, b in zip(nearest(points), nearest(places))])) / NEIGHBOURS


def describe(name, points, perplexity):
    points = np.round(points, 3).astype(np.float32)
    layout = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", method="exact", random_state=0, n_iter=1000)
    places = np.round(layout.fit_transform(points).astype(np.float64), 4)
    return {"name": name, "perplexity": perplexity, "points": [[round(float(x), 3) for x in row] for row in points],
            "places": places.tolist(), "divergence": float(layout.kl_divergence_),
            "preserved": preserved(points.astype(np.float64), places)}


def main():
    generator = np.random.default_rng(1)
    centres = generator.normal(0, 4, (4, 6))
    apart = centres[np.arange(120) % 4] + generator.normal(0, 1, (120, 6))
    near = centres[np.arange(150) % 4] * 0.4 + generator.normal(0, 1, (150, 6))
    turn = np.linspace(0, 3 * np.pi, 100)
    spiral = np.stack([turn * np.cos(turn), turn * np.sin(turn), generator.normal(0, 0.3, 100)], axis=1)
    sets = [describe("blobs apart", apart, 15), describe("blobs that overlap", near, 30), describe("spiral", spiral, 10)]
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(sets, file, separators=(",", ":"))
        file.write("\n")


main()
