// What to do where there is nothing to see yet.

import { copyButton } from "./copy.js";
import { el } from "./dom.js";
import { t } from "./i18n.js";
import { act } from "./shell.js";

// lesson says what to do first.
export function lesson(s) {
  const base = s.baseURL || `http://127.0.0.1:${s.port}`;
  const key = s.proxyKey ? t("window.empty.yourkey") : "none";
  const snippet = (title, text) => [el("h2", { text: title }), el("div", { class: "snippet" }, el("pre", { text }), copyButton(() => text))];
  const parts = [];
  if (!s.account.known) {
    parts.push(el("h2", { text: t("window.empty.nokey") }), el("p", { text: t("window.empty.nokey.help") }),
      el("p", {}, el("a", { href: "#accounts", text: t("window.login") })), el("p", { class: "soft", text: t("window.empty.demo") }),
      el("p", {}, el("button", { type: "button", text: t("window.empty.trydemo"), on: { click: () => act("/api/provider", { provider: "demo" }) } })));
  }
  parts.push(el("h2", { text: t("window.empty.title") }), el("p", { text: t("window.empty.help") }),
    ...snippet("Claude Code", `ANTHROPIC_BASE_URL=${base} ANTHROPIC_API_KEY=${key} claude`),
    ...snippet(t("window.empty.openai"), `OPENAI_BASE_URL=${base}/v1\nOPENAI_API_KEY=${key}`),
    ...snippet("curl", `curl ${base}/v1/chat/completions -H 'Content-Type: application/json' -H 'Authorization: Bearer ${key}' -d '{"model":"glm-4.6","messages":[{"role":"user","content":"Hello"}]}'`));
  return parts;
}
