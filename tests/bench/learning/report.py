#!/usr/bin/env python3
"""Makes the tables and the plots of the bench from the lines that its runs left.

  report.py [--runs results/runs.jsonl] [--proposals results/proposals.jsonl] [--to results] [--reference tgd] [--budget 300]

Writes table.md, accuracy-light.svg and accuracy-dark.svg into --to. Where a run is there twice the later one counts."""

import argparse
import collections
import html
import pathlib

import arms
import bench
import stats

HERE = pathlib.Path(__file__).resolve().parent


def rate(text):
    return text.count("1") / len(text)


def percent(value, sign=False):
    return f"{100 * value:{'+' if sign else ''}.1f}"


def percents(interval):
    return " to ".join(percent(value, True) for value in interval)


def items(text):
    return [int(c) for c in text]


class Runs:
    """The lines of one model and one size of the test part."""

    def __init__(self, lines):
        self.by = {(r["arm"], r["budget"], r["task"], r["seed"]): r for r in lines}
        self.tasks = list(dict.fromkeys(r["task"] for r in lines))
        self.arms = list(dict.fromkeys(r["arm"] for r in lines))
        self.budgets = sorted({r["budget"] for r in lines} - {0})

    def of(self, arm, budget):
        """{(task, seed): run}; what costs nothing is there at every budget, and where it does not depend on the seed at every seed."""
        budget = 0 if arm in arms.FREE else budget
        return {(task, seed): run for (a, b, task, seed), run in self.by.items() if (a, b) == (arm, budget)}


def by_task(values):
    grouped = collections.defaultdict(list)
    for (task, _), value in sorted(values.items()):
        grouped[task].append(value)
    return grouped


def compared(runs, arm, reference, budget):
    """{(task, seed): difference of each item} where both have run."""
    ours, theirs = runs.of(arm, budget), runs.of(reference, budget)
    return {key: [a - b for a, b in zip(items(ours[key]["end"]), items(theirs[key]["end"]))] for key in ours if key in theirs}


def run_table(runs, reference, budget):
    """Markdown of all arms at a budget."""
    rows, ps = [], {}
    for arm in runs.arms:
        if not runs.of(arm, budget):
            continue
        if arm != reference:
            differences = compared(runs, arm, reference, budget)
            if differences:
                ps[arm] = stats.sign_flip(by_task({key: stats.mean(value) for key, value in differences.items()}))
    holm = stats.holm(ps)
    head = ["arm", *runs.tasks, f"against {reference}, points (95 %)", "p (Holm)", "below start", "calls", "tokens", "seconds"]
    for arm in runs.arms:
        found = runs.of(arm, budget)
        if not found:
            continue
        cells = [arm]
        for task in runs.tasks:
            ends = [rate(run["end"]) for (t, _), run in found.items() if t == task]
            cells.append(f"{percent(stats.mean(ends))} ({len(ends)})" if ends else "")
        if arm in ps:
            differences = compared(runs, arm, reference, budget)
            interval = stats.item_seed_interval(by_task(differences))
            means = [stats.mean(stats.mean(row) for row in rows_) for rows_ in by_task(differences).values()]
            cells += [f"{percent(stats.mean(means), True)} ({percents(interval)})", f"{holm[arm]:.3f}"]
        else:
            cells += ["", ""]
        worse = [stats.worse_by_paired_test(items(run["start"]), items(run["end"])) < 0.05 for run in found.values()]
        cells.append(f"{sum(worse)} of {len(worse)}")
        cells.append(f"{stats.mean(sum(run['calls'].values()) for run in found.values()):.0f}")
        cells.append(f"{stats.mean(sum(run['prompt_tokens'].values()) + sum(run['completion_tokens'].values()) for run in found.values()):.0f}")
        cells.append(f"{stats.mean(run['seconds'] for run in found.values()):.0f}")
        rows.append(cells)
    return table(head, rows)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def proposal_table(lines):
    grouped = collections.defaultdict(dict)
    for r in lines:
        grouped[r["task"], r["arm"]][r["state"]] = r
    rows = []
    for (task, arm), found in sorted(grouped.items()):
        gains = [[a - b for a, b in zip(items(r["after"]), items(r["before"]))] for r in found.values()]
        broken = sum(1 for row in gains for value in row if value < 0)
        fixed = sum(1 for row in gains for value in row if value > 0)
        solved = sum(r["before"].count("1") for r in found.values())
        failed = sum(r["before"].count("0") for r in found.values())
        interval = stats.cluster_interval(gains)
        rows.append([task, arm, str(len(gains)), f"{percent(stats.mean(stats.mean(row) for row in gains), True)} ({percents(interval)})",
                     f"{percent(stats.mean(sum(row) > 0 for row in gains))} %",
                     f"{percent(broken / solved)} %" if solved else "", f"{percent(fixed / failed)} %" if failed else "",
                     f"{stats.mean(sum(r['calls'].values()) for r in found.values()):.1f}",
                     f"{stats.mean(r['calls'].get('teacher', 0) for r in found.values()):.1f}",
                     f"{stats.mean(sum(r['prompt_tokens'].values()) + sum(r['completion_tokens'].values()) for r in found.values()):.0f}"])
    head = ["task", "arm", "states", "gain, points (95 %)", "helps", "broken of solved", "fixed of failing", "calls",
            "of the teacher", "tokens"]
    return table(head, rows)


