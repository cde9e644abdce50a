// Every setting of the config file, as a form.

import { get, post } from "./api.js";
import { el, say, setText } from "./dom.js";
import { t } from "./i18n.js";
import { act } from "./shell.js";
import { on, store } from "./store.js";

const typingPause = 200;

export function settingsPage(place, target) {
  const view = new Settings(place, target);
  return {
    go: (rest) => view.show(rest),
    leave: () => view.end(),
    unsaved: () => view.changes.size > 0,
    mayLeave: () => view.changes.size === 0 || view.saving || confirm(t("window.settings.leave")),
  };
}

class Settings {
  constructor(place, target) {
    this.changes = new Map();
    this.fields = new Map();
    this.target = target;
    this.search = el("input", { type: "search", id: "search", placeholder: t("window.settings.search"), "aria-label": t("window.settings.search"), on: { input: () => this.find() } });
    this.file = el("p", { class: "soft" });
    this.problems = el("div");
    this.groups = el("div");
    this.none = el("p", { class: "soft", role: "status", hidden: true, text: t("window.settings.nomatch") });
    this.login = el("input", { type: "checkbox", role: "switch", id: "autostart", on: { change: async () => {
      if (!await act("/api/autostart", { enabled: this.login.checked })) this.showLogin();
    } } });
    this.loginRow = el("section", {}, el("div", { class: "field" }, el("label", { for: "autostart", text: t("window.settings.autostart") }),
      el("div", { class: "control" }, this.login), el("div", { class: "help", text: t("window.settings.autostart.help") })));
    this.count = el("span", { id: "count" });
    this.save = el("button", { class: "main", type: "button", id: "save", text: t("window.settings.save"), on: { click: () => this.store() } });
    this.bar = el("div", { class: "savebar", hidden: true }, this.count,
      el("button", { type: "button", id: "discard", text: t("window.settings.discard"), on: { click: () => this.load() } }), this.save);
    place.append(el("div", { class: "settings", on: { keydown: (e) => { if (e.key === "Enter" && e.target.matches(".field input")) this.store(); } } },
      el("div", { class: "head" }, el("h1", { text: t("window.nav.settings") }), this.search), this.file, this.problems, this.loginRow, this.groups, this.none, this.bar));
    // Somebody else may change the file; what is being typed here stays.
    this.end = on("snapshot", () => {
      this.showLogin();
      if (this.changes.size === 0 && !this.groups.contains(document.activeElement)) this.load();
    });
    this.showLogin();
    this.load();
  }

  // showLogin shows whether the program starts at login, which is no key of the file.
  showLogin() {
    const { possible, enabled } = store.snapshot.autostart;
    this.login.disabled = !possible;
    this.login.checked = enabled;
  }

  async load() {
    try {
      this.draw(await get("/api/settings"));
    } catch (e) {
      say(e.message);
    }
  }

  draw(form) {
    const now = JSON.stringify(form);
    if (now === this.drawn && this.changes.size === 0) return;
    this.drawn = now;
    this.changes.clear();
    this.fields.clear();
    this.writable = form.writable;
    setText(this.file, form.writable ? t("window.settings.file", { File: form.file }) : t("window.settings.nofile"));
    this.problems.replaceChildren(...form.problems.map((p) => el("p", { class: "error" }, el("span", { class: "mono", text: p.origin }), ` ${p.key} ${p.message}`)));
    this.groups.replaceChildren(...form.groups.map((g) => el("section", { "aria-labelledby": `group-${g.path}` },
      el("h2", { id: `group-${g.path}`, text: g.title }), el("p", { class: "soft", text: g.help }), g.keys.map((k) => this.field(k)))));
    this.find();
    this.update();
    if (this.target) this.show(this.target);
  }

  // show leads to one setting.
  show(path) {
    this.target = undefined;
    const field = this.fields.get(path);
    if (!field) {
      this.target = path;
      return;
    }
    this.search.value = "";
    this.find();
    this.marked?.classList.remove("target");
    this.marked = field.row;
    field.row.classList.add("target");
    field.row.scrollIntoView({ block: "center" });
    field.input.focus({ preventScroll: true });
  }

  field(k) {
    const id = `f-${k.path}`;
    const wrong = el("div", { class: "wrong", id: `${id}-wrong`, "aria-live": "polite" });
    const field = { k, wrong, initial: k.secret ? "" : k.value };
    field.input = this.input(k, id, field);
    field.input.setAttribute("aria-describedby", `${id}-help ${id}-wrong`);
    const locked = k.fixed || k.origin.from === "env" || !this.writable;
    if (locked) field.input.disabled = true;
    field.row = el("div", { class: "field", "data-path": k.path },
      el("label", { for: id, text: k.title }),
      el("div", { class: "control" }, this.control(k, field, locked), wrong),
      el("div", { class: "help", id: `${id}-help`, text: k.help }),
      el("div", { class: "meta" }, el("code", { text: k.path }), this.origin(k), this.allowed(k), k.default && !k.secret && el("span", { text: t("window.settings.default", { Value: k.default }) })));
    this.fields.set(k.path, field);
    return field.row;
  }

