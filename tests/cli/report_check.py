"""Checks what cmus-report wrote against the folds, or against a folder of cmus-predict: report_check.py RUN OUT

Computes pooled and per-fold metrics anew from predictions.csv, without any code of the project, and the width of the
accuracy's interval by a formula; parses every SVG; looks for anything in the page that could reach out of it. Prints what is wrong and exits 1.
"""
import collections
import csv
import glob
import hashlib
import json
import math
import os
import re
import sys
import xml.etree.ElementTree
from html.parser import HTMLParser

HEADS = {"fusion": "prob_", "om": "prob_om_", "im": "prob_im_", "tem": "prob_tem_"}
failures = []


def expect(condition, text):
    if not condition:
        failures.append(text)


def close(value, expected):
    if expected is None or value is None:
        return value is expected
    return math.isclose(value, expected, rel_tol=0, abs_tol=1e-12)


def auc(rows, column, name):
    positives = [float(row[column]) for row in rows if row["label"] == name]
    negatives = [float(row[column]) for row in rows if row["label"] != name]
    if not positives or not negatives:
        return None
    pairs = sum((p > n) + (p == n) / 2 for p in positives for n in negatives)
    return pairs / (len(positives) * len(negatives))


def agreement(truth, best):
    """Cohen's kappa and Matthews' correlation, from the counts of both."""
    cases, right = len(truth), sum(a == b for a, b in zip(truth, best))
    real, guessed = collections.Counter(truth), collections.Counter(best)
    both = sum(real[name] * guessed[name] for name in real)
    gain, most = right * cases - both, cases * cases - both
    spread = [cases * cases - sum(count * count for count in counter.values()) for counter in (real, guessed)]
    mcc = None if not spread[0] else gain / math.sqrt(spread[0] * spread[1]) if spread[1] else 0
    return {"kappa": gain / most if most else None, "mcc": mcc}


def calibration_error(tops):
    bins = collections.defaultdict(list)
    for top, right in tops:
        bins[max(0, math.ceil(top * 15 - 1e-13) - 1)].append(right - top)
    return sum(abs(sum(differences)) for differences in bins.values()) / len(tops)


def numbers(rows, prefix, classes):
    truth = [row["label"] for row in rows]
    table = [{name: float(row[prefix + name]) for name in classes} for row in rows]
    best = [max(classes, key=lambda name: one[name]) for one in table]
    right = [a == b for a, b in zip(truth, best)]
    areas = [auc(rows, prefix + name, name) for name in classes]
    recalls = [sum(r for r, t in zip(right, truth) if t == name) / truth.count(name) if name in truth else None
               for name in classes]
    squares = [sum((one[name] - (name == label)) ** 2 for name in classes) for one, label in zip(table, truth)]
    losses = [-math.log(max(one[label], 2**-52) / sum(one.values())) for one, label in zip(table, truth)]
    return {"accuracy": sum(right) / len(rows),
            "macro_auc": None if None in areas else sum(areas) / len(areas),
            "balanced_accuracy": None if None in recalls else sum(recalls) / len(recalls),
            **agreement(truth, best),
            "brier": sum(squares) / len(rows),
            "ece": calibration_error([(one[name], hit) for one, name, hit in zip(table, best, right)]),
            "log_loss": sum(losses) / len(rows)}


def check_interval(rows, results, prefix, classes, head):
    """The accuracy's interval is about as wide as the normal one with patients as clusters."""
    low, value, high = (results[scope]["accuracy"] for scope in ("low", "pooled", "high"))
    expect(low <= value <= high, f"{head}: accuracy {value} in [{low}, {high}]")
    patients = collections.defaultdict(float)
    for row in rows:
        best = max(classes, key=lambda name: float(row[prefix + name]))
        patients[row["patient_id"]] += (best == row["label"]) - value
    half = 1.96 * math.sqrt(sum(one * one for one in patients.values())) / len(rows)
    if len(patients) >= 90:
        expect(abs((high - low) / 2 - half) < 0.1 * half + 1 / len(rows), f"{head}: half width {(high - low) / 2}, {half}")


def check_numbers(folds, results, prefix, classes, head, external):
    per_fold = [numbers(rows, prefix, classes) for rows in folds]
    pooled = numbers([row for rows in folds for row in rows], prefix, classes)
    check_interval([row for rows in folds for row in rows], results, prefix, classes, head)
    scopes = {"pooled", "low", "high", "undefined_draws"} | (set() if external else {"mean", "sd", "folds"})
    expect(set(results) == scopes, f"{head}: {sorted(results)}")
    for key in pooled:
        values = [one[key] for one in per_fold]
        mean = sd = None
        if None not in values:
            mean = sum(values) / len(values)
            if len(values) > 1:
                sd = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
        expect(close(results["pooled"][key], pooled[key]), f"{head} pooled {key}: {results['pooled'][key]}, {pooled[key]}")
        if external:
            continue
        expect(close(results["mean"][key], mean), f"{head} mean {key}: {results['mean'][key]}, {mean}")
        expect(close(results["sd"][key], sd), f"{head} sd {key}: {results['sd'][key]}, {sd}")
        for number, value in enumerate(values):
            expect(close(results["folds"][number][key], value), f"{head} fold {number} {key}")


