#!/usr/bin/env python3
"""Thousands of idle connections from `gateway` to upstreams, all of which break when they are used again; loopback only.

usage: idle_upstreams.py GATEWAY [CONNECTIONS]

As many requests at once as there are to be connections, by clients of HTTP/2 with a hundred streams each: the upstream
answers none before all are there. Tells the memory that each connection takes while it is idle, then asks as many times
again; the upstream closes every old connection, with and without a reset in turn, at the first byte that it hears. One
request may meet several of those, so that the route tries again up to twenty times. Fails where a request fails, or where a connection takes more than the bound. Stays below 20,000 file descriptors.
"""
import os, selectors, socket, struct, sys, tempfile, time

from idle_clients import COUNT, connect, frame, memory, start

ENDPOINTS, STREAMS, BOUND = 100, 100, 12
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
MESH = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: idle, namespace: edge}}
spec:
  hosts: [idle.example]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]
  resolution: STATIC
  endpoints: [{endpoints}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: idle, namespace: edge}}
spec:
  host: idle.example
  trafficPolicy: {{loadBalancer: {{simple: ROUND_ROBIN}}, connectionPool: {{tcp: {{connectTimeout: 60s}}, http: {{idleTimeout: 300s}}}}}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: door, namespace: edge}}
spec:
  selector: {{app: door}}
  servers:
  - port: {{number: 80, name: http, protocol: HTTP}}
    hosts: ['*']
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: door, namespace: edge}}
spec:
  hosts: ['*']
  gateways: [door]
  http:
  - retries: {{attempts: 20, retryOn: 'reset,connect-failure'}}
    route: [{{destination: {{host: idle.example}}}}]
"""


def upstream(listener, count, told):
    """Serves until it is killed; tells how many connections there were, and how many of them were closed at reuse."""
    events = selectors.DefaultSelector()
    listener.setblocking(False)
    events.register(listener, selectors.EVENT_READ, None)
    waiting, old, closed, accepted = [], set(), 0, 0
    while True:
        for key, _ in events.select():
            if key.fileobj is listener:
                while True:
                    try:
                        client, _ = listener.accept()
                    except BlockingIOError:
                        break
                    accepted += 1
                    client.setblocking(False)
                    events.register(client, selectors.EVENT_READ, None)
                continue
            client = key.fileobj
            if client in old:
                old.discard(client)
                events.unregister(client)
                closed += 1
                if closed % 2:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                os.pwrite(told, struct.pack("QQ", accepted, closed), 0)
                continue
            try:
                said = client.recv(65536)
            except ConnectionError:
                said = b""
            if not said:
                events.unregister(client)
                client.close()
            elif accepted > count or waiting is None:
                client.sendall(ANSWER)
            else:
                waiting.append(client)
                if len(waiting) == count:
                    for client in waiting:
                        client.sendall(ANSWER)
                        old.add(client)
                    waiting = None
                    os.pwrite(told, struct.pack("QQ", accepted, closed), 0)


def ask(address, count):
    """As many requests at once; how many were answered with 200."""
    def text(value):
        return bytes([len(value)]) + value
    block = b"\x82\x86\x84\x00" + text(b":authority") + text(b"a")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
    clients = []
    for first in range(0, count, STREAMS):
        streams = min(STREAMS, count - first)
        said = preface + b"".join(frame(1, 5, 2 * at + 1, block) for at in range(streams))
        clients.append((connect(address, said), streams))
    served = 0
    for client, streams in clients:
        client.settimeout(120)
        held, ended = b"", 0
        while ended < streams:
            more = client.recv(65536)
            if not more:
                break
            held += more
            while len(held) >= 9 and len(held) >= 9 + int.from_bytes(held[:3], "big"):
                length, kind, flags = int.from_bytes(held[:3], "big"), held[3], held[4]
                served += kind == 1 and held[9:10] == b"\x88"
                ended += kind == 3 or kind in (0, 1) and flags & 1
                held = held[9 + length:]
        client.close()
    return served


def main():
    listener = socket.create_server(("0.0.0.0", 0), backlog=4096)
    told = os.memfd_create("told")
    os.pwrite(told, bytes(16), 0)
    child = os.fork()
    if child == 0:
        upstream(listener, COUNT, told)
    port = listener.getsockname()[1]
    listener.close()
    endpoints = ", ".join(f"{{address: 127.0.1.{at + 1}}}" for at in range(ENDPOINTS))
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        gateway, address = start(folder, MESH.format(port=port, endpoints=endpoints))
        try:
            before = memory(gateway)
            begun = time.monotonic()
            served = ask(address, COUNT)
            took = time.monotonic() - begun
            time.sleep(2)
            accepted, _ = struct.unpack("QQ", os.pread(told, 16, 0))
            each = (memory(gateway) - before) / COUNT / 1024
            print(f"{accepted} connections for {served} answers in {took:.1f} s; idle {each:.1f} KiB each (bound {BOUND})", flush=True)
            if (served, accepted) != (COUNT, COUNT) or each > BOUND:
                problems.append("not all were served at once, or idle connections take too much")
            served = ask(address, COUNT)
            _, closed = struct.unpack("QQ", os.pread(told, 16, 0))
            print(f"asked again: {served} of {COUNT} served, {closed} connections broken off when they were used", flush=True)
            if served != COUNT or closed == 0:
                problems.append("requests were lost, or nothing was used again")
        finally:
            gateway.terminate()
            gateway.wait(60)
            os.kill(child, 9)
            os.waitpid(child, 0)
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
