// Who is logged in, and how to log in.

import { post } from "./api.js";
import { el, say, setText } from "./dom.js";
import { clock, moment, number, t } from "./i18n.js";
import { act } from "./shell.js";
import { on, store } from "./store.js";

export function accountsPage(place) {
  const view = new Accounts(place);
  return { leave: () => view.end() };
}

// until names a time, with its day unless that is today: a week's quota is out for days.
function until(time) {
  return new Date(time).toDateString() === new Date().toDateString() ? clock(time) : moment(time);
}

class Accounts {
  constructor(place) {
    this.list = el("div", { id: "accounts" });
    this.login = el("section", { id: "login", "aria-label": t("window.accounts.login") });
    this.vault = el("p", { class: "soft", id: "vault" });
    place.append(el("div", { class: "accounts" },
      el("div", { class: "head" }, el("h1", { text: t("window.nav.accounts") })),
      this.list, this.login, this.keySection(), this.importSection(),
      el("section", {}, el("h2", { text: t("window.accounts.policy") }), el("p", { id: "policy", text: store.policy }), this.vault)));
    this.end = on("snapshot", () => this.draw());
    this.draw();
  }

  draw() {
    const s = store.snapshot;
    this.drawList(s);
    this.drawLogin(s);
    const where = s.vault.key ? t(`window.accounts.vault.${s.vault.key}`, { File: s.vault.file }) : ""; // locale: window.accounts.vault.*
    setText(this.vault, where);
  }

  // drawList shows the accounts. The same ones are not drawn again, so that what has the
  // focus keeps it.
  drawList(s) {
    const now = JSON.stringify([s.accounts, s.pool, s.vault.locked]);
    if (now === this.drawn) return;
    this.drawn = now;
    const parts = [];
    if (s.vault.locked) {
      parts.push(el("p", { class: "error" }, t("notice.vault.locked"), " ",
        el("button", { type: "button", text: t("window.problem.again"), on: { click: () => act("/api/accounts/read", {}) } })));
    }
    if (!s.accounts.length) parts.push(el("p", { id: "no-accounts", text: t("window.accounts.none") }));
    else {
      parts.push(el("p", { id: "pool", text: s.pool.alone ? t("window.accounts.alone", { Account: s.pool.alone }) : t("window.accounts.pool", { Count: s.pool.size }) }));
      if (s.pool.alone) parts.push(el("p", {}, el("button", { type: "button", id: "use-all", text: t("window.accounts.useall"), on: { click: () => act("/api/accounts/use", { name: "" }) } })));
      parts.push(el("ul", { class: "cards" }, s.accounts.map((a) => this.card(a, s))));
    }
    this.list.replaceChildren(...parts);
  }

  card(a, s) {
    const row = (id, value) => value && [el("dt", { text: t(`window.accounts.${id}`) }), el("dd", { text: value })]; // locale: window.accounts.*
    const state = t(`window.accounts.state.${a.state}`) + (a.until ? ` ${until(a.until)}` : ""); // locale: window.accounts.state.*
    const plans = a.plans.map((p) => t(`tray.plan.${p}`)).join(", "); // locale: tray.plan.*
    const buttons = [];
    if (s.pool.alone !== a.name && s.accounts.length > 1) buttons.push(el("button", { type: "button", class: "use", text: t("window.accounts.use"), on: { click: () => act("/api/accounts/use", { name: a.name }) } }));
    if (a.state === "login" && a.kind === "login") buttons.push(el("button", { type: "button", class: "main", text: t("window.accounts.relogin"), on: { click: () => this.begin(a.provider) } }));
    buttons.push(el("button", { type: "button", class: "rename", text: t("window.accounts.rename"), on: { click: () => this.rename(a) } }));
    buttons.push(el("button", { type: "button", class: "logout", text: t("window.accounts.logout"), on: { click: () => this.logout(a) } }));
    return el("li", { class: a.inUse ? "card in-use" : "card", "data-name": a.name, "data-state": a.state },
      el("header", {}, el("h2", { text: a.name }), el("span", { class: a.state === "ready" || a.state === "idle" ? "badge" : "badge over", text: state })),
      el("dl", {}, row("provider", t(`tray.provider.${a.provider}`)), row("plans", a.level ? `${plans} (${a.level})` : plans), // locale: tray.provider.*
        row("kind", t(`window.accounts.kind.${a.kind}`)), row("key", a.hint), // locale: window.accounts.kind.*
        row("requests", a.requests ? t("window.accounts.requests.text", { Count: number(a.requests), Failed: number(a.failures) }) : ""), row("added", moment(a.added))),
      el("div", { class: "buttons" }, buttons));
  }

  rename(a) {
    const name = prompt(t("window.accounts.rename.ask"), a.name);
    if (name && name !== a.name) act("/api/accounts/rename", { old: a.name, name });
  }

