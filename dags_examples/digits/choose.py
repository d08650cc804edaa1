"""Compare several models and keep the best."""

import argparse
import json
import shutil
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, required=True, help="a folder with one member for each evaluate.py")
    parser.add_argument("--models", type=Path, required=True, help="a folder with one member for each train.py")
    parser.add_argument("--best", type=Path, required=True)
    args = parser.parse_args()

    members = sorted(args.scores.iterdir())
    scores = [json.loads((member / "scores.json").read_text()) for member in members]
    best = max(range(len(scores)), key=lambda i: (scores[i]["accuracy"], -scores[i]["log_loss"]))
    args.best.mkdir(parents=True, exist_ok=True)
    shutil.copytree(args.models / members[best].name, args.best / "model")
    shutil.copyfile(members[best] / "predicted.npy", args.best / "predicted.npy")
    choice = {"best": scores[best]["name"], "scores": scores}
    (args.best / "choice.json").write_text(json.dumps(choice, sort_keys=True, indent=1) + "\n")
    for one in scores:
        print(f"{one['name']:>10}: accuracy {one['accuracy']:.4f}{'  <- best' if one is scores[best] else ''}")


if __name__ == "__main__":
    main()
