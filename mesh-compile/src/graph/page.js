"use strict";
(() => {
  // The graph is data: it is shown by textContent and attributes, never as markup.
  const data = JSON.parse(document.getElementById("data").textContent);
  const WIDTH = 264, ROW = 22, HEAD = 46, GAP_X = 190, GAP_Y = 22, COLUMN_MAX = 16;
  const svg = document.getElementById("picture"), world = document.getElementById("world");
  const layer = (id) => document.getElementById(id);
  const byId = new Map(data.nodes.map((node) => [node.id, node]));
  const shape = (name, attributes = {}, parent = null, text = null) => {
    const one = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) one.setAttribute(key, attributes[key]);
    if (text !== null) one.textContent = text;
    if (parent) parent.appendChild(one);
    return one;
  };
  const element = (name, attributes = {}, parent = null, text = null) => {
    const one = document.createElement(name);
    for (const key in attributes) one.setAttribute(key, attributes[key]);
    if (text !== null) one.textContent = text;
    if (parent) parent.appendChild(one);
    return one;
  };
  const cut = (text, length) => (text.length > length ? text.slice(0, length - 1) + "…" : text);

  // A card is a gateway, a host or a service; its subsets and workloads are rows of it.
  const cards = new Map();
  const cardOf = new Map();
  const isCard = (node) => ["gateway", "host", "service", "external"].includes(node.kind) || (node.kind === "missing" && !node.parent);
  for (const node of data.nodes) {
    if (isCard(node)) {
      cards.set(node.id, { node, rows: [], x: 0, y: 0, level: -1 });
      cardOf.set(node.id, node.id);
    }
  }
  for (const node of data.nodes) {
    if ((node.kind === "subset" || node.kind === "missing") && cards.has(node.parent)) {
      cards.get(node.parent).rows.push({ node, indent: 0 });
      cardOf.set(node.id, node.parent);
    }
  }
  for (const edge of data.edges) {
    if (edge.kind !== "has") continue;
    const to = byId.get(edge.to);
    if (!to || to.kind !== "workload") continue;
    const card = cards.get(cardOf.get(edge.from));
    if (!card) continue;
    const under = card.rows.findIndex((row) => row.node.id === edge.from);
    const row = { node: to, indent: under >= 0 ? 1 : 0 };
    if (under >= 0) card.rows.splice(under + 1, 0, row); else card.rows.push(row);
    if (!cardOf.has(to.id)) cardOf.set(to.id, card.node.id);
  }
  // Workloads that no service has stand alone.
  for (const node of data.nodes) {
    if (!cardOf.has(node.id)) {
      cards.set(node.id, { node, rows: [], x: 0, y: 0, level: -1 });
      cardOf.set(node.id, node.id);
    }
  }
  const shares = new Map();
  // What a service does with its own requests: said on its card, a line to itself would tell less.
  const own = new Map();
  const told = (way) => [way.label, way.weight !== undefined && way.weight !== 100 ? `${way.weight}%` : "", ...(way.acts ?? [])].filter(Boolean).join(" ");
  for (const edge of data.edges) {
    if (edge.kind === "route" && cardOf.get(edge.from) === cardOf.get(edge.to)) {
      shares.set(edge.to, edge);
      if (edge.from === edge.to) own.set(edge.to, edge.ways);
    }
  }
  for (const card of cards.values()) {
    if (card.node.kind === "gateway") {
      card.lines = card.node.facts.filter((fact) => fact.label === "server").slice(0, 6).map((fact) => fact.value);
    } else {
      const routed = card.node.facts.filter((fact) => fact.label === "routed by").map((fact) => fact.value);
      const ways = (own.get(card.node.id) ?? []).map((way) => `↻ ${told(way) || "everything"}`);
      card.lines = [...routed.slice(0, 2), ...ways.slice(0, 4)];
      const more = Math.max(0, routed.length - 2) + Math.max(0, ways.length - 4);
      if (more) card.lines.push(`and ${more} more`);
    }
    card.height = HEAD + (card.rows.length + card.lines.length) * ROW + (card.rows.length + card.lines.length ? 6 : 0);
  }

  // Between cards, one line for each kind.
  const links = new Map();
  for (const edge of data.edges) {
    if (edge.kind === "has") continue;
    const from = cardOf.get(edge.from), to = cardOf.get(edge.to);
    if (!from || !to || from === to) continue;
    const key = JSON.stringify([from, edge.kind === "allow" ? to : edge.to, edge.kind]);
    if (!links.has(key)) links.set(key, { from, to, row: edge.kind === "allow" ? to : edge.to, kind: edge.kind, edges: [] });
    links.get(key).edges.push(edge);
  }
  const linkList = [...links.values()];

  // Levels: gateways first, then what they lead to, and so on; what nothing leads to goes below.
  const out = new Map(), into = new Map();
  for (const link of linkList) {
    (out.get(link.from) ?? out.set(link.from, []).get(link.from)).push(link.to);
    (into.get(link.to) ?? into.set(link.to, []).get(link.to)).push(link.from);
  }
  const linked = (card) => out.has(card.node.id) || into.has(card.node.id);
  let wave = [...cards.values()].filter((card) => card.node.kind === "gateway");
  const rest = () => [...cards.values()].filter((card) => card.level < 0 && linked(card));
  let start = 0;
  for (let guard = 0; guard < cards.size + 2; guard += 1) {
    for (const card of wave) card.level = start;
    let level = start;
    while (wave.length) {
      level += 1;
      const next = new Set();
      for (const card of wave) for (const to of out.get(card.node.id) ?? []) if (cards.get(to).level < 0) next.add(to);
      wave = [...next].map((id) => cards.get(id));
      for (const card of wave) card.level = level;
    }
    const left = rest();
    if (!left.length) break;
    // The ones that nothing leads to are where requests begin.
    const roots = left.filter((card) => !(into.get(card.node.id) ?? []).some((id) => cards.get(id).level < 0));
    wave = roots.length ? roots : left.slice(0, 1);
    start = [...cards.values()].some((card) => card.node.kind === "gateway") ? 1 : 0;
  }
  const columns = [];
  for (const card of cards.values()) if (card.level >= 0) (columns[card.level] ??= []).push(card);
  const ordered = (a, b) => a.node.namespace.localeCompare(b.node.namespace) || a.node.name.localeCompare(b.node.name);
  for (const column of columns) column?.sort(ordered);
  const place = new Map();
  const note = () => columns.forEach((column) => column?.forEach((card, index) => place.set(card.node.id, index / column.length)));
  note();
  const mean = (ids) => (ids?.length ? ids.reduce((sum, id) => sum + (place.get(id) ?? 0.5), 0) / ids.length : null);
  for (let sweep = 0; sweep < 6; sweep += 1) {
    const side = sweep % 2 ? out : into;
    for (const column of columns) {
      if (!column) continue;
      const want = new Map(column.map((card) => [card, mean(side.get(card.node.id)) ?? place.get(card.node.id)]));
      column.sort((a, b) => want.get(a) - want.get(b) || ordered(a, b));
    }
    note();
  }
  let x = 0, deepest = 0;
  const heightOf = (list) => list.reduce((sum, card) => sum + card.height + GAP_Y, 0);
  const pieces = [];
  for (const column of columns) {
    if (!column?.length) continue;
    for (let from = 0; from < column.length; from += COLUMN_MAX) {
      pieces.push({ list: column.slice(from, from + COLUMN_MAX), first: from === 0 });
    }
  }
  for (const piece of pieces) deepest = Math.max(deepest, heightOf(piece.list));
  for (const piece of pieces) {
    if (x) x += piece.first ? GAP_X : 60;
    let y = (deepest - heightOf(piece.list)) / 2;
    for (const card of piece.list) { card.x = x; card.y = y; y += card.height + GAP_Y; }
    x += WIDTH;
  }
  const across = Math.max(x, 4 * (WIDTH + 40));
  // What has no line, by namespace, below.
  const alone = new Map();
  for (const card of [...cards.values()].filter((card) => card.level < 0).sort(ordered)) {
    (alone.get(card.node.namespace) ?? alone.set(card.node.namespace, []).get(card.node.namespace)).push(card);
  }
  const zones = [];
  let below = deepest + (deepest ? 60 : 0);
  const many = Math.max(4, Math.min(8, Math.ceil(Math.sqrt([...alone.values()].flat().length * 0.7))));
  const tops = new Array(many).fill(below);
  for (const [namespace, list] of alone) {
    const base = Math.max(...tops);
    zones.push({ x: 0, y: base + 18, text: `${namespace || "cluster"}: without routes` });
    tops.fill(base + 32);
    for (const card of list) {
      const lane = tops.indexOf(Math.min(...tops));
      card.x = lane * (WIDTH + 40); card.y = tops[lane];
      tops[lane] += card.height + GAP_Y;
    }
    tops.fill(Math.max(...tops) + 10);
  }

  // Drawing.
  // Neighbours in the list of namespaces get colours far apart.
  const namespaces = [...new Set(data.nodes.map((node) => node.namespace))].sort();
  const hue = (text) => Math.round((namespaces.indexOf(text) * 137.5 + 210) % 360);
  for (const kind of ["route", "mirror", "allow"]) {
    const marker = shape("marker", { id: `arrow-${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg.querySelector("defs"));
    shape("path", { d: "M0 0 L8 4 L0 8 z", fill: `var(--${kind})` }, marker);
  }
  const rowY = new Map();
  for (const card of cards.values()) {
    const { node } = card;
    const group = shape("g", { class: `card ${node.kind}`, "data-id": node.id, tabindex: 0, transform: `translate(${card.x} ${card.y})` }, layer("cards"));
    shape("rect", { class: "body", width: WIDTH, height: card.height, rx: 8 }, group);
    shape("rect", { class: "band", width: 5, height: card.height, rx: 2.5, fill: `hsl(${hue(node.namespace)} 60% 50%)` }, group);
    const icon = { gateway: "⇥", host: "?", external: "☁", service: "◉", workload: "▪", missing: "✗" }[node.kind] ?? "";
    shape("text", { class: "name", x: 14, y: 20 }, group, `${icon} ${cut(node.name, node.mtls ? 19 : 30)}`);
    const notes = [node.namespace];
    if (node.kind === "gateway") notes.push("gateway");
    if (node.kind === "external") notes.push("outside the mesh");
    if (node.kind === "host") notes.push("no such service");
    if (node.kind === "missing") notes.push(node.facts[0]?.label ?? "missing");
    if (node.endpoints) notes.push(node.endpoints === 1 ? "1 endpoint" : `${node.endpoints} endpoints`);
    if (node.policies) notes.push(node.policies === 1 ? "1 policy" : `${node.policies} policies`);
    shape("text", { class: "soft", x: 14, y: 37 }, group, cut(notes.filter(Boolean).join(" · "), 46));
    if (node.mtls) shape("text", { class: `mtls ${node.mtls}`, x: WIDTH - 10, y: 20 }, group, `mTLS ${node.mtls}`);
    if (card.rows.length + card.lines.length) shape("line", { x1: 5, x2: WIDTH, y1: HEAD - 1, y2: HEAD - 1 }, group);
    let y = HEAD + 2;
    for (const line of card.lines) {
      shape("text", { class: "soft", x: 14, y: y + 15 }, group, cut(line, 38));
      y += ROW;
    }
    for (const row of card.rows) {
      const item = shape("g", { class: "item", "data-id": row.node.id }, group);
      shape("rect", { class: "row", x: 5, y, width: WIDTH - 6, height: ROW }, item);
      const share = shares.get(row.node.id);
      // The share of requests that no other route takes; else that of the first route.
      const ways = share?.ways.filter((way) => way.weight !== undefined) ?? [];
      const main = ways.find((way) => !way.label) ?? ways[0];
      if (main) shape("rect", { class: "share", x: 6, y: y + 1, width: (WIDTH - 8) * Math.min(100, main.weight) / 100, height: ROW - 2 }, item);
      const mark = { subset: "◇", missing: "✗" }[row.node.kind] ?? "▪";
      if (row.node.kind === "missing") item.classList.add("missing");
      shape("text", { x: 14 + row.indent * 16, y: y + 15 }, item, `${mark} ${cut(row.node.name, 24 - row.indent * 2)}`);
      let side = row.node.kind === "workload" ? `×${row.node.endpoints}` : "";
      if (main) side = `${main.label ? `${cut(main.label, 12)} ` : ""}${main.weight}%${ways.length > 1 ? ` +${ways.length - 1} more` : ""}`;
      shape("text", { class: "soft", x: WIDTH - 10, y: y + 15, "text-anchor": "end" }, item, side);
      if (!rowY.has(row.node.id) || row.node.kind !== "workload") rowY.set(row.node.id, card.y + y + ROW / 2);
      y += ROW;
    }
    card.group = group;
  }
  for (const zone of zones) shape("text", { class: "zone", x: zone.x, y: zone.y }, layer("labels"), zone.text);
  const slots = new Map();
  for (const link of linkList) {
    const from = cards.get(link.from), to = cards.get(link.to);
    const y1 = from.y + 24, y2 = rowY.get(link.row) && cards.get(cardOf.get(link.row)) === to ? rowY.get(link.row) : to.y + 24;
    const forward = to.x > from.x;
    const x1 = forward ? from.x + WIDTH : from.x, x2 = forward ? to.x : to.x + WIDTH;
    const sameColumn = to.x === from.x;
    const bend = sameColumn ? -90 : forward ? Math.max(60, (x2 - x1) / 2) : -Math.max(60, (x1 - x2) / 2);
    const end = sameColumn ? from.x : x2;
    const d = sameColumn
      ? `M${from.x} ${y1} C${from.x + bend} ${y1} ${end + bend} ${y2} ${end - 2} ${y2}`
      : `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    link.path = shape("path", { class: `edge ${link.kind}`, d, "marker-end": `url(#arrow-${link.kind})` }, layer("edges"));
    const ways = link.edges.flatMap((edge) => edge.ways);
    if (link.kind !== "allow" && ways.length) {
      const first = told(ways[0]);
      const text = ways.length === 1 ? first : `${first || "all"} +${ways.length - 1}`;
      // Labels of lines that end at one place stand above each other.
      const spot = `${Math.round(x2)}:${Math.round(y2)}`;
      const used = slots.get(spot) ?? 0;
      slots.set(spot, used + 1);
      const left = forward || sameColumn;
      link.label = shape("text", { class: "label", x: left ? x2 - 14 : x2 + 14, y: y2 - 7 - used * 13, "text-anchor": left ? "end" : "start" }, layer("labels"), cut(text, 30));
    }
  }

  // Looking around.
  let view = { x: 0, y: 0, k: 1 };
  const apply = () => world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`);
  const fit = () => {
    const box = svg.getBoundingClientRect();
    let right = WIDTH, bottom = HEAD;
    for (const card of cards.values()) { right = Math.max(right, card.x + WIDTH); bottom = Math.max(bottom, card.y + card.height); }
    const k = Math.min((box.width - 60) / (right + 20), (box.height - 90) / (bottom + 20), 1.25);
    // A mesh that is far too long to read is shown from its beginning.
    const tiny = k < 0.35;
    const scale = tiny ? Math.max(k, Math.min((box.width - 60) / (right + 20), 0.8)) : k;
    view = { k: scale, x: (box.width - right * scale) / 2, y: tiny ? 24 : Math.max(24, (box.height - 40 - bottom * scale) / 2) };
    if (view.x < 20) view.x = 20;
    apply();
  };
  const zoom = (factor, cx, cy) => {
    const k = Math.min(3, Math.max(0.05, view.k * factor));
    view = { k, x: cx - (cx - view.x) * (k / view.k), y: cy - (cy - view.y) * (k / view.k) };
    apply();
  };
  const middle = () => { const box = svg.getBoundingClientRect(); return [box.width / 2, box.height / 2]; };
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = svg.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  let drag = null;
  svg.addEventListener("pointerdown", (event) => { drag = { x: event.clientX - view.x, y: event.clientY - view.y, moved: false, target: event.target }; });
  svg.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const nx = event.clientX - drag.x, ny = event.clientY - drag.y;
    if (!drag.moved && Math.hypot(nx - view.x, ny - view.y) < 4) return;
    drag.moved = true; svg.classList.add("panning");
    view.x = nx; view.y = ny; apply();
  });
  const drop = () => {
    if (drag && !drag.moved) {
      const hit = drag.target.closest?.("[data-id]");
      if (hit) choose(hit.getAttribute("data-id")); else close();
    }
    drag = null; svg.classList.remove("panning");
  };
  svg.addEventListener("pointerup", drop);
  svg.addEventListener("pointerleave", () => { drag = null; svg.classList.remove("panning"); });

  // What belongs together.
  const around = (id) => {
    const own = cardOf.get(id);
    for (const link of linkList) {
      const near = link.from === own || link.to === own;
      link.path.classList.toggle("dim", Boolean(own) && !near);
      link.path.classList.toggle("near", Boolean(own) && near);
      link.label?.classList.toggle("dim", Boolean(own) && !near);
    }
    const near = new Set([own]);
    for (const link of linkList) if (link.from === own || link.to === own) { near.add(link.from); near.add(link.to); }
    for (const card of cards.values()) card.group.classList.toggle("dim", Boolean(own) && !near.has(card.node.id));
  };
  let chosen = null;
  layer("cards").addEventListener("pointerover", (event) => { const hit = event.target.closest("[data-id]"); if (hit && !drag) around(hit.getAttribute("data-id")); });
  layer("cards").addEventListener("pointerout", () => { if (!drag) around(chosen); });

  // Details.
  const details = document.getElementById("details");
  const place1 = (origin) => {
    if (!origin) return "";
    const where = origin.file ? `${origin.file}:${origin.line}:${origin.column}` : "built in";
    const who = origin.name ? `${origin.kind} ${origin.namespace ? origin.namespace + "/" : ""}${origin.name}` : "";
    return [where, who, origin.field].filter(Boolean).join("  ");
  };
  const link1 = (parent, id) => {
    const node = byId.get(id);
    const one = element("a", { role: "button", tabindex: 0 }, parent, node ? `${node.namespace ? node.namespace + "/" : ""}${node.name}` : id);
    one.addEventListener("click", () => { choose(id); show(id); });
  };
  const list = (title, edges, end) => {
    if (!edges.length) return;
    element("h3", {}, details, title);
    const items = element("ul", {}, details);
    for (const edge of edges) {
      const item = element("li", {}, items);
      link1(item, edge[end]);
      for (const way of edge.ways) {
        const text = [way.label || (edge.kind === "has" ? "" : "everything"), way.weight !== undefined ? `${way.weight}%` : "", ...(way.acts ?? [])].filter(Boolean).join(" · ");
        element("div", {}, item, text);
        element("span", { class: "at" }, item, place1(way.origin));
      }
    }
  };
  function choose(id) {
    const node = byId.get(id);
    if (!node) return;
    chosen = id;
    for (const card of cards.values()) card.group.classList.toggle("chosen", card.node.id === cardOf.get(id));
    around(id);
    details.hidden = false;
    details.replaceChildren();
    const shut = element("button", { class: "close", title: "Close (Esc)" }, details, "×");
    shut.addEventListener("click", close);
    element("h2", {}, details, node.name);
    const kind = { external: "service outside the mesh", host: "host without a service", missing: node.facts[0]?.label }[node.kind] ?? node.kind;
    element("p", { class: "kind" }, details, [kind, node.namespace && `namespace ${node.namespace}`].filter(Boolean).join(" · "));
    const facts = element("dl", {}, details);
    if (node.mtls) { element("dt", {}, facts, "mutual TLS"); element("dd", { class: node.mtls }, facts, node.mtls); }
    if (node.endpoints) { element("dt", {}, facts, "endpoints"); element("dd", {}, facts, String(node.endpoints)); }
    for (const fact of node.facts) {
      element("dt", {}, facts, fact.label);
      const value = element("dd", {}, facts, fact.value);
      if (fact.origin) element("span", { class: "at" }, value, place1(fact.origin));
    }
    const of = (kind, end) => data.edges.filter((edge) => edge.kind === kind && edge[end] === id);
    list("Routes from here", of("route", "from"), "to");
    list("Routes to here", of("route", "to"), "from");
    list("Mirrors from here", of("mirror", "from"), "to");
    list("Mirrors to here", of("mirror", "to"), "from");
    list("May call", of("allow", "from"), "to");
    list("May be called by", of("allow", "to"), "from");
    list("Has", of("has", "from"), "to");
    list("Part of", of("has", "to"), "from");
  }
  function close() {
    chosen = null; details.hidden = true; around(null);
    for (const card of cards.values()) card.group.classList.remove("chosen");
  }
  const show = (id) => {
    const card = cards.get(cardOf.get(id));
    if (!card) return;
    const [cx, cy] = middle();
    view.k = Math.max(view.k, 0.8);
    view.x = cx - (details.hidden ? 0 : 200) - (card.x + WIDTH / 2) * view.k;
    view.y = cy - (card.y + card.height / 2) * view.k;
    apply();
  };

  // Search.
  const search = document.getElementById("search"), count = document.getElementById("count");
  const haystack = data.nodes.map((node) => [node.id, [node.name, node.namespace, node.kind, node.mtls ?? "", ...node.facts.flatMap((fact) => [fact.value, fact.origin?.file ?? "", fact.origin?.name ?? ""])].join("\n").toLowerCase()]);
  let hits = [], turn = 0;
  const find = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    hits = words.length ? haystack.filter(([, text]) => words.every((word) => text.includes(word))).map(([id]) => id) : [];
    const marked = new Set(hits.map((id) => cardOf.get(id)));
    for (const card of cards.values()) card.group.classList.toggle("hit", marked.has(card.node.id));
    hits = [...marked];
    count.textContent = words.length ? `${hits.length} found` : "";
    turn = 0;
    if (hits.length) show(hits[0]);
  };
  search.addEventListener("input", find);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && hits.length) { turn = (turn + (event.shiftKey ? hits.length - 1 : 1)) % hits.length; show(hits[turn]); }
    if (event.key === "Escape") { search.value = ""; find(); search.blur(); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.target === search) return;
    if (event.key === "/") { event.preventDefault(); search.focus(); }
    else if (event.key === "Escape") close();
    else if (event.key === "0") fit();
    else if (event.key === "+" || event.key === "=") zoom(1.25, ...middle());
    else if (event.key === "-") zoom(0.8, ...middle());
    else if (event.key === "Enter") { const hit = document.activeElement?.getAttribute?.("data-id"); if (hit) choose(hit); }
  });
  document.getElementById("fit").addEventListener("click", fit);
  document.getElementById("in").addEventListener("click", () => zoom(1.25, ...middle()));
  document.getElementById("out").addEventListener("click", () => zoom(0.8, ...middle()));

  // Kinds of lines on and off.
  const names = { route: "routes", mirror: "mirrors", allow: "may call" };
  for (const kind in names) {
    if (!linkList.some((link) => link.kind === kind)) continue;
    const button = element("button", { "aria-pressed": "true" }, document.getElementById("filters"), names[kind]);
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      for (const link of linkList) if (link.kind === kind) {
        link.path.style.display = on ? "" : "none";
        if (link.label) link.label.style.display = on ? "" : "none";
      }
    });
    const entry = element("span", {}, document.getElementById("legend"));
    element("i", { style: `border-color: var(--${kind}); border-top-style: ${kind === "route" ? "solid" : kind === "mirror" ? "dashed" : "dotted"}` }, entry);
    entry.append(names[kind]);
  }
  const total = (kind) => data.nodes.filter((node) => node.kind === kind).length;
  element("span", {}, document.getElementById("legend"), [["gateway", "gateway", "gateways"], ["service", "service", "services"], ["external", "outside", "outside"], ["workload", "workload", "workloads"], ["missing", "missing", "missing"]].filter(([kind]) => total(kind)).map(([kind, one, several]) => `${total(kind)} ${total(kind) === 1 ? one : several}`).join(" · "));
  if (location.hash.length > 1) { const id = decodeURIComponent(location.hash.slice(1)); fit(); choose(id); } else fit();
  window.addEventListener("resize", apply);
})();
