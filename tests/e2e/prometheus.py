"""Reads Prometheus' text format 0.0.4 strictly: a scraper is more lenient, so what passes here passes there."""

from __future__ import annotations

import dataclasses
import re

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SAMPLE = re.compile(rf"^({_NAME})(?:\{{(.*)\}})? (\S+)$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
_VALUE = re.compile(r"^([+-]?\d+(\.\d+)?([eE][+-]?\d+)?|[+-]Inf|NaN)$")


_SELECTOR = re.compile(r"\b(up|(?:spillway|http_server|queue|activation_wait|active_usage)_\w+)"
                       r"(?:\{((?:[^}\"]|\"[^\"]*\")*)\})?")


def selectors(expr: str):
    """(metric, labels) of each selector of an expression that asks for metrics of ours."""
    for name, inside in _SELECTOR.findall(expr):
        yield name, dict(re.findall(r'(\w+)\s*=~?\s*"([^"]*)"', inside))


@dataclasses.dataclass
class Sample:
    name: str
    labels: dict[str, str]
    value: float


@dataclasses.dataclass
class Family:
    name: str
    kind: str
    samples: list[Sample] = dataclasses.field(default_factory=list)

    def value(self, **labels: str) -> float:
        """0 when there is no such series: a counter that has not counted yet need not be there."""
        found = [s.value for s in self.samples if s.labels == labels]
        return found[0] if found else 0.0

    def count(self, **labels: str) -> float:
        return sum(s.value for s in self.samples
                   if s.name == f"{self.name}_count" and labels.items() <= s.labels.items())


def parse(text: str) -> dict[str, Family]:
    assert text.endswith("\n"), "the last line must end"
    families: dict[str, Family] = {}
    current: Family | None = None
    helped: set[str] = set()
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for line in text.splitlines():
        if line == "":
            continue
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in helped, f"two HELP lines: {name}"
            helped.add(name)
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in families, f"a family in two places: {name}"
            assert kind in ("counter", "gauge", "histogram", "summary", "untyped"), line
            current = families[name] = Family(name, kind)
            continue
        assert not line.startswith("#"), line
        match = _SAMPLE.match(line)
        assert match, f"not a sample: {line!r}"
        name, inside, value = match[1], match[2] or "", match[3]
        assert _VALUE.match(value), line
        labels, at = {}, 0
        while at < len(inside):
            label = _LABEL.match(inside, at)
            assert label, f"bad labels: {line!r}"
            assert label[1] not in labels, f"a label twice: {line!r}"
            labels[label[1]] = label[2]
            at = label.end()
        assert current is not None and _belongs(name, labels, current), f"outside of its family: {line!r}"
        series = (name, tuple(sorted(labels.items())))
        assert series not in seen, f"a series twice: {line!r}"
        seen.add(series)
        current.samples.append(Sample(name, labels, float(value.replace("Inf", "inf"))))
    for family in families.values():
        assert family.name in helped, f"no HELP: {family.name}"
        if family.kind == "counter":
            assert family.name.endswith("_total"), family.name
        if family.kind == "histogram":
            _check_histogram(family)
    return families


def _belongs(name: str, labels: dict[str, str], family: Family) -> bool:
    if family.kind != "histogram":
        return name == family.name
    if name == f"{family.name}_bucket":
        return "le" in labels
    return name in (f"{family.name}_sum", f"{family.name}_count")


def _check_histogram(family: Family) -> None:
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    counts: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        key = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        if sample.name.endswith("_bucket"):
            buckets.setdefault(key, []).append((float(sample.labels["le"].replace("Inf", "inf")), sample.value))
        elif sample.name.endswith("_count"):
            counts[key] = sample.value
    assert buckets.keys() == counts.keys(), family.name
    for key, found in buckets.items():
        bounds, values = [b for b, _ in found], [v for _, v in found]
        assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), (family.name, key)
        assert values == sorted(values) and values[-1] == counts[key], (family.name, key)
