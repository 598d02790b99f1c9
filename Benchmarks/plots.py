#!/usr/bin/env python3
"""Draws what `benchmark all --json FILE` has measured.

    pip install matplotlib
    ./plots.py results.json ../Sources/SecureSockets/Documentation.docc/Resources
    ./plots.py results.json /tmp/look --format png

The same file gives the same drawings, byte for byte, with the same matplotlib.
"""

import argparse
import json
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

OURS = "secure-sockets"
# Okabe and Ito's colours can be told apart by everybody; the markers also without colours.
STACKS = {
    OURS: ("SecureSockets", "#0072B2", "o", "-"),
    "niossl": ("NIOSSL, handlers", "#D55E00", "s", "--"),
    "niossl-async": ("NIOSSL, NIOAsyncChannel", "#009E73", "^", ":"),
}
PEERS = [stack for stack in STACKS if stack != OURS]
PERCENTILES = ["p50", "p90", "p99", "p99.9", "max"]

plt.rcParams.update({
    "svg.fonttype": "none",  # Text stays text: small files, and it can be searched.
    "svg.hashsalt": "secure-sockets",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.7,
    "lines.linewidth": 2,
    "lines.markersize": 6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
})


class Run:
    """One run's results, found by suite and figure."""

    def __init__(self, path):
        report = json.loads(pathlib.Path(path).read_text())
        self.results = report["results"]
        machine, settings = report["machine"], report["settings"]
        swift = machine["swift"].split(" (")[0].removeprefix("Apple ")
        rounds = settings["rounds"]
        self.footnote = ", ".join([
            machine["processor"], f'{machine["cores"]} cores', machine["kernel"], swift,
            f"medians of {rounds} rounds" if rounds > 1 else "one round",
        ] + (["a tenth of the work"] if settings["quick"] else []))

    def find(self, suite, figure=None, **parameters):
        return [
            result for result in self.results
            if result["suite"] == suite and figure in (None, result["figure"])
            and all(result["parameters"].get(key) == value for key, value in parameters.items())
        ]

    def curve(self, results, stack, parameter):
        """The medians of one stack against one parameter."""
        points = sorted((r["parameters"][parameter], r["medians"][stack]) for r in results if stack in r["medians"])
        return [x for x, _ in points], [y for _, y in points]


def size_text(size):
    for unit, name in [(1 << 20, "MiB"), (1 << 10, "KiB")]:
        if size >= unit:
            return f"{size / unit:g} {name}"
    return f"{size:g} B"


def number_text(number, _=None):
    return f"{number:,.0f}" if number >= 10 else f"{number:g}"


def panels(title, count, height=4.4):
    figure, axes = plt.subplots(1, count, figsize=(9, height), squeeze=False)
    figure.text(0.012, 1 - 0.08 / height, title, va="top", fontsize=12.5, fontweight="bold")
    return figure, axes[0]


def draw_curves(axis, run, results, parameter, tick_text):
    for stack, (name, color, marker, line) in STACKS.items():
        x, y = run.curve(results, stack, parameter)
        if x:
            axis.plot(x, y, color=color, marker=marker, linestyle=line, label=name)
    ticks = sorted({result["parameters"][parameter] for result in results})
    axis.set_xscale("log")
    axis.tick_params(axis="x", rotation=45)
    axis.xaxis.set_major_locator(FixedLocator(ticks))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: tick_text(tick)))
    axis.set_ylim(bottom=0)
    axis.yaxis.set_major_formatter(FuncFormatter(number_text))


def finish(figure, run):
    """A legend above the panels, and below them where this was measured."""
    inch = 1 / figure.get_figheight()
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="upper left", bbox_to_anchor=(0.004, 1 - 0.33 * inch), ncols=3, frameon=False)
    figure.text(0.012, 0.07 * inch, run.footnote, fontsize=7.5, color="#555555")
    figure.tight_layout(rect=(0, 0.22 * inch, 1, 1 - 0.68 * inch))
    return figure


