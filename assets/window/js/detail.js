// One request in detail.

import { el, svg } from "./dom.js";
import { duration, moment, number, t } from "./i18n.js";

// took is how long a request took, or has taken so far.
export function took(r) {
  return duration(r.state === "running" ? Math.max(0, Date.now() - Date.parse(r.start)) : r.durationMs);
}

// detail is what is known of a request.
export function detail(r) {
  const row = (id, value, more) => (value || value === 0) && [el("dt", { text: t(`window.detail.${id}`) }), el("dd", { text: value, ...more })]; // locale: window.detail.*
  const parts = [];
  if (r.failure) {
    parts.push(el("div", { class: "error" }, el("p", { text: r.failure.message }),
      r.failure.retryAfterMs > 0 && el("p", { text: t("window.detail.retryafter", { Time: duration(r.failure.retryAfterMs) }) })));
  }
  parts.push(el("dl", {},
    row("state", r.state === "running" ? t("window.activity.running") : `${r.status || "—"}${r.failure ? ` · ${r.failure.kind}${r.failure.code ? ` (${r.failure.code})` : ""}` : ""}`),
    row("time", moment(r.start)),
    row("route", `${r.dialect} → ${r.upstream}${r.wire ? ` (${r.wire})` : ""}`),
    row("lane", r.lane && t(`window.lane.${r.lane}`)), // locale: window.lane.*
    row("stream", t(r.stream ? "window.yes" : "window.no")),
    row("tokens", r.input || r.output ? t("window.detail.tokens.text", { In: number(r.input), Cached: number(r.cached), Out: number(r.output) }) + (r.estimated ? ` ${t("window.detail.estimated")}` : "") : ""),
    row("first", r.firstByteMs ? duration(r.firstByteMs) : ""),
    row("took", took(r), { class: r.state === "running" ? "live" : null })));
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
