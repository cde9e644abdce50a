// The list of requests, and one of them in detail.

import { copyButton } from "./copy.js";
import { el, setText, svg } from "./dom.js";
import { clock, duration, number, t } from "./i18n.js";
import { act } from "./shell.js";
import { on, store } from "./store.js";

const columns = ["time", "client", "model", "route", "status", "in", "cached", "out", "first", "took"];
const numbers = new Set(["in", "cached", "out", "first", "took"]);
const widths = { in: "n", cached: "n", out: "n", first: "ms", took: "ms" };

// cells are the texts of a row.
function cells(r) {
  const some = (n) => (n ? (r.estimated ? "~" : "") + number(n) : "");
  return {
    time: clock(r.start),
    client: r.client || "—",
    model: r.model || "—",
    route: `${r.dialect} → ${r.upstream}${r.lane ? ` · ${t(`window.lane.short.${r.lane}`)}` : ""}`, // locale: window.lane.short.*
    status: r.state === "running" ? t("window.activity.running") : String(r.status),
    in: some(r.input), cached: some(r.cached), out: some(r.output),
    first: r.firstByteMs ? duration(r.firstByteMs) : "",
    took: took(r),
  };
}

function took(r) {
  return duration(r.state === "running" ? Math.max(0, Date.now() - Date.parse(r.start)) : r.durationMs);
}

export function activityPage(place) {
  const view = new Activity(place);
  return { leave: () => view.leave() };
}

class Activity {
  constructor(place) {
    this.rows = new Map();
    this.paused = false;
    this.missed = new Set();
    this.build(place);
    this.ends = [
      on("requests", (items, anew) => this.news(items, anew)),
      on("snapshot", () => this.teach()),
    ];
    this.redraw();
    this.visibility = () => this.tick();
    document.addEventListener("visibilitychange", this.visibility);
    document.addEventListener("keydown", this.keys = (e) => this.key(e));
  }

  leave() {
    for (const end of this.ends) end();
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    document.removeEventListener("visibilitychange", this.visibility);
    document.removeEventListener("keydown", this.keys);
  }

  build(place) {
    this.filter = el("input", { type: "search", id: "filter", placeholder: t("window.activity.filter"), "aria-label": t("window.activity.filter"), on: { input: () => this.refilter() } });
    this.state = el("select", { id: "state", "aria-label": t("window.activity.state"), on: { change: () => this.refilter() } },
      ["all", "running", "done", "failed"].map((s) => el("option", { value: s, text: t(`window.activity.state.${s}`) }))); // locale: window.activity.state.*
    this.pause = el("button", { type: "button", id: "pause", text: t("window.activity.pause"), on: { click: () => this.togglePause() } });
    const clear = el("button", { type: "button", id: "clear", text: t("window.activity.clear"), on: { click: () => act("/api/activity/clear") } });
    this.body = el("tbody", { on: { click: (e) => this.clicked(e) } });
    const head = el("tr", {}, columns.map((c) => el("th", {
      scope: "col", class: `c-${c} c-${widths[c] ?? c} ${numbers.has(c) ? "num" : ""}`, text: t(`window.activity.col.${c}`), // locale: window.activity.col.*
    })));
    this.table = el("div", { class: "scroll" }, el("table", { id: "requests" }, el("caption", { hidden: true, text: t("window.nav.activity") }), el("thead", {}, head), this.body));
    this.detail = el("section", { class: "detail", id: "detail", hidden: true, "aria-label": t("window.activity.detail") });
    this.split = el("div", { class: "split" }, this.table, this.detail);
    this.empty = el("div", { class: "empty", id: "empty" });
    place.append(el("div", { class: "head" }, el("h1", { text: t("window.nav.activity") }), this.filter, this.state, this.pause, clear), this.empty, this.split);
  }

