"""The statistics of the bench. Everything is drawn with a seed; nothing outside of Python's own library is needed."""

import itertools
import math
import random


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def sign_flip(differences, draws=10000, seed=1):
    """Two-sided p of the mean of paired differences, {task: [difference of each seed]}, being 0 in the tasks at hand.

    What chance does is read off the differences centred by task, with their signs flipped at random: what an arm is worth in one task
    and not in another is no noise. Centring takes (n - 1) / n of the variance of n seeds, which is given back. A task with one seed
    says nothing of chance, and p is 1 when none has more. All flips are gone through where these are no more than `draws`."""
    centred = []
    for values in differences.values():
        centre, n = mean(values), len(values)
        if n > 1:
            centred.extend((value - centre) * math.sqrt(n / (n - 1)) for value in values)
    if not centred:
        return 1.0
    seen = abs(sum(value for values in differences.values() for value in values)) - 1e-12
    if 2 ** len(centred) <= draws:
        flips = itertools.product((1, -1), repeat=len(centred))
    else:
        chance = random.Random(seed)
        flips = ([chance.choice((1, -1)) for _ in centred] for _ in range(draws))
    hits = total = 0
    for signs in flips:
        total += 1
        hits += abs(sum(sign * value for sign, value in zip(signs, centred))) >= seen
    return (hits + 1) / (total + 1)


def percentiles(values, confidence=0.95):
    values = sorted(values)
    rest = (1 - confidence) / 2
    low = values[max(0, math.floor(rest * len(values)))]
    high = values[min(len(values) - 1, math.ceil((1 - rest) * len(values)) - 1)]
    return low, high


def item_seed_interval(runs, draws=2000, seed=1):
    """Interval of the mean over tasks of a figure of each item in each run, {task: [[figure of each item] of each seed]}: seeds and
    items are drawn anew within each task, the same items for all of the task's seeds."""
    chance = random.Random(seed)
    means = []
    for _ in range(draws):
        total = []
        for rows in runs.values():
            items = chance.choices(range(len(rows[0])), k=len(rows[0]))
            drawn = chance.choices(rows, k=len(rows))
            total.append(mean(mean(row[i] for i in items) for row in drawn))
        means.append(mean(total))
    return percentiles(means)


def cluster_interval(clusters, draws=2000, seed=1):
    """Interval of the mean of all values, [[value…] of each cluster]; clusters are drawn anew whole."""
    chance = random.Random(seed)
    sums = [(sum(values), len(values)) for values in clusters]
    means = []
    for _ in range(draws):
        drawn = chance.choices(sums, k=len(sums))
        means.append(sum(total for total, _ in drawn) / sum(count for _, count in drawn))
    return percentiles(means)


def holm(ps):
    """{name: p} adjusted for their number."""
    adjusted, least = {}, 0.0
    for rank, (name, p) in enumerate(sorted(ps.items(), key=lambda item: item[1])):
        least = max(least, min(1.0, p * (len(ps) - rank)))
        adjusted[name] = least
    return adjusted


def worse_by_paired_test(before, after):
    """One-sided exact p of McNemar's test that `after` is not worse: small where it solves fewer of the same items."""
    lost = sum(1 for b, a in zip(before, after) if b > a)
    won = sum(1 for b, a in zip(before, after) if a > b)
    n = lost + won
    return sum(math.comb(n, k) for k in range(lost, n + 1)) / 2 ** n
