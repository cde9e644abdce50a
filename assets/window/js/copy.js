// A value to copy, for desktops without a clipboard tool; and the button that copies.

import { post } from "./api.js";
import { el, say } from "./dom.js";
import { t } from "./i18n.js";

// copyButton copies what text() returns.
export function copyButton(text) {
  return el("button", { type: "button", text: t("window.copy"), on: { click: async () => {
    try {
      await navigator.clipboard.writeText(text());
      say(t("window.copied"));
    } catch {
      say(t("window.notcopied"));
    }
  } } });
}

// copyPage shows one value, selected.
export function copyPage(place, what) {
  const field = el("input", { type: "text", readonly: true, class: "mono", "aria-label": t("window.copy.value") });
  place.append(el("div", { class: "head" }, el("h1", { text: t("window.nav.copy") })), el("p", { text: t("window.copy.help") }), field);
  post("/api/copy", { what }).then(({ text }) => {
    field.value = text;
    field.focus();
    field.select();
  }, (e) => say(e.message));
  return {};
}
