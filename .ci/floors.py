#!/usr/bin/env python3
"""Compares scores with floors: floors.py SCORES.json FLOORS.toml

Every line of the scores must be at or above its floor (percent). A line without a floor fails, so that new areas get one.
A score well above its floor is pointed out: floors only rise.
"""
import json
import re
import sys

scores = json.load(open(sys.argv[1]))
floors = {name: float(value) for name, value in re.findall(r'^"([^"]+)" = ([0-9.]+)$', open(sys.argv[2]).read(), re.M)}
failed = False
for name, score in sorted(scores.items()):
    percent = 100.0 * score["ok"] / score["total"] if score["total"] else 100.0
    floor = floors.get(name)
    if floor is None:
        print(f"{name}: no floor in {sys.argv[2]} (now {percent:.2f})")
        failed = True
    elif percent < floor:
        print(f"{name}: {percent:.2f} is below its floor {floor}")
        failed = True
    elif percent >= floor + 1:
        print(f"{name}: {percent:.2f}, its floor {floor} can rise")
for name in sorted(set(floors) - set(scores)):
    print(f"{name}: has a floor but no score")
    failed = True
sys.exit(1 if failed else 0)