  // news takes changes in: at once, or when the pause is over.
  news(items, anew) {
    if (this.paused) {
      this.anew ||= anew;
      for (const r of items) if (!this.rows.has(r.id)) this.missed.add(r.id);
      setText(this.pause, this.missed.size ? t("window.activity.resume.news", { Count: this.missed.size }) : t("window.activity.resume"));
      return;
    }
    if (anew) {
      this.redraw();
      return;
    }
    (this.waiting ??= new Map());
    for (const r of items) this.waiting.set(r.id, r);
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      for (const r of this.waiting.values()) this.put(r);
      this.waiting.clear();
      this.trim();
      this.after();
    });
  }

  redraw() {
    this.rows.clear();
    this.waiting?.clear();
    this.body.replaceChildren();
    for (const r of inOrder(store.requests)) this.put(r);
    if (this.selected && !this.rows.has(this.selected)) this.close();
    this.after();
  }

  trim() {
    for (const [id, row] of this.rows) {
      if (store.requests.has(id)) continue;
      row.tr.remove();
      this.rows.delete(id);
    }
  }

  after() {
    this.teach();
    this.tick();
    if (this.selected && store.requests.has(this.selected)) this.show(store.requests.get(this.selected));
  }

  // put shows a request in its row; a new row stands on top. Only what changed is
  // touched.
  put(r) {
    let row = this.rows.get(r.id);
    if (!row) {
      const tds = Object.fromEntries(columns.map((c) => [c, el("td", { class: `c-${c} ${numbers.has(c) ? "num" : ""}` })]));
      row = { tr: el("tr", { "data-id": r.id, tabindex: this.rows.size ? -1 : 0 }, Object.values(tds)), tds };
      this.rows.set(r.id, row);
      this.body.prepend(row.tr);
    }
    row.r = r;
    for (const [c, text] of Object.entries(cells(r))) {
      setText(row.tds[c], text);
      if (row.tds[c].title !== text && (c === "client" || c === "route" || c === "model")) row.tds[c].title = text;
    }
    row.tds.status.className = `c-status ${r.state === "failed" ? "failed" : ""} ${r.state === "running" ? "pulse" : ""}`;
    row.tr.hidden = !this.matches(r);
  }

  matches(r) {
    if (this.state.value !== "all" && r.state !== this.state.value) return false;
    const wanted = this.filter.value.trim().toLowerCase();
    if (!wanted) return true;
    const text = [r.id, r.client, r.userAgent, r.model, r.dialect, r.upstream, r.wire, r.lane, r.status, r.failure?.message, r.failure?.kind, r.failure?.code].join(" ").toLowerCase();
    return wanted.split(/\s+/).every((word) => text.includes(word));
  }

  refilter() {
    for (const row of this.rows.values()) row.tr.hidden = !this.matches(row.r);
  }

  togglePause() {
    this.paused = !this.paused;
    this.pause.setAttribute("aria-pressed", this.paused);
    setText(this.pause, t(this.paused ? "window.activity.resume" : "window.activity.pause"));
    this.missed.clear();
    if (!this.paused) {
      if (this.anew) this.redraw();
      else {
        for (const r of inOrder(store.requests)) if (this.rows.get(r.id)?.r !== r) this.put(r);
        this.trim();
        this.after();
      }
      this.anew = false;
    }
  }

  // tick moves the durations of what runs, as long as something does and somebody looks.
  tick() {
    const running = () => [...this.rows.values()].filter((row) => row.r.state === "running");
    const needed = !document.hidden && running().length > 0;
    if (!needed) {
      clearInterval(this.timer);
      this.timer = undefined;
    } else {
      this.timer ??= setInterval(() => {
        for (const row of running()) setText(row.tds.took, took(row.r));
        this.tick();
      }, 200);
    }
  }

  clicked(e) {
    const tr = e.target.closest("tr");
    if (tr && !String(getSelection())) this.select(tr.dataset.id);
  }

  key(e) {
    if (e.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) {
      e.preventDefault();
      this.filter.focus();
      return;
    }
    if (e.key === "Escape" && this.selected) {
      const row = this.rows.get(this.selected);
      this.close();
      row?.tr.focus();
      return;
    }
    const tr = e.target.closest?.("#requests tbody tr");
    if (!tr) return;
    if (e.key === "Enter" || e.key === " ") this.select(tr.dataset.id);
    else if (e.key === "ArrowDown" || e.key === "ArrowUp") this.move(tr, e.key === "ArrowDown" ? "nextElementSibling" : "previousElementSibling");
    else return;
    e.preventDefault();
  }

  move(from, way) {
    let to = from[way];
    while (to?.hidden) to = to[way];
    if (!to) return;
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  }

  select(id) {
    this.close();
    this.selected = id;
    const row = this.rows.get(id);
    row.tr.setAttribute("aria-selected", "true");
    this.detail.hidden = false;
    this.split.classList.add("open");
    this.show(row.r);
  }

  close() {
    this.rows.get(this.selected)?.tr.removeAttribute("aria-selected");
    this.selected = undefined;
    this.detail.hidden = true;
    this.split.classList.remove("open");
    this.drawn = undefined;
  }

  // show draws the detail pane of a request, if it is another than was drawn.
  show(r) {
    if (this.drawn === r) return;
    this.drawn = r;
    this.detail.replaceChildren(
      el("header", {}, el("h2", { text: `${r.client || "—"} · ${r.model || "—"}` }),
        el("button", { type: "button", text: "✕", "aria-label": t("window.close"), on: { click: () => this.close() } })),
      ...detail(r));
  }

  // teach shows what to do where there is nothing to see.
  teach() {
    const s = store.snapshot;
    const nothing = store.requests.size === 0;
    this.split.hidden = nothing;
    this.empty.hidden = !nothing;
    const now = nothing ? JSON.stringify([s.baseURL, s.account.known, s.proxyKey]) : "";
    if (!nothing || now === this.taught) return;
    this.taught = now;
    this.empty.replaceChildren(...lesson(s));
  }
}

