// What the program is, where it keeps things, what it sends.

import { get } from "./api.js";
import { el, say } from "./dom.js";
import { t } from "./i18n.js";

export function aboutPage(place) {
  const body = el("div", { class: "about" });
  place.append(el("div", { class: "head" }, el("h1", { text: t("window.nav.about") })), body);
  get("/api/about").then((about) => body.replaceChildren(...sections(about)), (e) => say(e.message));
  return {};
}

function sections(about) {
  const list = (...ids) => el("ul", { class: "plain" }, ids.map((id) => el("li", { text: t(id) })));
  const row = (name, value) => value && [el("dt", { text: name }), el("dd", {}, el("span", { class: "mono", text: value }))];
  return [
    el("section", {}, el("p", { text: t("window.about.what") }), el("dl", {},
      row(t("window.about.version"), `${about.version} (${about.go}, ${about.os})`),
      row(t("window.about.config"), about.paths.config), row(t("window.about.logs"), about.paths.logs),
      row(t("window.about.state"), about.paths.state), row(t("window.about.data"), about.paths.data))),
    el("section", {}, el("h2", { text: t("window.about.sends") }), list("window.about.sends.requests", "window.about.sends.identity", "window.about.sends.nothing")),
    el("section", {}, el("h2", { text: t("window.about.stores") }), list("window.about.stores.activity", "window.about.stores.log", "window.about.stores.settings")),
    el("section", {}, el("h2", { text: t("window.about.policy") }), el("p", { text: t("window.about.policy.text") }), el("p", {},
      el("a", { href: "https://docs.z.ai/devpack/overview", target: "_blank", rel: "noreferrer", text: "docs.z.ai" }), " · ",
      el("a", { href: "https://docs.bigmodel.cn/", target: "_blank", rel: "noreferrer", text: "docs.bigmodel.cn" }))),
    el("section", {}, el("h2", { text: t("window.about.licences") }), el("p", { text: t("window.about.licences.text") }), el("table", { id: "licences" },
      el("thead", {}, el("tr", {}, ...["module", "version", "licence"].map((name) => el("th", { scope: "col", text: t(`window.about.col.${name}`) })))), // locale: window.about.col.*
      el("tbody", {}, about.licences.map((l) => el("tr", {}, el("td", { text: l.module, title: l.module }), el("td", { text: l.version }), el("td", { text: l.licence })))))),
  ];
}
