"""What was measured, for people and for programs."""
import datetime
import os
import shlex
import sys

import plot
import proc_stats

COLOR = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text, code, stream=None):
    """`text` in colour where that is a terminal."""
    on = COLOR if stream is None else stream.isatty() and not os.environ.get("NO_COLOR")
    return f"\033[{code}m{text}\033[0m" if on else text


def number(value):
    """As many digits as mean something."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}"


def spread(bounds):
    """How far the rounds lay apart, unless there was just one."""
    if bounds is None or bounds[0] == bounds[1]:
        return ""
    return f"{number(bounds[0])}–{number(bounds[1])}"


def _rows(results):
    """Cells of the table, and the verdict of each row."""
    for r in results:
        yield ([r.metric, number(r.value), spread(r.spread), r.unit, r.peer or "",
                number(r.peer_value), spread(r.peer_spread),
                f"{r.ratio:.2f}" if r.ratio is not None else "",
                r.goal.text() if r.goal else ""], r.verdict)


_HEADINGS = ["metric", "value", "rounds", "unit", "peer", "peer's", "rounds", "ratio", "goal"]
_RIGHT = {1, 2, 5, 6, 7, 8}


def print_table(name, results, notes):
    rows = list(_rows(results))
    widths = [max(len(row[i]) for row in [_HEADINGS, *(cells for cells, _ in rows)])
              for i in range(len(_HEADINGS))]

    def render(cells):
        return "  ".join(cell.rjust(width) if i in _RIGHT else cell.ljust(width)
                         for i, (cell, width) in enumerate(zip(cells, widths)))
    print(f"\n{paint(name, '1')}")
    print(paint(render(_HEADINGS), "2"))
    for cells, verdict in rows:
        mark = {True: paint("  reached", "32"), False: paint("  missed", "31"), None: ""}[verdict]
        print((render(cells) + mark).rstrip())
    for text in notes:
        print(paint(f"note: {text}", "2"))


def write_json(path, results):
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(r.line() + "\n" for r in results)


def write_plots(folder, bench):
    """Each curve of the bench as a file; answers their names."""
    os.makedirs(folder, exist_ok=True)
    names = []
    for curve in bench.curves:
        names.append(f"{bench.name}_{curve['name']}.svg")
        with open(os.path.join(folder, names[-1]), "w", encoding="utf-8") as out:
            out.write(plot.svg(**curve))
    return names


def write_results(path, sections, command, packages):
    """RESULTS.md. `sections` are (name, summary, results, notes, plots)."""
    versions = ", ".join(f"{n} {v}" for n, v in proc_stats.package_versions(packages).items())
    lines = ["# The last full run of tools/bench", "",
             "Written by `tools/bench all --write_results`, not by hand. How to read it: "
             "[README.md](README.md).", "",
             f"* date: {datetime.date.today().isoformat()}",
             f"* machine: {proc_stats.machine()}",
             f"* command: `{shlex.join(command)}`",
             f"* versions: {versions}", ""]
    for name, summary, results, notes, plots in sections:
        lines += [f"## {name}", "", summary + ".", "",
                  "| " + " | ".join(_HEADINGS) + " | |",
                  "|" + "".join(" ---: |" if i in _RIGHT else " --- |"
                                for i in range(len(_HEADINGS))) + " --- |"]
        for cells, verdict in _rows(results):
            mark = {True: "reached", False: "**missed**", None: ""}[verdict]
            lines.append("| " + " | ".join([*cells, mark]) + " |")
        lines.append("")
        lines += [f"* {text}" for text in notes] + ([""] if notes else [])
        lines += [f"![{p}](plots/{p})" for p in plots] + ([""] if plots else [])
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines).rstrip("\n") + "\n")