  logout(a) {
    if (confirm(t("window.accounts.logout.ask", { Account: a.name }))) act("/api/accounts/logout", { name: a.name });
  }

  begin(provider) {
    act("/api/login", { provider });
  }

  // drawLogin shows the ways in, or how the login stands that is going on.
  drawLogin(s) {
    const now = JSON.stringify([s.login, s.provider]);
    if (now === this.shownLogin) return;
    this.shownLogin = now;
    if (s.login) {
      this.login.replaceChildren(...this.waiting(s.login));
      return;
    }
    const providers = ["zai", "bigmodel"];
    if (s.provider === "demo") providers.push("demo");
    this.login.replaceChildren(el("h2", { text: t("window.accounts.login") }), el("p", { text: t("window.accounts.login.help") }),
      el("div", { class: "buttons" }, providers.map((p) =>
        el("button", { type: "button", class: p === s.provider ? "main" : null, id: `login-${p}`, text: t("window.accounts.login.to", { Provider: t(`tray.provider.${p}`) }), on: { click: () => this.begin(p) } }))));
  }

  waiting(login) {
    const text = el("input", { type: "text", class: "masked", id: "pasted", autocomplete: "off", spellcheck: "false", "aria-label": t("window.accounts.paste") });
    const wrong = el("p", { class: "wrong", role: "alert" });
    const give = async (e) => {
      e.preventDefault();
      try {
        await post("/api/login/paste", { text: text.value });
        setText(wrong, "");
      } catch (error) {
        setText(wrong, error.message);
      }
    };
    const parts = [el("h2", { text: t("window.accounts.login.to", { Provider: t(`tray.provider.${login.provider}`) }) }),
      el("p", { id: "login-step", role: "status", text: t(`window.accounts.step.${login.step || "start"}`) })]; // locale: window.accounts.step.*
    if (login.step === "browser" && login.url) {
      parts.push(el("p", {}, t("window.accounts.open"), " ", el("a", { id: "login-url", href: login.url, target: "_blank", rel: "noreferrer", text: t("window.accounts.openlink") })),
        el("form", { on: { submit: give } }, el("p", { class: "soft", text: t("window.accounts.paste.help") }),
          el("div", { class: "row" }, text, el("button", { type: "submit", id: "paste", text: t("window.accounts.paste") })), wrong));
    }
    parts.push(el("div", { class: "buttons" }, el("button", { type: "button", id: "cancel-login", text: t("window.accounts.cancel"), on: { click: () => act("/api/login/cancel", {}) } })));
    return parts;
  }

  // keySection is the form for a key by hand.
  keySection() {
    const provider = el("select", { id: "key-provider", "aria-label": t("window.accounts.provider") }, ["zai", "bigmodel", "custom"].map((p) =>
      el("option", { value: p, text: t(`tray.provider.${p}`), selected: p === store.snapshot.provider })));
    // No password field: browsers would offer to keep it, and take the page for a login.
    const key = el("input", { type: "text", class: "masked", id: "key", autocomplete: "off", spellcheck: "false", placeholder: t("window.accounts.key.form"), "aria-label": t("window.accounts.key") });
    const name = el("input", { type: "text", id: "key-name", autocomplete: "off", placeholder: t("window.accounts.name"), "aria-label": t("window.accounts.name") });
    const wrong = el("p", { class: "wrong", role: "alert", id: "key-wrong" });
    const save = el("button", { type: "submit", id: "key-save", text: t("window.accounts.addkey") });
    const submit = async (e) => {
      e.preventDefault();
      save.disabled = true;
      setText(wrong, "");
      try {
        await post("/api/accounts/key", { provider: provider.value, name: name.value, key: key.value });
        key.value = "";
        name.value = "";
      } catch (error) {
        setText(wrong, error.message);
      }
      save.disabled = false;
    };
    return el("section", {}, el("h2", { text: t("window.accounts.addkey") }), el("p", { text: t("window.accounts.addkey.help") }),
      el("form", { id: "key-form", on: { submit } }, el("div", { class: "row" }, provider, key, name, save), wrong));
  }

  importSection() {
    const notes = el("ul", { class: "plain soft", id: "import-notes" });
    const run = async () => {
      try {
        const answer = await post("/api/accounts/import", {});
        notes.replaceChildren(...answer.notes.map((n) => el("li", { text: n })));
      } catch (e) {
        notes.replaceChildren();
        say(e.message);
      }
    };
    return el("section", {}, el("h2", { text: t("window.accounts.import") }), el("p", { text: t("window.accounts.import.help") }),
      el("div", { class: "buttons" }, el("button", { type: "button", id: "import", text: t("window.accounts.import"), on: { click: run } })), notes);
  }
}