  input(k, id, field) {
    const listen = { input: () => this.typed(field), change: () => this.typed(field) };
    if (k.kind === "switch") return el("input", { type: "checkbox", role: "switch", id, checked: k.value === "true", on: { change: () => this.typed(field) } });
    if (k.kind === "choice") return el("select", { id, on: { change: () => this.typed(field) } }, k.choices.map((c) => el("option", { value: c.value, text: c.title, selected: c.value === k.value })));
    // No password field: browsers would offer to keep it, and take the page for a login.
    if (k.secret) return el("input", { type: "text", class: "masked", id, autocomplete: "off", spellcheck: "false", placeholder: k.set ? k.value : t("window.settings.notset"), on: listen });
    return el("input", { type: "text", id, value: k.value, inputmode: k.kind === "whole number" ? "numeric" : k.kind === "number" ? "decimal" : null, spellcheck: "false", on: listen });
  }

  control(k, field, locked) {
    if (!k.secret || !k.set || locked) return field.input;
    const remove = el("button", { type: "button", text: t("window.settings.remove"), on: { click: () => {
      field.removed = !field.removed;
      setText(remove, t(field.removed ? "window.settings.keep" : "window.settings.remove"));
      field.input.disabled = field.removed;
      field.input.value = "";
      this.typed(field);
    } } });
    return el("div", { class: "secret" }, field.input, remove);
  }

  origin(k) {
    const from = k.origin.from; // "default", "file", "env" or "flag"
    const gaps = { Name: k.origin.name, Line: k.origin.line };
    return el("span", { class: from === "env" || from === "flag" ? "badge over" : "badge", text: t(`window.settings.from.${from}`, gaps) }); // locale: window.settings.from.*
  }

  // allowed is the range of a number; what a text must be is said when it is not.
  allowed(k) {
    const range = / from (\S+) to (\S+)$/.exec(k.allowed);
    return range && el("span", { text: t("window.settings.allowed", { Value: `${range[1]} – ${range[2]}` }) });
  }

  value(field) {
    return field.input.type === "checkbox" ? String(field.input.checked) : field.input.value;
  }

  typed(field) {
    const value = this.value(field);
    if (value === field.initial && !field.removed) this.changes.delete(field.k.path);
    else this.changes.set(field.k.path, value);
    this.wrong(field, "");
    this.update();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), typingPause);
  }

  list() { return [...this.changes].map(([key, value]) => ({ key, value })); }

  // check has the program look at all changes together: one may depend on another.
  async check() {
    if (this.changes.size === 0) return;
    const asked = JSON.stringify(this.list());
    try {
      const { problems } = await post("/api/settings/check", { changes: this.list() });
      if (asked === JSON.stringify(this.list())) this.tell(problems);
    } catch (e) {
      say(e.message);
    }
  }

  tell(problems) {
    for (const field of this.fields.values()) this.wrong(field, "");
    for (const p of problems) {
      const field = this.fields.get(p.key);
      if (field) this.wrong(field, p.message);
      else say(`${p.key} ${p.message}`);
    }
    this.save.disabled = problems.length > 0;
  }

  wrong(field, text) {
    setText(field.wrong, text);
    if (text) field.input.setAttribute("aria-invalid", "true");
    else field.input.removeAttribute("aria-invalid");
  }

  update() {
    this.bar.hidden = this.changes.size === 0;
    this.save.disabled = false;
    setText(this.count, t("window.settings.count", { Count: this.changes.size }));
  }

  async store() {
    if (this.changes.size === 0) return;
    this.save.disabled = true;
    this.saving = true; // what is on its way is not lost
    try {
      const form = await post("/api/settings", { changes: this.list() });
      this.changes.clear();
      this.draw(form);
      say(t("window.settings.saved"));
    } catch (e) {
      if (e.problems?.length) this.tell(e.problems);
      else this.save.disabled = false;
      say(e.message);
    } finally {
      this.saving = false;
    }
  }

  find() {
    const wanted = this.search.value.trim().toLowerCase();
    this.loginRow.hidden = wanted !== "" && !this.loginRow.textContent.toLowerCase().includes(wanted);
    let found = !this.loginRow.hidden;
    for (const section of this.groups.children) {
      let any = false;
      for (const row of section.querySelectorAll(".field")) {
        row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
        any ||= !row.hidden;
      }
      section.hidden = !any;
      found ||= any;
    }
    this.none.hidden = found;
  }
}
