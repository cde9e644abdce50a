// The list of requests.

import { detail, took } from "./detail.js";
import { el, setText } from "./dom.js";
import { clock, duration, number, t } from "./i18n.js";
import { lesson } from "./lesson.js";
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
    status: r.state === "running" ? t("window.activity.running") : String(r.status || "—"),
    in: some(r.input), cached: some(r.cached), out: some(r.output),
    first: r.firstByteMs ? duration(r.firstByteMs) : "",
    took: took(r),
  };
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
    this.sync();
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
    this.body = el("tbody", { on: { click: (e) => this.clicked(e), focusin: (e) => this.stopAt(e.target.closest("tr")) } });
    const head = el("tr", {}, columns.map((c) => el("th", {
      scope: "col", class: `c-${c} c-${widths[c] ?? c} ${numbers.has(c) ? "num" : ""}`, text: t(`window.activity.col.${c}`), // locale: window.activity.col.*
    })));
    this.none = el("p", { class: "nomatch soft", role: "status", hidden: true, text: t("window.activity.nomatch") });
    this.box = el("div", { class: "scroll" },
      el("table", { id: "requests", role: "grid", "aria-readonly": "true", "aria-label": t("window.nav.activity") }, el("thead", {}, head), this.body), this.none);
    this.title = el("h2");
    this.facts = el("div");
    this.detail = el("section", { class: "detail", id: "detail", hidden: true, "aria-label": t("window.activity.detail") },
      el("header", {}, this.title, el("button", { type: "button", text: "✕", "aria-label": t("window.close"), on: { click: () => this.leaveDetail() } })), this.facts);
    this.split = el("div", { class: "split" }, this.box, this.detail);
    this.empty = el("div", { class: "empty", id: "empty" });
    place.append(el("div", { class: "head" }, el("h1", { text: t("window.nav.activity") }), this.filter, this.state, this.pause, clear), this.empty, this.split);
  }

  // news takes changes in: at once, or when the pause is over.
  news(items, anew) {
    if (this.paused) {
      if (anew) this.missed.clear();
      for (const r of items) if (!this.rows.has(r.id)) this.missed.add(r.id);
      setText(this.pause, this.missed.size ? t("window.activity.resume.news", { Count: this.missed.size }) : t("window.activity.resume"));
      return;
    }
    if (anew) {
      this.sync();
      return;
    }
    (this.waiting ??= new Map());
    for (const r of items) this.waiting.set(r.id, r);
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw(this.waiting.values());
      this.waiting.clear();
    });
  }

  // sync makes the rows those of the store. What is there already stays where it is.
  sync() {
    this.waiting?.clear();
    this.draw(inOrder(store.requests).filter((r) => this.rows.get(r.id)?.r !== r));
  }

  // draw shows requests that changed. New rows stand on top; yet what a person looks at
  // stays where it is on the screen.
  draw(changed) {
    const held = this.box.scrollTop > 0 || this.selected ? this.rows.get(this.selected)?.tr ?? this.firstShown() : undefined;
    const before = held?.offsetTop;
    for (const r of changed) this.put(r);
    this.trim();
    if (held?.isConnected && !held.hidden) this.box.scrollTop += held.offsetTop - before;
    this.after();
  }

  trim() {
    for (const [id, row] of this.rows) {
      if (store.requests.has(id)) continue;
      row.tr.remove();
      this.rows.delete(id);
      if (id === this.selected) this.close();
    }
  }

  after() {
    this.teach();
    this.tick();
    this.reach();
    if (this.selected) this.show(this.rows.get(this.selected).r);
  }

  firstShown() {
    let tr = this.body.firstElementChild;
    while (tr?.hidden) tr = tr.nextElementSibling;
    return tr ?? undefined;
  }

  // reach sees to it that the tab key leads to a row that is there: the one that was
  // last used, else the first.
  reach() {
    const first = this.firstShown();
    this.none.hidden = first !== undefined || this.rows.size === 0;
    const used = this.stop?.isConnected && !this.stop.hidden && (this.stop === document.activeElement || this.stop.hasAttribute("aria-selected"));
    if (!used) this.stopAt(first);
  }

  stopAt(tr) {
    if (tr === this.stop) return;
    if (this.stop) this.stop.tabIndex = -1;
    this.stop = tr;
    if (tr) tr.tabIndex = 0;
  }

  // put shows a request in its row; a new row stands on top. Only what changed is
  // touched.
  put(r) {
    let row = this.rows.get(r.id);
    if (!row) {
      const tds = Object.fromEntries(columns.map((c) => [c, el("td", { class: `c-${c} ${numbers.has(c) ? "num" : ""}` })]));
      row = { tr: el("tr", { "data-id": r.id, tabindex: -1 }, Object.values(tds)), tds };
      this.rows.set(r.id, row);
      this.body.prepend(row.tr);
    }
    row.r = r;
    for (const [c, text] of Object.entries(cells(r))) {
      setText(row.tds[c], text);
      if (row.tds[c].title !== text && (c === "client" || c === "route" || c === "model")) row.tds[c].title = text;
    }
    row.tds.status.className = `c-status ${r.state === "failed" ? "failed" : ""} ${r.state === "running" ? "running" : ""}`;
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
    this.reach();
  }

  togglePause() {
    this.paused = !this.paused;
    this.pause.setAttribute("aria-pressed", this.paused);
    setText(this.pause, t(this.paused ? "window.activity.resume" : "window.activity.pause"));
    this.missed.clear();
    if (!this.paused) this.sync();
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
        const live = this.facts.querySelector(".live");
        if (live) setText(live, took(this.drawn));
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
      this.leaveDetail();
      return;
    }
    const tr = e.target.closest?.("#requests tbody tr");
    if (!tr) return;
    if (e.key === "Enter" || e.key === " ") this.select(tr.dataset.id);
    else if (e.key === "ArrowDown" || e.key === "ArrowUp") this.move(tr[e.key === "ArrowDown" ? "nextElementSibling" : "previousElementSibling"], e.key === "ArrowDown");
    else if (e.key === "Home" || e.key === "End") this.move(e.key === "Home" ? this.body.firstElementChild : this.body.lastElementChild, e.key === "Home");
    else return;
    e.preventDefault();
  }

  // move goes to a row, or to the next one that is shown. An open detail goes along.
  move(to, down) {
    while (to?.hidden) to = down ? to.nextElementSibling : to.previousElementSibling;
    if (!to) return;
    to.focus();
    if (this.selected) this.select(to.dataset.id);
  }

  select(id) {
    if (id === this.selected) return;
    this.rows.get(this.selected)?.tr.removeAttribute("aria-selected");
    this.selected = id;
    const row = this.rows.get(id);
    row.tr.setAttribute("aria-selected", "true");
    this.stopAt(row.tr);
    this.detail.hidden = false;
    this.detail.scrollTop = 0;
    this.split.classList.add("open");
    this.show(row.r);
    row.tr.scrollIntoView({ block: "nearest" }); // on a narrow screen the list has become lower
  }

  // leaveDetail closes the detail pane, and goes back to where it was opened.
  leaveDetail() {
    const row = this.rows.get(this.selected);
    this.close();
    row?.tr.focus();
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
    setText(this.title, `${r.client || "—"} · ${r.model || "—"}`);
    this.facts.replaceChildren(...detail(r));
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
