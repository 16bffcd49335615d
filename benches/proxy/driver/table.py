"""Cells as a table, medians of the runs of each proxy; ratios are to the minimal hyper proxy of the same cells."""

import statistics

COLUMNS = [
    ("cpu_us", "CPU us/request", 1), ("requests_per_s", "requests/s", 0), ("c64_p99_us", "c=64 p99 us", 0),
    ("c1_p50_us", "c=1 p50 us", 0), ("c1_p99_us", "c=1 p99 us", 0), ("rss_idle_kib", "RSS MiB at start", 1),
    ("rss_kib", "RSS MiB", 1), ("kib_per_connection", "KiB/connection", 1), ("ready_s", "ready s", 1),
    ("swap_steady_p99_us", "p99 us before a swap", 0), ("swap_p99_us", "p99 us with a swap", 0),
]


def of(cells):
    by_proxy = {}
    for cell in cells:
        by_proxy.setdefault(cell["proxy"], []).append(cell)
    columns = [column for column in COLUMNS if any(column[0] in cell for cell in cells)]
    base = median(by_proxy.get("hyper", []), "cpu_us")
    lines = ["| proxy | " + " | ".join(title for _, title, _ in columns) + " | CPU : hyper |"]
    lines.append("|---" * (len(columns) + 2) + "|")
    for proxy, runs in by_proxy.items():
        skipped = [run["skipped"] for run in runs if "skipped" in run]
        if len(skipped) == len(runs):
            lines.append(f"| {proxy} | skipped: {skipped[0]} |" + " |" * len(columns))
            continue
        own = median(runs, "cpu_us")
        ratio = f"{own / base:.2f}" if own and base and proxy != "none" else ""
        lines.append(f"| {proxy} | " + " | ".join(text(runs, *column) for column in columns) + f" | {ratio} |")
    return "\n".join(lines)


def median(runs, key):
    values = [run[key] for run in runs if key in run]
    return statistics.median(values) if values else None


def text(runs, key, _title, digits):
    value = median(runs, key)
    if value is None:
        return ""
    if key in ("rss_kib", "rss_idle_kib"):
        value /= 1024
    return f"{value:,.{digits}f}"