# ---- Plots -------------------------------------------------------------------------------------------------------------------

THEMES = {"light": {"ink": "#1f2328", "faint": "#d0d7de", "paper": "#ffffff",
                    "lines": ["#0969da", "#cf222e", "#1a7f37", "#8250df", "#bf8700", "#0a7d91", "#953800", "#57606a"]},
          "dark": {"ink": "#e6edf3", "faint": "#30363d", "paper": "#0d1117",
                   "lines": ["#58a6ff", "#ff7b72", "#3fb950", "#bc8cff", "#d29922", "#39c5cf", "#ffa657", "#8b949e"]}}


def plot(runs, theme):
    """An SVG with a panel a task: mean test accuracy over calls, a line an arm; what costs no call is a dashed line."""
    colours = THEMES[theme]
    width, height, left, top, gap = 300, 220, 44, 34, 26
    shown = [arm for arm in runs.arms if arm != "start"]
    rows = (len(shown) + 3) // 4
    total_width = len(runs.tasks) * (width + left + gap)
    total_height = top + height + 44 + 18 * rows
    most = max([*runs.budgets, 1])
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width} {total_height}" font-family="sans-serif" font-size="12">',
           f'<rect width="100%" height="100%" fill="{colours["paper"]}"/>']

    def text(x, y, said, anchor="middle", size=12):
        out.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colours["ink"]}">'
                   f'{html.escape(said)}</text>')

    for number, task in enumerate(runs.tasks):
        origin = number * (width + left + gap) + left

        def place(calls, value, origin=origin):
            return origin + width * calls / most, top + height * (1 - value)

        text(origin + width / 2, top - 12, task, size=14)
        for share in (0, 0.25, 0.5, 0.75, 1):
            x, y = place(0, share)
            out.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x + width:.1f}" y2="{y:.1f}" stroke="{colours["faint"]}"/>')
            text(x - 6, y + 4, f"{100 * share:.0f}", "end")
        for calls in [0, *runs.budgets]:
            text(place(calls, 0)[0], top + height + 16, str(calls))
        text(origin + width / 2, top + height + 32, "calls")
        starts = [rate(run["start"]) for (_, _, t, _), run in runs.by.items() if t == task]
        for index, arm in enumerate(shown):
            colour = colours["lines"][index % len(colours["lines"])]
            points = [] if arm in arms.FREE else [(0, stats.mean(starts))]
            for budget in runs.budgets:
                ends = [rate(run["end"]) for (t, _), run in runs.of(arm, budget).items() if t == task]
                if ends:
                    points.append((budget, stats.mean(ends)))
            if arm in arms.FREE and points:
                points = [(0, points[0][1]), (most, points[0][1])]
            if len(points) < 2:
                continue
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
            dashed = ' stroke-dasharray="5 4"' if arm in arms.FREE else ""
            out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>')
            if arm not in arms.FREE:
                out.extend(f'<circle cx="{place(*p)[0]:.1f}" cy="{place(*p)[1]:.1f}" r="3" fill="{colour}"/>' for p in points[1:])
    for index, arm in enumerate(shown):
        x, y = left + (index % 4) * 130, top + height + 56 + 18 * (index // 4)
        colour = colours["lines"][index % len(colours["lines"])]
        out.append(f'<line x1="{x}" y1="{y - 4}" x2="{x + 18}" y2="{y - 4}" stroke="{colour}" stroke-width="2"'
                   f'{" stroke-dasharray=" + chr(34) + "5 4" + chr(34) if arm in arms.FREE else ""}/>')
        text(x + 24, y, arm, "start")
    return "\n".join([*out, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=pathlib.Path, default=HERE / "results/runs.jsonl")
    parser.add_argument("--proposals", type=pathlib.Path, default=HERE / "results/proposals.jsonl")
    parser.add_argument("--to", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--reference", default="tgd")
    options = parser.parse_args()
    parts = ["Made by report.py of the lines beside it; (n) is the number of runs.\n"]
    kinds = collections.defaultdict(list)
    for line in bench.lines(options.runs):
        kinds[line["model"], len(line["end"])].append(line)
    for (model, size), lines in kinds.items():
        runs = Runs(lines)
        for budget in runs.budgets or [0]:
            parts.append(f"## {model}, {budget} calls, test accuracy in % of {size} samples\n")
            parts.append(run_table(runs, options.reference, budget))
    proposals = bench.lines(options.proposals)
    for model in dict.fromkeys(line["model"] for line in proposals):
        parts.append(f"## {model}, single proposals, on 60 samples that none has seen\n")
        parts.append(proposal_table([line for line in proposals if line["model"] == model]))
    options.to.mkdir(parents=True, exist_ok=True)
    (options.to / "table.md").write_text("\n".join(parts), encoding="utf-8")
    if kinds:
        largest = Runs(max(kinds.values(), key=len))
        for theme in THEMES:
            (options.to / f"accuracy-{theme}.svg").write_text(plot(largest, theme), encoding="utf-8")
    print("\n".join(parts))


if __name__ == "__main__":
    main()
