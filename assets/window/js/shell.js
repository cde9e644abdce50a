// What stands around every page: the status bar, the navigation, the banners.

import { post } from "./api.js";
import { el, say, setText, svg } from "./dom.js";
import { message, t } from "./i18n.js";
import { store } from "./store.js";

// act calls an intent, and says so if it fails.
export async function act(path, body) {
  try {
    await post(path, body);
    return true;
  } catch (e) {
    say(e.message);
    return false;
  }
}

const faces = {
  running: () => [svg("circle", { cx: 12, cy: 12, r: 11 }), svg("path", { d: "M13.4 3.1 6 13.2h5L9.6 21 18 10.3h-5.3z", fill: "var(--raised)" })],
  busy: () => [svg("circle", { cx: 12, cy: 12, r: 11 }), ...[6.5, 12, 17.5].map((cx) => svg("circle", { cx, cy: 12, r: 2, fill: "var(--raised)" }))],
  stopped: () => [svg("circle", { cx: 12, cy: 12, r: 9.8, fill: "none", stroke: "currentColor", "stroke-width": 2.4 }), svg("path", { d: "M13 5.8 7.9 13h3.5l-1 5.2 5.7-7.4h-3.5z" })],
  problem: () => [svg("path", { d: "M12 2 1.2 21.5h21.6z", "stroke-linejoin": "round", stroke: "currentColor", "stroke-width": 1.5 }), svg("path", { d: "M10.8 8.5h2.4v7h-2.4zM10.8 17.2h2.4v2.3h-2.4z", fill: "var(--raised)" })],
};

let bar;

function makeBar() {
  bar = { face: svg("svg", { viewBox: "0 0 24 24", fill: "currentColor", "aria-hidden": "true" }), line: el("strong"), under: el("span") };
  bar.line.setAttribute("role", "status"); // the count of what runs is not read out each time
  bar.power = el("button", { class: "switch", role: "switch", type: "button", id: "power", on: { click: toggle } });
  document.getElementById("bar").append(bar.face, el("div", { class: "status" }, bar.line, bar.under), bar.power);
}

async function toggle() {
  if (bar.busy) return; // not disabled meanwhile: it would lose the focus
  bar.busy = true;
  await act("/api/proxy", { action: isOn(store.snapshot) ? "stop" : "start" });
  bar.busy = false;
}

const isOn = (s) => s.phase === "running" || s.phase === "starting";

// drawBar shows the snapshot in the status bar.
export function drawBar() {
  const s = store.snapshot;
  if (!s) return;
  if (!bar) makeBar();
  const gone = store.ended || store.lost;
  const face = gone ? "problem" : s.face;
  if (bar.shown !== face) {
    bar.shown = face;
    bar.face.replaceChildren(...faces[face]());
    bar.face.setAttribute("class", `face face-${face}`);
  }
  const line = gone ? t(store.ended ? "window.ended" : "window.lost") : t(`window.status.${s.phase}`, { URL: s.baseURL }); // locale: window.status.*
  setText(bar.line, line);
  bar.line.title = line;
  setText(bar.under, gone ? t("window.ended.remedy") : under(s));
  bar.power.disabled = gone;
  bar.power.setAttribute("aria-checked", !gone && isOn(s));
  bar.power.setAttribute("aria-label", t("window.power"));
  bar.power.title = t(isOn(s) ? "window.power.stop" : "window.power.start");
}

function under(s) {
  const parts = [t(`tray.provider.${s.provider}`)]; // locale: tray.provider.*
  if (s.provider !== "custom") parts.push(t(`tray.plan.${s.plan}`)); // locale: tray.plan.*
  if (!s.account.known) parts.push(t("window.nokey"));
  if (s.active) parts.push(t("window.active", { Running: s.active }));
  return parts.join(" · ");
}

// drawNav marks the page that is shown.
export function drawNav(current) {
  const links = ["activity", "accounts", "log", "settings", "about"].map((name) =>
    el("li", {}, el("a", { href: `#${name}`, text: t(`window.nav.${name}`), "aria-current": name === current ? "page" : null })));
  const nav = document.getElementById("nav");
  nav.setAttribute("aria-label", t("window.nav"));
  nav.replaceChildren(el("ul", {}, links));
}

let banners = "";

// drawBanners shows the problems. The same ones are not drawn again: a button that has
// the focus keeps it.
export function drawBanners() {
  // The page of the check says itself what is to be done.
  const problems = (store.snapshot?.problems ?? []).filter((p) => p.kind !== "check" || !location.hash.startsWith("#verify"));
  const now = JSON.stringify([document.documentElement.lang, problems]);
  if (now === banners) return;
  banners = now;
  document.getElementById("banners").replaceChildren(...problems.map(banner));
}

function banner(p) {
  const buttons = [];
  if (p.freePort) buttons.push(el("button", { class: "main", type: "button", text: t("window.problem.useport", { Port: p.freePort }), on: { click: () => act("/api/port", { port: p.freePort }) } }));
  if (p.kind === "proxy" || p.kind === "port") buttons.push(el("button", { type: "button", text: t("window.problem.again"), on: { click: () => act("/api/proxy", { action: "start" }) } }));
  const leads = { login: ["window.login", "accounts"], account: ["window.login", "accounts"], vault: ["window.nav.accounts", "accounts"], check: ["window.verify.open", "verify"] }[p.kind];
  if (leads) buttons.push(el("button", { class: "main", type: "button", text: t(leads[0]), on: { click: () => { location.hash = leads[1]; } } }));
  if (p.kind !== "settings") buttons.push(el("button", { type: "button", text: t("window.problem.dismiss"), on: { click: () => act("/api/dismiss", { kind: p.kind }) } }));
  return el("section", { class: "banner", role: "alert" },
    el("div", {}, el("p", {}, el("strong", { text: message(p.text) }), ` ${message(p.remedy)}`),
      (p.details ?? []).map((d) => el("pre", { class: "soft", text: d }))),
    el("div", { class: "buttons" }, buttons));
}