def ratios(run):
    results = run.find("main")
    if not results:
        return None
    figure, [axis] = panels("How many times as good as each peer: beyond the line is better", 1, 1.4 + 0.5 * len(results))
    thickness = 0.38
    for index, peer in enumerate(PEERS):
        name, color, *_ = STACKS[peer]
        values = []
        for result in results:
            ours, theirs = result["medians"][OURS], result["medians"][peer]
            values.append(theirs / ours if result["lowerIsBetter"] else ours / theirs)
        places = [row + (index - 0.5) * thickness for row in range(len(results))]
        axis.barh(places, values, thickness * 0.92, color=color, label=f"against {name}")
        for place, value in zip(places, values):
            axis.annotate(
                f"{value:.2f}", (0, place), xytext=(5, -0.5), textcoords="offset points", va="center", fontsize=8.5,
                color="white", fontweight="bold")
    axis.axvline(1, color="black", linewidth=1.2)
    axis.set_yticks(range(len(results)), [result["name"] for result in results])
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("work per CPU second, or memory saved: SecureSockets' figure as a multiple of the peer's")
    return finish(figure, run)


def sizes(run):
    if not run.find("sizes"):
        return None
    figure, axes = panels("Echoes by message size: higher is better", 2)
    for axis, name, unit in zip(axes, ["messages", "bytes"], ["thousand messages", "GB"]):
        draw_curves(axis, run, run.find("sizes", name), "bytes", size_text)
        axis.set_xlabel("message size")
        axis.set_ylabel(f"{unit} per CPU second")
    axes[0].yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count / 1000:g}"))
    return finish(figure, run)


def latency(run):
    counts = sorted({result["parameters"]["connections"] for result in run.find("latency")})
    if not counts:
        return None
    figure, axes = panels("Round trips of 128 B: lower is better", len(counts))
    for axis, connections in zip(axes, counts):
        results = run.find("latency", connections=connections)
        medians = {result["figure"]: result["medians"] for result in results}
        for stack, (name, color, marker, line) in STACKS.items():
            y = [medians[percentile][stack] for percentile in PERCENTILES]
            axis.plot(range(len(y)), y, color=color, marker=marker, linestyle=line, label=name)
        axis.set_xticks(range(len(PERCENTILES)), PERCENTILES)
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_formatter(FuncFormatter(number_text))
        axis.set_title("1 connection" if connections == 1 else f"{connections} connections", loc="left")
        axis.set_xlabel("percentile of the round trips")
        axis.set_ylabel("µs a round trip")
    return finish(figure, run)


def memory(run):
    results = run.find("scale", "memory")
    if not results:
        return None
    figure, [axis] = panels("Memory of an open connection: lower is better, and flat", 1)
    draw_curves(axis, run, results, "connections", number_text)
    axis.set_xlabel("open connections")
    axis.set_ylabel("KiB a connection")
    return finish(figure, run)


def costs(run):
    if not run.find("scale"):
        return None
    figure, axes = panels("Cost of work as open connections grow: lower is better, and flat", 2)
    for axis, name, unit in zip(axes, ["handshake cost", "echo cost"], ["a handshake", "an echo of 128 B"]):
        draw_curves(axis, run, run.find("scale", name), "connections", number_text)
        axis.set_xlabel("open connections")
        axis.set_ylabel(f"CPU µs {unit}")
    return finish(figure, run)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", help="what --json has written")
    parser.add_argument("folder", type=pathlib.Path, help="where the drawings go")
    parser.add_argument("--format", choices=["svg", "png"], default="svg")
    arguments = parser.parse_args()
    run = Run(arguments.results)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for draw in [ratios, sizes, latency, memory, costs]:
        figure = draw(run)
        if figure is None:
            print(f"benchmark-{draw.__name__}: not measured in this run")
            continue
        file = arguments.folder / f"benchmark-{draw.__name__}.{arguments.format}"
        figure.savefig(file, dpi=110, metadata={"Date": None, "Creator": None} if arguments.format == "svg" else None)
        plt.close(figure)
        print(file)


if __name__ == "__main__":
    main()
