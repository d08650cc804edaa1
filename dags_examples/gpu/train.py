"""Fit a small network to two spirals; says which device it used, and checks the model that it keeps."""

import argparse
import json
import math
import os
from pathlib import Path

import torch
from torch import nn


def spirals(count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Points of two spirals, and which of them each is on."""
    turn = torch.rand(count, generator=generator).sqrt() * 3 * math.pi
    side = torch.randint(0, 2, (count,), generator=generator)
    angle = turn + side * math.pi
    points = torch.stack([turn * angle.cos(), turn * angle.sin()], dim=1) / 10
    return points + torch.randn(points.shape, generator=generator) * 0.01, side


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else "no GPU here"
    print(f"training on {device} ({name}) with PyTorch {torch.__version__}")
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    points, sides = (data.to(device) for data in spirals(4000, generator))
    network = nn.Sequential(
        nn.Linear(2, args.width), nn.Tanh(), nn.Linear(args.width, args.width), nn.Tanh(), nn.Linear(args.width, 2)
    ).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for epoch in range(args.epochs):
        for batch in torch.arange(len(points), device=device).split(200):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(points[batch]), sides[batch])
            loss.backward()
            optimizer.step()
        if epoch % 5 == 0 or epoch == args.epochs - 1:
            right = (network(points).argmax(1) == sides).float().mean().item()
            print(f"epoch {epoch}: loss {loss.item():.4f}, {right:.1%} right")

    torch.save({name: weights.cpu() for name, weights in network.state_dict().items()}, args.model)
    with open(os.environ["MLPIPE_METRICS"], "a") as metrics:
        metrics.write(json.dumps({"name": "accuracy", "value": right}) + "\n")
    Path(os.environ["MLPIPE_RESULT"]).write_text(json.dumps({"device": device, "accuracy": round(right, 4)}))


if __name__ == "__main__":
    main()
