"""Configuration and requests: `hosts` virtual hosts of `routes` routes, half exact paths and half prefixes."""

import json

WORDS = ["orders", "reviews", "billing", "catalog", "checkout", "payments", "shipping", "inventory"]
# Documents in a file: files are bounded.
IN_FILE = 100


def domain(host):
    return f"*.app-{host}.example.com" if host % 50 == 49 else f"svc-{host}.ns-{host % 100}.example.com"


def path(host, route):
    word = lambda number: WORDS[number % len(WORDS)]
    return f"/api/v{host % 10}/{word(route)}-{route}/{word(host + route // 3)}/resource/"


def splitmix(state):
    """Numbers without end, the same on every machine."""
    mask = (1 << 64) - 1
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
        yield mixed ^ (mixed >> 31)


def requests(hosts, routes, count=4096):
    """Hits, each route as often as the others."""
    numbers = splitmix(7)
    made = []
    for _ in range(count):
        host, route = next(numbers) % hosts, next(numbers) % routes
        text = path(host, route) + ("" if route % 2 == 0 else "x/y")
        made.append((domain(host).replace("*", "www"), text))
    return made


def one():
    return [("svc-0.ns-0.example.com", path(0, 0))]


def virtual_service(host, routes):
    http = [
        {
            "match": [{"uri": {"exact" if route % 2 == 0 else "prefix": path(host, route)}}],
            "route": [{"destination": {"host": f"up-{(host + route) % 4}.example.com", "port": {"number": 80}}}],
        }
        for route in range(routes)
    ]
    return document("networking.istio.io/v1", "VirtualService", f"vs-{host}", {
        "hosts": [domain(host)], "gateways": ["door"], "http": http,
    })


def document(version, kind, name, spec):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "edge"}, "spec": spec}


def upstream(number, address):
    ip, port = address.rsplit(":", 1)
    return document("networking.istio.io/v1", "ServiceEntry", f"up-{number}", {
        "hosts": [f"up-{number}.example.com"],
        "addresses": [f"240.0.0.{number + 1}"],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
        "endpoints": [{"address": ip, "ports": {"http": int(port)}}],
    })


def policy(number, total):
    """Every tenth a DENY that never holds; among the others one, in the middle, that allows what the bench asks."""
    rules = []
    for rule in range(5):
        seed = number * 5 + rule
        who = [
            {"principals": [f"cluster.local/ns/ns-{seed + i}/sa/app-{seed}" for i in range(3)]},
            {"namespaces": [f"ns-{seed}", f"ns-{seed + 1}"]},
            {"ipBlocks": [f"10.{seed % 250}.{i}.0/24" for i in range(3)]},
        ][seed % 3]
        where = {"methods": ["GET", "POST"], "paths": [f"/admin-{seed}", f"/internal-{seed}/*"]}
        rules.append({"from": [{"source": who}], "to": [{"operation": where}]})
    if number == total // 2 + 1:
        allowed = {"from": [{"source": {"ipBlocks": ["127.0.0.0/8"]}}], "to": [{"operation": {"paths": ["/api/*"]}}]}
        rules[-1] = allowed
    action = "DENY" if number % 10 == 0 else "ALLOW"
    return document("security.istio.io/v1", "AuthorizationPolicy", f"policy-{number}", {
        "selector": {"matchLabels": {"app": "door"}}, "action": action, "rules": rules,
    })


def write(folder, hosts, routes, policies, upstream_address):
    """The mesh as files, and the proxy that it is for."""
    door = document("networking.istio.io/v1", "Gateway", "door", {
        "selector": {"app": "door"},
        "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
    })
    base = [door] + [upstream(number, upstream_address) for number in range(4)]
    base += [policy(number, policies) for number in range(policies)]
    mesh = folder / "mesh"
    mesh.mkdir(parents=True, exist_ok=True)
    (mesh / "base.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": base}))
    for start in range(0, hosts, IN_FILE):
        items = [virtual_service(host, routes) for host in range(start, min(hosts, start + IN_FILE))]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        (mesh / f"routes-{start:06}.json").write_text(text)
    proxy = {
        "type": "gateway", "namespace": "edge", "name": "door-0", "labels": {"app": "door"},
        "ip": "10.0.0.8", "service_account": "door",
    }
    (folder / "proxy.json").write_text(json.dumps(proxy))
    return mesh, folder / "proxy.json"