class Page(HTMLParser):
    """Tags must nest, nothing may be loaded, one script only, ids must be there once and links lead to them."""
    VOID = {"meta", "br", "link", "img", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.figures, self.scripts = [], set(), set(), 0, 0

    def handle_starttag(self, tag, attributes):
        expect(tag not in ("link", "iframe", "object", "form"), f"report.html holds a <{tag}>")
        self.scripts += tag == "script"
        self.figures += tag == "figure"
        for name, value in attributes:
            expect(not name.startswith("on"), f"report.html: <{tag} {name}=...>")
            if name == "id":
                expect(value not in self.ids, f"report.html: the id {value} is there twice")
                self.ids.add(value)
            if name in ("src", "href", "xlink:href"):
                image = tag == "img" and value.startswith("data:image/jpeg;base64,")
                expect(image or value.startswith("#"), f"report.html: {name}={value[:100]}")
            if tag == "a" and name == "href":
                self.links.add(value[1:])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        expect(self.open and self.open[-1] == tag, f"report.html: </{tag}> closes {self.open[-1:]}")
        if self.open:
            self.open.pop()


def count_pictures(heads, external):
    """Four of each head, four of the training; with TEM also of its bags: accuracy, weights, and distances in training."""
    training = 0 if external else 5 if "tem" in heads else 4
    return 4 * len(heads) + training + (2 if "tem" in heads else 0)


def check_files(out, heads, external):
    page = Page()
    with open(os.path.join(out, "report.html"), encoding="utf-8") as file:
        text = file.read()
    page.feed(text)
    expect(not page.open, f"report.html: not closed: {page.open}")
    expect(page.scripts == 1, f"report.html holds {page.scripts} scripts")
    expect(page.links and page.links <= page.ids, f"report.html: links lead nowhere: {page.links - page.ids}")
    expect("{{" not in text, "report.html: a field of the template is left")
    expect(not re.search(r"url\((?!#)|@import", text), "report.html: the style loads something")
    expect(page.figures == count_pictures(heads, external), f"report.html has {page.figures} figures")
    pictures = sorted(glob.glob(os.path.join(out, "figures", "*.svg")))
    expect(len(pictures) == count_pictures(heads, external), f"{len(pictures)} SVG files")
    for picture in pictures:
        xml.etree.ElementTree.parse(picture)
        with open(picture[:-3] + "png", "rb") as file:
            expect(file.read(8) == b"\x89PNG\r\n\x1a\n", f"{picture[:-3]}png is no PNG")
    with open(os.path.join(out, "MANIFEST.sha256"), encoding="utf-8") as file:
        for line in file:
            digest, name = line.rstrip("\n").split("  ")
            with open(os.path.join(out, name), "rb") as content:
                expect(hashlib.sha256(content.read()).hexdigest() == digest, f"MANIFEST.sha256: {name}")
    left = [name for _, folders, names in os.walk(out) for name in folders + names if name.endswith((".tmp", ".gp", ".log"))]
    expect(not left, f"left behind: {left}")


def main():
    run, out = sys.argv[1:]
    folds = []
    external = os.path.exists(os.path.join(run, "predictions.json"))
    for path in sorted(glob.glob(os.path.join(run, "" if external else "fold-*", "predictions.csv"))):
        with open(path, encoding="utf-8", newline="") as file:
            folds.append([row for row in csv.DictReader(file) if row["label"] and not row.get("missing")])
    with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
        summary = json.load(file)
    result = summary["runs"][0]
    expect(summary["external"] is external and (result["external"] is not None) is external, "summary.json: external")
    expect(len(result["heads"]) >= 1, "no head in summary.json")
    for head, results in result["heads"].items():
        check_numbers(folds, results, HEADS[head], result["classes"], head, external)
    with open(os.path.join(out, "summary.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    values = {(row["head"], row["scope"], row["metric"]): row["value"] for row in rows if not row["class"]}
    for head, results in result["heads"].items():
        for scope in ("pooled", "low", "high") if external else ("pooled", "low", "high", "mean", "sd"):
            value = results[scope]["macro_auc"]
            written = values[head, scope, "macro_auc"]
            expect(written == "undefined" if value is None else float(written) == value, f"summary.csv: {head} {scope}")
    check_files(out, result["heads"], external)
    for text in failures:
        print(text)
    sys.exit(bool(failures))


main()
