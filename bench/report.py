#!/usr/bin/env python3
"""Makes doc/performance.md and its plots of what bench/run has measured.

    report.py RESULTS DOCUMENT       RESULTS/*.json; the plots become RESULTS/*.svg (by gnuplot)

The text is bench/report.md, in which a line "@@ goals", "@@ table NAME" and so on stands for what
is made here. What has a goal is printed too, with what it came to: met, not met, or open."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

MET, OPEN, NOT_MET = "met", "open", "**not met**"


class Results:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.runs = {path.stem: json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))}

    def rows(self, name, quantity=None):
        return [row for row in self.runs.get(name, {"rows": []})["rows"] if quantity in (None, row["quantity"])]

    def find(self, name, contender, quantity, kind):
        """The summary (a dict of median, q1, q3, low, high) of a contender, or None."""
        for row in self.rows(name, quantity):
            if row["contender"] == contender:
                return row.get(kind)
        return None


# ---- goals

def verdict(summary, goal):
    """By the 95% interval: all of it has to be on the right side."""
    if summary["high"] <= goal:
        return MET
    return NOT_MET if summary["low"] > goal else OPEN


def scaled(summary, function):
    """The summary of function(value), which falls where the value rises, or not."""
    result = {key: function(summary[key]) for key in ("median", "q1", "q3", "low", "high")}
    if result["q1"] > result["q3"]:
        result["q1"], result["q3"] = result["q3"], result["q1"]
        result["low"], result["high"] = result["high"], result["low"]
    return result


def compared(summary, other, function):
    """The summary of function(value, the other's), where neither is known better than its own interval."""
    if summary is None or other is None:
        return None
    result = scaled(summary, lambda value: function(value, other["median"]))
    ends = [function(summary[one], other[two]) for one in ("low", "high") for two in ("low", "high")]
    result["low"], result["high"] = min(ends), max(ends)
    return result


def over(value, by):
    return value / by


def under(value, by):
    return by / value


def row_of(what, goal_text, summary, goal, unit="", at_least=False, note=""):
    if summary is None:
        return (what, goal_text, "not measured", OPEN)
    if at_least:
        judged = verdict(scaled(summary, lambda value: -value), -goal)
    else:
        judged = verdict(summary, goal)
    text = number(summary["median"]) + unit
    if summary["q1"] != summary["q3"]:
        text += f" ({number(summary['q1'])}–{number(summary['q3'])})"
    return (what, goal_text, text + note, judged)


def echo_goals(results):
    rows = []
    cpu = "server CPU per round trip"
    echoes = [(n, s) for n in (50, 1000) for s in (64, 4096)]
    for who, goal in (("watch", 1.02), ("socket", 1.05)):
        for connections, size in echoes:
            summary = results.find(f"echo-{connections}-{size}", f"brink-{who}/epoll", cpu, "ratio")
            rows.append(row_of(f"echo, {who}, epoll, {connections} connections, {size} B", f"≤ {goal}", summary, goal))
    rows.append(row_of("bulk, socket, epoll", "≤ 1.05", results.find("bulk", "brink-socket/epoll", cpu, "ratio"), 1.05))
    for name, what, goal in (("echo-50-64", "echo, socket, io_uring, 50 connections", .95),
                             ("echo-1000-64", "echo, socket, io_uring, 1,000 connections", .95),
                             ("bulk", "bulk, socket, io_uring", 1.05)):
        summary = results.find(name, "brink-socket/io_uring", cpu, "ratio")
        loop = results.find(name, "io_uring", cpu, "ratio")
        rows.append(row_of(what, f"≤ {goal}", summary, goal))
        if summary and loop:
            rows.append(row_of(what + ", over the loop written by hand", "≤ 1.05", compared(summary, loop, over), 1.05))
    return rows


def count_goals(results):
    def count(who, quantity):
        return results.find("counts", who, quantity, "value")

    rows = []
    for who, goal in (("watch", 110), ("socket", 300)):
        rows.append(row_of(f"user instructions, {who}, epoll, 50 connections", f"≤ {goal}",
                           count(f"brink-{who}/epoll, 50", "user instructions per round trip"), goal))
    for backend, ones, fifties in (("epoll", 3.0, 2.05), ("poll", 3.0, 2.05), ("io_uring", 2.0, .10)):
        for who in ("watch", "socket") if backend != "io_uring" else ("socket",):
            for connections, goal in ((1, ones), (50, fifties)):
                # Of some thousand round trips a call more or less is none.
                rows.append(row_of(f"system calls, {who}, {backend}, {connections} connections", f"≤ {goal}",
                                   count(f"brink-{who}/{backend}, {connections}", "system calls per round trip"),
                                   goal + .002))
    most = [row["value"] for row in results.rows("counts", "allocations per round trip")]
    rows.append(row_of("allocations per round trip, the most of all", "0",
                       max(most, key=lambda value: value["median"]) if most else None, 0))
    rows.append(row_of("memory of a watch, epoll", "≤ 64 B", count("brink-watch/epoll", "idle connection"), 64, " B"))
    rows.append(row_of("memory of an idle connection, socket, epoll", "≤ 256 B",
                       count("brink-socket/epoll", "idle connection"), 256, " B"))
    return rows


def idle_goals(results):
    cpu = "server CPU per round trip"
    idle = results.runs.get("idle", {"settings": {"idle": 0}})["settings"]["idle"]
    by_hand = results.find("idle", f"epoll, {idle} idle", cpu, "ratio")
    rows = []
    for who in ("watch/epoll", "socket/epoll", "watch/io_uring", "socket/io_uring"):
        own = results.find("idle", f"brink-{who}, {idle} idle", cpu, "ratio")
        summary = compared(own, by_hand, under)
        rows.append(row_of(f"throughput beside {idle} idle connections, {who}, over the hand-written loop's", "≥ 0.98",
                           summary, .98, at_least=True))
    return rows


def loop_goals(results):
    rows = []
    for what, goal in (("start", .9), ("stop", .65), ("expire and call", .3), ("stop and start", .5)):
        rows.append(row_of(f"timers: {what}, over libev", f"≤ {goal}",
                           results.find("timers", "brink-watch/epoll", what, "ratio"), goal))
    rows.append(row_of("timers: postpone", "≤ 5 ns", results.find("timers", "brink-watch/epoll", "postpone", "value"), 5,
                       " ns"))
    rows.append(row_of("wakeup, one pending, over libuv", "≤ 1.0",
                       results.find("wakeup", "brink-watch/epoll", "wakeup, one pending", "ratio"), 1.0))
    for threads in ("1 thread", "2 threads", "4 threads"):
        own = results.find("tasks", "brink-watch/epoll", f"job from {threads}", "value")
        rows.append(row_of(f"tasks from {threads}", "≥ 30 M/s", own and scaled(own, lambda ns: 1000 / ns), 30, " M/s",
                           at_least=True))
    for who in ("watch", "socket"):
        rows.append(row_of(f"connect and close, {who}, epoll", "≤ 1.0",
                           results.find("connect", f"brink-{who}/epoll", "server CPU per connection", "ratio"), 1.0))
    return rows


def write_goals(results):
    rows = []
    mine = "brink-socket/epoll"
    for threads, factor in ((4, 1.5), (16, 1.5), (64, 1.0)):
        name = f"writers-{threads}"
        own = results.find(name, mine, "request", "value")
        peers = [results.find(name, peer, "request", "value") for peer in ("mutex", "libuv-write", "bufferevent")]
        best = min((peer for peer in peers if peer), key=lambda peer: peer["median"], default=None)
        summary = compared(own, best, under)
        rows.append(row_of(f"{threads} threads writing, over the best of mutex, libuv and bufferevent", f"≥ {factor}",
                           summary, factor, at_least=True))
    for part, goal in (("p99", 1), ("p99.9", 10)):
        own = results.find("writers-16", mine, f"submit, {part}", "value")
        rows.append(row_of(f"16 threads writing: submit, {part}", f"≤ {goal} µs",
                           own and scaled(own, lambda ns: ns / 1000), goal, " µs"))
    own = results.find("writers-1", mine, "request", "value")
    flat = results.find("writers-1", "double-buffer", "request", "value")
    summary = compared(own, flat, under)
    rows.append(row_of("1 thread writing, over the double buffer", "≥ 0.9", summary, .9, at_least=True))
    rows.append(row_of("light load: submit to receipt, p50, over write()", "≤ 1.05",
                       results.find("latency", mine, "submit to receipt, p50", "ratio"), 1.05))
    return rows


def http_goals(results):
    """Requests in a second are what wrk sees, and bounded by it, too; CPU time is the server's alone."""
    rows = []
    rate, cpu = "requests", "server CPU per request"
    for peer, what, goal in (("evhttp", "over evhttp", 1.5), ("libuv-http", "over libuv with the same parser", 1.0)):
        for backend in ("epoll", "io_uring"):
            for quantity, name in ((rate, "requests a second"), (cpu, "requests for the server's CPU time")):
                own = results.find("http", f"brink-http/{backend}", quantity, "ratio")
                # Its ratio is to evhttp already, of which the own row compares it with itself.
                beside = {"median": 1, "low": 1, "high": 1}
                if peer != "evhttp":
                    beside = results.find("http", peer, quantity, "ratio")
                summary = compared(own, beside, over if quantity == rate else under)
                rows.append(row_of(f"HTTP keep-alive under wrk: {name}, {backend}, {what}", f"≥ {goal}", summary, goal,
                                   at_least=True))
    return rows


def all_goals(results):
    return (echo_goals(results) + count_goals(results) + idle_goals(results) + loop_goals(results) +
            write_goals(results) + http_goals(results))


# ---- text

def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def totals(rows):
    counts = {kind: sum(row[3] == kind for row in rows) for kind in (MET, NOT_MET, OPEN)}
    return f"{counts[MET]} met, {counts[NOT_MET]} not met, {counts[OPEN]} open."


def goals_text(results):
    rows = all_goals(results)
    return totals(rows) + "\n\n" + table(("quantity", "goal", "median (quartiles)", ""), rows)


def print_goals(results):
    """The same on a terminal."""
    rows = all_goals(results)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print(*(text.ljust(width) for text, width in zip(row, widths)), row[3].strip("*"), sep="  ")
    print(totals(rows))


def results_text(results, name):
    rows = []
    for row in results.rows(name):
        value, ratio = row["value"], row.get("ratio")
        texts = [row["contender"], f"{row['quantity']}, {row['unit']}", number(value["median"])]
        texts.append(f"{number(value['q1'])}–{number(value['q3'])}" if value["count"] > 1 else "")
        texts.append(f"{ratio['median']:.3f}" if ratio else "")
        texts.append(f"{ratio['low']:.3f}–{ratio['high']:.3f}" if ratio else "")
        rows.append(texts)
    if not rows:
        return "Not measured."
    if not any(row[4] for row in rows):
        return table(("", "quantity", "value"), [row[:3] for row in rows])
    return table(("", "quantity", "median", "quartiles", "ratio", "95% interval"), rows)


def behind_text(results):
    """In which of the benchmarks which peer is ahead of libbrink's best."""
    lines = []
    for name in results.runs:
        for quantity in dict.fromkeys(row["quantity"] for row in results.rows(name)):
            rows = [row for row in results.rows(name, quantity) if "ratio" in row and "idle" not in row["contender"]]
            sign = -1 if any(row["unit"] == "1/s" for row in rows) else 1  # of them more is better
            own = [sign * row["ratio"]["median"] for row in rows if row["contender"].startswith("brink-")]
            ahead = [row["contender"] for row in rows if own and sign * row["ratio"]["median"] < min(own) and
                     not row["contender"].startswith("brink-")]
            if ahead:
                lines.append(f"- {name}, {quantity}: {', '.join(ahead)}")
    return "\n".join(lines) if lines else "None."


def timers_text(results, *words):
    settings = results.runs.get("timers", {"settings": {"timers": 0}})["settings"]
    return f"{settings['timers']:,} timers {' '.join(words)}"


def describe(machine):
    return (f"{machine['system']}, {machine['architecture']}, {machine['processors']} processors ({machine['processor']}), "
            f"libbrink {machine['libbrink']} by {machine['build']}")


def rounds_text(results):
    """Of how many ratios the medians are."""
    rounds = {name: run["settings"]["rounds"] for name, run in results.runs.items() if name != "counts"}
    usual = max(rounds.values(), key=list(rounds.values()).count)
    others = ", ".join(f"{name} {count}" for name, count in rounds.items() if count != usual)
    text = f"The median of {usual} such ratios is shown" + (f" (of {others})." if others else ".")
    # See interval_cut() in statistics.c.
    for count in sorted({count for count in rounds.values() if count < 6}):
        text += f" Of {count} the interval is all of their range, and {100 * (1 - 2 / 2 ** count):.0f}% sure."
    return text


def machine_text(results):
    """Where most of it was measured, and what was measured elsewhere."""
    places = {}
    for name, run in results.runs.items():
        places.setdefault(describe(run["machine"]), []).append(name)
    most, *others = sorted(places, key=lambda place: -len(places[place]))
    elsewhere = "; ".join(f"{', '.join(places[place])} on {place}" for place in others)
    loads = [float(run["machine"]["load"].split()[0]) for run in results.runs.values()]
    return (f"{most}. The load average at the beginning of each benchmark was {min(loads):.1f} to {max(loads):.1f}."
            + (f"\n\nMeasured elsewhere: {elsewhere}." if elsewhere else ""))


# ---- plots

def gnuplot(path, title, commands):
    head = f"""set terminal svg size 800,420 noenhanced font 'sans,12' background 'white'
set output '{path}'
set title '{title}'
set grid
set colorsequence podo
"""
    subprocess.run(["gnuplot"], input=head + commands, text=True, check=True)


def ratio_plot(results, name, quantity, title):
    rows = [(row["contender"], row["ratio"]) for row in results.rows(name, quantity) if "ratio" in row]
    rows = [row for row in rows if "none idle" not in row[0]]
    if not rows:
        return
    data = "".join(f'"{who}" {ratio["median"]} {ratio["q1"]} {ratio["q3"]}\n' for who, ratio in reversed(rows))
    wide = max(ratio["q3"] for _, ratio in rows) > 3
    gnuplot(results.folder / f"{name}.svg", title, f"""unset key
set xlabel 'ratio to the reference: median and quartiles, less is better'
set yrange [-0.5:{len(rows) - .5}]
{"set logscale x" if wide else ""}
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb 'gray40' dt 2
$data << END
{data}END
plot $data using 2:0:3:4:ytic(1) with xerrorbars pt 7 ps 0.8 lc rgb '#205080'
""")


def writers_plot(results):
    threads = [n for n in (1, 4, 16, 64) if results.rows(f"writers-{n}")]
    if not threads:
        return
    names = [row["contender"] for row in results.rows(f"writers-{threads[0]}", "request")]
    blocks, plots = "", []
    for index, who in enumerate(names):
        values = [(n, results.find(f"writers-{n}", who, "request", "value")) for n in threads]
        blocks += f"$d{index} << END\n" + "".join(
            f"{n} {1000 / value['median']} {1000 / value['q3']} {1000 / value['q1']}\n" for n, value in values) + "END\n"
        plots.append(f"$d{index} using 1:2:3:4 with yerrorlines pt 7 ps 0.6 title '{who}'")
    gnuplot(results.folder / "writers.svg", "Threads that write 64-byte requests to one connection", f"""{blocks}
set logscale x 2
set xlabel 'threads'
set ylabel 'million requests a second: median and quartiles'
set key outside
plot {", ".join(plots)}
""")


def make_plots(results):
    cpu = "server CPU per round trip"
    for name in ("echo-50-64", "echo-50-4096", "echo-1000-64", "echo-1000-4096", "bulk", "pipeline"):
        ratio_plot(results, name, cpu, f"{name}: server CPU per round trip")
    ratio_plot(results, "idle", cpu, "idle: server CPU per round trip, over the same without idle connections")
    ratio_plot(results, "connect", "server CPU per connection", "connect: server CPU per connection")
    ratio_plot(results, "http", "server CPU per request", "http: server CPU per request, over evhttp")
    writers_plot(results)


# ---- the document

def main(folder, document):
    results = Results(folder)
    if not results.runs:
        sys.exit(f"report: there is nothing in {folder}")
    make_plots(results)
    makers = {"machine": machine_text, "goals": goals_text, "behind": behind_text, "table": results_text,
              "timers": timers_text, "rounds": rounds_text}
    plots = os.path.relpath(folder, Path(document).parent)

    def replace(match):
        command, *arguments = match.group(1).split()
        if command == "plot":
            return f"![{arguments[0]}]({plots}/{arguments[0]}.svg)"
        return makers[command](results, *arguments)

    template = Path(__file__).with_name("report.md").read_text()
    Path(document).write_text(re.sub(r"^@@ (.*)$", replace, template, flags=re.MULTILINE))
    print_goals(results)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