// inOrder are requests in the order in which they began.
function inOrder(requests) {
  return [...requests.values()].sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
}

// detail is what is known of a request.
function detail(r) {
  const row = (id, value) => (value || value === 0) && [el("dt", { text: t(`window.detail.${id}`) }), el("dd", { text: value })]; // locale: window.detail.*
  const parts = [];
  if (r.failure) {
    parts.push(el("div", { class: "error" }, el("p", { text: r.failure.message }),
      r.failure.retryAfterMs > 0 && el("p", { text: t("window.detail.retryafter", { Time: duration(r.failure.retryAfterMs) }) })));
  }
  parts.push(el("dl", {},
    row("state", r.state === "running" ? t("window.activity.running") : `${r.status}${r.failure ? ` · ${r.failure.kind}${r.failure.code ? ` (${r.failure.code})` : ""}` : ""}`),
    row("time", clock(r.start)),
    row("route", `${r.dialect} → ${r.upstream}${r.wire ? ` (${r.wire})` : ""}`),
    row("lane", r.lane && t(`window.lane.${r.lane}`)), // locale: window.lane.*
    row("stream", t(r.stream ? "window.yes" : "window.no")),
    row("tokens", r.input || r.output ? t("window.detail.tokens.text", { In: number(r.input), Cached: number(r.cached), Out: number(r.output) }) + (r.estimated ? ` ${t("window.detail.estimated")}` : "") : ""),
    row("first", r.firstByteMs ? duration(r.firstByteMs) : ""),
    row("took", r.state === "running" ? "" : duration(r.durationMs))));
  if (r.durationMs > 0) parts.push(timing(r));
  if (r.attempts.length) {
    parts.push(el("h2", { text: t("window.detail.retries") }), el("ul", { class: "plain" }, r.attempts.map((a) =>
      el("li", { text: `${duration(a.atMs)}: ${a.status || "—"} ${a.reason} (${t("window.detail.pause", { Time: duration(a.pauseMs) })})` }))));
  }
  if (r.dropped.length) {
    parts.push(el("h2", { text: t("window.detail.dropped") }), el("ul", { class: "plain" }, r.dropped.map((d) => el("li", {}, el("code", { text: d.field }), ` ${d.reason}`))));
  }
  parts.push(el("dl", {}, row("agent", r.userAgent), row("id", r.id), row("cause", r.failure?.cause)));
  return parts.filter(Boolean);
}

// timing draws how long a request waited for its first byte, and how long it flowed.
function timing(r) {
  const wait = r.firstByteMs ? Math.min(100, (100 * r.firstByteMs) / r.durationMs) : 100;
  return svg("svg", { class: "timing", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "wait", x: 0, y: 0, width: wait, height: 4 }),
    svg("rect", { class: "flow", x: wait, y: 0, width: 100 - wait, height: 4 }));
}

// lesson says what to do first.
function lesson(s) {
  const base = s.baseURL || `http://127.0.0.1:${s.port}`;
  const key = s.proxyKey ? t("window.empty.yourkey") : "none";
  const snippet = (title, text) => [el("h2", { text: title }), el("div", { class: "snippet" }, el("pre", { text }), copyButton(() => text))];
  const parts = [];
  if (!s.account.known) {
    parts.push(el("h2", { text: t("window.empty.nokey") }), el("p", { text: t("window.empty.nokey.help") }),
      el("p", {}, el("a", { href: "#settings/auth.apiKey", text: t("window.addkey") })), el("p", { class: "soft", text: t("window.empty.demo") }),
      el("p", {}, el("button", { type: "button", text: t("window.empty.trydemo"), on: { click: () => act("/api/provider", { provider: "demo" }) } })));
  }
  parts.push(el("h2", { text: t("window.empty.title") }), el("p", { text: t("window.empty.help") }),
    ...snippet("Claude Code", `ANTHROPIC_BASE_URL=${base} ANTHROPIC_API_KEY=${key} claude`),
    ...snippet(t("window.empty.openai"), `OPENAI_BASE_URL=${base}/v1\nOPENAI_API_KEY=${key}`),
    ...snippet("curl", `curl ${base}/v1/chat/completions -H 'Content-Type: application/json' -H 'Authorization: Bearer ${key}' -d '{"model":"glm-4.6","messages":[{"role":"user","content":"Hello"}]}'`));
  return parts;
}
