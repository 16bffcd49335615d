#!/usr/bin/env python3
"""The proxy bench: ours beside its peers, in one run, each on one core, over the same requests.

    just bench-proxy                      # builds, then measures everything that is installed
    benches/proxy/run.py --proxies relay,hyper,mesh-full --out cells.jsonl
    benches/proxy/run.py --table cells.jsonl

The proxy is pinned to one core, client (`wrk`) and upstream share another. Loopback, HTTP/1.1 with keep-alive, 8 request
headers, 128 bytes of body. What is not installed is skipped with a word. Only ratios inside one run say something.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from driver import cells, mesh_text, peers, table  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxies", default="all", help="names, separated by commas: " + ", ".join(peers.NAMES))
    parser.add_argument("--cells", default="saturated,single,connections", help="what is measured of each; also: swap")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a cell, at most 5")
    parser.add_argument("--repeat", type=int, default=1, help="each proxy so often; the table has the medians")
    parser.add_argument("--hosts", type=int, default=10_000, help="virtual hosts of mesh-full")
    parser.add_argument("--routes", type=int, default=100, help="routes of each of them")
    parser.add_argument("--policies", type=int, default=100, help="authorization policies of mesh-full, five rules each")
    parser.add_argument("--envoy", default=os.environ.get("MESH_ENVOY") or shutil.which("envoy"))
    parser.add_argument("--target", default=str(Path(__file__).parents[2] / "target/release"))
    parser.add_argument("--work", help="folder for configurations; kept, and used again where it is there")
    parser.add_argument("--out", help="append cells to this file, one JSON object a line")
    parser.add_argument("--table", metavar="FILE", help="print the table of a file of cells, and measure nothing")
    return parser.parse_args()


def main():
    options = arguments()
    options.seconds = min(options.seconds, 5.0)
    if options.table:
        lines = Path(options.table).read_text().splitlines()
        print(table.of([json.loads(line) for line in lines]))
        return 0
    for tool in ("wrk", "taskset"):
        if not shutil.which(tool):
            print(f"skipped: {tool} is not installed, and nothing can be measured without it")
            return 0
    if (os.cpu_count() or 1) < 2:
        print("skipped: the proxy and its client need a core each")
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, hard) if hard > 0 else 65536, hard))
    names = peers.NAMES if options.proxies == "all" else options.proxies.split(",")
    measured = []
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(options.work or temporary)
        work.mkdir(parents=True, exist_ok=True)
        with peers.Upstream(options) as upstream:
            for _ in range(options.repeat):
                for name in names:
                    measured.append(measure(name, options, work, upstream))
                    if options.out:
                        with open(options.out, "a") as out:
                            out.write(json.dumps(measured[-1]) + "\n")
    print(table.of(measured))
    return 0


def measure(name, options, work, upstream):
    cell = {"proxy": name}
    requests = mesh_text.requests(options.hosts, options.routes) if name.startswith("mesh-full") else mesh_text.one()
    stream = work / f"requests-{len(requests)}.txt"
    stream.write_text("".join(f"{host} {path}\n" for host, path in requests))
    try:
        with peers.start(name, options, work, upstream) as proxy:
            cell |= {"ready_s": proxy.ready_s, "rss_idle_kib": proxy.rss_kib()}
            for kind in options.cells.split(","):
                cell |= cells.KINDS[kind](proxy, stream, options.seconds)
            cell["rss_kib"] = proxy.rss_kib()
    except peers.Skipped as why:
        cell["skipped"] = str(why)
    print(json.dumps(cell), file=sys.stderr)
    return cell


if __name__ == "__main__":
    sys.exit(main())
