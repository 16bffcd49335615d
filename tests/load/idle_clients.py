#!/usr/bin/env python3
"""Memory and patience of `gateway` under thousands of clients that do nothing, on loopback only.

usage: idle_clients.py GATEWAY [CONNECTIONS]

Opens connections of one kind after the other (heads that never end, idle after an answer, half closed, HTTP/2 with a
hundred waiting streams each), tells the memory that each costs and how an honest client fares beside them, and
fails where a bound is broken. Stays below 20,000 file descriptors.
"""
import os, re, resource, socket, statistics, struct, subprocess, sys, tempfile, time

GATEWAY = sys.argv[1]
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
PROXY = '{"type":"gateway","namespace":"edge","name":"door-0","ip":"10.0.0.8","labels":{"app":"door"},"service_account":"door"}'
MESH = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wait, namespace: edge}
spec:
  hosts: [wait.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door, namespace: edge}
spec:
  selector: {app: door}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ['*']
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: door, namespace: edge}
spec:
  hosts: ['*']
  gateways: [door]
  http:
  - match: [{uri: {prefix: /wait}}]
    fault: {delay: {fixedDelay: 60s, percentage: {value: 100}}}
    route: [{destination: {host: wait.example}}]
  - directResponse: {status: 200, body: {string: here}}
"""
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def start(folder, mesh=MESH):
    for name, text in (("mesh.yaml", mesh), ("proxy.json.txt", PROXY)):
        with open(os.path.join(folder, name), "w") as out:
            out.write(text)
    child = subprocess.Popen(
        [GATEWAY, "--config", os.path.join(folder, "mesh.yaml"), "--proxy", os.path.join(folder, "proxy.json.txt"),
         "--port-map", "80=127.0.0.1:0"],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "RUST_LOG": "info", "NO_COLOR": "1"})
    for line in child.stderr:
        found = re.search(r"listening.*?(127\.0\.0\.1:\d+)", re.sub(r"\x1b\[\d+m", "", line))
        if found:
            host, port = found.group(1).split(":")
            return child, (host, int(port))
    sys.exit("the gateway did not start")


def memory(child):
    with open(f"/proc/{child.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) * 1024


def connect(address, said):
    client = socket.create_connection(address, timeout=20)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(said)
    return client


GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


def honest(address, rounds=200):
    times = []
    client = connect(address, b"")
    for _ in range(rounds):
        begun = time.perf_counter()
        client.sendall(GET)
        answer = b""
        while not answer.endswith(b"here"):
            more = client.recv(4096)
            if not more:
                sys.exit("an honest client was cut off")
            answer += more
        times.append(time.perf_counter() - begun)
    client.close()
    times.sort()
    return times[int(len(times) * 0.99)] * 1000


def idle(address):
    client = connect(address, GET)
    answer = b""
    while not answer.endswith(b"here"):
        answer += client.recv(4096)
    return client


def half_closed(address):
    client = connect(address, b"GET / HTTP/1.1\r\nhost: a\r\nx: ")
    client.shutdown(socket.SHUT_WR)
    return client


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def streams(address):
    def text(value):
        return bytes([len(value)]) + value
    block = b"\x82\x86\x00" + text(b":path") + text(b"/wait") + b"\x00" + text(b":authority") + text(b"a")
    said = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
    said += b"".join(frame(1, 5, 2 * at + 1, block) for at in range(100))
    return connect(address, said)


def main():
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        child, address = start(folder)
        try:
            honest(address)
            kinds = [
                ("heads that never end", lambda: connect(address, b"GET / HTTP/1.1\r\nhost: a\r\nx: "), COUNT, 12),
                ("idle after an answer", lambda: idle(address), COUNT, 12),
                ("half closed", lambda: half_closed(address), COUNT, 12),
                ("HTTP/2 with 100 streams", lambda: streams(address), min(COUNT, 1000), 40 + 100 * 4),
            ]
            for name, make, count, bound in kinds:
                before = memory(child)
                clients = [make() for _ in range(count)]
                time.sleep(1.5)
                each = (memory(child) - before) / count / 1024
                p99 = honest(address)
                print(f"{name}: {count} connections, {each:.1f} KiB each (bound {bound}), honest p99 {p99:.2f} ms", flush=True)
                if each > bound:
                    problems.append(f"{name}: {each:.1f} KiB each")
                if name == "heads that never end":
                    begun = time.monotonic()
                    for client in clients:
                        client.settimeout(max(0.1, 13 - (time.monotonic() - begun)))
                        try:
                            while client.recv(4096):
                                pass
                        except TimeoutError:
                            problems.append("a head that never ends was waited for longer than its patience")
                            break
                        except ConnectionError:
                            pass
                    print(f"  all gone after {time.monotonic() - begun:.1f} s", flush=True)
                for client in clients:
                    client.close()
                time.sleep(1.5)
        finally:
            child.terminate()
            child.wait(20)
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
