"""What is measured of a proxy."""

import json
import socket
import subprocess
import time
from pathlib import Path

from .peers import CLIENT_CORE, Skipped

SCRIPT = Path(__file__).parent / "stream.lua"


def wrk(proxy, stream, connections, seconds):
    command = [
        "taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", SCRIPT,
        f"http://127.0.0.1:{proxy.port}/", "--", stream,
    ]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    found = [line for line in ran.stdout.splitlines() if line.startswith("result ")]
    if not found:
        raise Skipped(f"wrk said: {(ran.stdout + ran.stderr).strip()[-200:]}")
    result = json.loads(found[0].removeprefix("result "))
    if result["failed"] or not result["requests"]:
        raise Skipped(f"{result['failed']} of {result['requests']} requests failed")
    return result


def saturated(proxy, stream, seconds):
    """64 connections, as fast as they go."""
    wrk(proxy, stream, 64, 1)
    before = proxy.cpu_seconds()
    result = wrk(proxy, stream, 64, seconds)
    spent = proxy.cpu_seconds() - before
    return {
        "cpu_us": round(spent * 1e6 / result["requests"], 2),
        "requests_per_s": round(result["requests"] / result["seconds"]),
        "core_busy": round(spent / result["seconds"], 2),
        "c64_p50_us": result["p50_us"],
        "c64_p99_us": result["p99_us"],
    }


def single(proxy, stream, seconds):
    """One connection, one request after the other."""
    result = wrk(proxy, stream, 1, seconds)
    return {"c1_p50_us": result["p50_us"], "c1_p99_us": result["p99_us"]}


def connections(proxy, stream, _seconds, count=2000):
    """Connections that have asked once and stay."""
    host, path = Path(stream).read_text().split("\n", 1)[0].split(" ")
    request = f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
    until = time.monotonic() + 5
    before, held = proxy.rss_kib(), []
    try:
        while len(held) < count and time.monotonic() < until:
            client = socket.create_connection(("127.0.0.1", proxy.port), timeout=2)
            held.append(client)
            client.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer or len(answer) < answer.index(b"\r\n\r\n") + 4 + 128:
                more = client.recv(4096)
                if not more:
                    raise Skipped("it closed a connection")
                answer += more
        return {"connections": len(held), "kib_per_connection": round((proxy.rss_kib() - before) / len(held), 2)}
    finally:
        for client in held:
            client.close()


def swap(proxy, stream, seconds):
    """The configuration read again under load: every file of it counts as changed, all tables are made anew."""
    if not proxy.reload:
        return {}
    steady = wrk(proxy, stream, 64, seconds)
    before = proxy.rss_kib()
    proxy.reload()
    swapped = wrk(proxy, stream, 64, 5)
    return {
        "swap_steady_p99_us": steady["p99_us"],
        "swap_p99_us": swapped["p99_us"],
        "swap_failed": swapped["failed"],
        "swap_rss_before_kib": before,
        "swap_rss_peak_kib": proxy.rss_kib("VmHWM"),
    }


KINDS = {"saturated": saturated, "single": single, "connections": connections, "swap": swap}
