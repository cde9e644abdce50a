// The program's log.

import { copyButton } from "./copy.js";
import { el, setText } from "./dom.js";
import { clock, t } from "./i18n.js";
import { act } from "./shell.js";
import { on, store, wantLines } from "./store.js";

const levels = ["debug", "info", "warn", "error"];
const mostShown = 2000;

export function logPage(place) {
  const view = new Log(place);
  return { leave: () => view.leave() };
}

// textOf is a line as it is copied.
function textOf(line) {
  return [new Date(line.time).toISOString(), line.level.toUpperCase(), line.message, ...line.attrs.map((a) => `${a.key}=${a.value}`)].join(" ");
}

class Log {
  constructor(place) {
    this.level = el("select", { id: "level", "aria-label": t("window.log.level"), on: { change: () => this.redraw() } },
      levels.map((l) => el("option", { value: l, text: t(`window.log.level.${l}`), selected: l === "info" }))); // locale: window.log.level.*
    this.search = el("input", { type: "search", id: "search", placeholder: t("window.log.search"), "aria-label": t("window.log.search"), on: { input: () => this.soon() } });
    this.follow = el("button", { type: "button", id: "follow", "aria-pressed": "true", text: t("window.log.follow"), on: { click: () => this.setFollow(!this.following) } });
    const folder = el("button", { type: "button", text: t("window.log.folder"), hidden: !store.snapshot.logFolder, on: { click: () => act("/api/folder", { folder: "logs" }) } });
    this.list = el("ol", { id: "lines" });
    this.none = el("p", { class: "empty soft", text: t("window.log.empty") });
    this.box = el("div", { class: "scroll lines", tabindex: 0, role: "log", "aria-live": "off", "aria-label": t("window.nav.log"), on: { scroll: () => this.scrolled() } }, this.list, this.none);
    place.append(el("div", { class: "head" }, el("h1", { text: t("window.nav.log") }), this.search, this.level, this.follow,
      copyButton(() => this.visible().map(textOf).join("\n")), folder), this.box);
    this.following = true;
    this.end = on("lines", (items, anew) => (anew ? this.redraw() : this.append(items)));
    wantLines();
    this.redraw();
  }

  leave() {
    this.end();
    cancelAnimationFrame(this.frame);
  }

  // soon draws anew once for all that is typed within a frame.
  soon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.redraw();
    });
  }

  matches(line) {
    if (levels.indexOf(line.level) < levels.indexOf(this.level.value)) return false;
    const wanted = this.search.value.toLowerCase();
    return !wanted || textOf(line).toLowerCase().includes(wanted);
  }

  visible() { return store.lines.filter((l) => this.matches(l)).slice(-mostShown); }

  redraw() {
    this.list.replaceChildren(...this.visible().map((l) => this.row(l)));
    this.settle();
  }

  append(items) {
    // The scroll event that tells of a person's scrolling may still be on its way.
    if (this.following && !this.atEnd()) this.setFollow(false);
    this.list.append(...items.filter((l) => this.matches(l)).map((l) => this.row(l)));
    while (this.list.childElementCount > mostShown) this.list.firstChild.remove();
    this.settle();
  }

  settle() {
    this.none.hidden = this.list.childElementCount > 0;
    if (this.following) this.box.scrollTop = this.box.scrollHeight;
  }

  row(l) {
    return el("li", { class: l.level === "error" ? "error-line" : l.level },
      el("span", { class: "soft", text: clock(l.time), title: l.time }), el("span", { class: "level", text: l.level }),
      el("span", {}, this.marked(l.message), l.attrs.map((a) => el("span", { class: "attr" }, " ", this.marked(`${a.key}=${a.value}`)))));
  }

  // marked is a text with what is searched for marked in it.
  marked(text) {
    const wanted = this.search.value.toLowerCase();
    if (!wanted) return [text];
    const parts = [];
    let from = 0;
    const low = text.toLowerCase();
    for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, from)) {
      parts.push(text.slice(from, at), el("mark", { text: text.slice(at, at + wanted.length) }));
      from = at + wanted.length;
    }
    return [...parts, text.slice(from)];
  }

  // scrolled lets go of the end when a person scrolls up, and takes it again at the end.
  scrolled() {
    const atEnd = this.atEnd();
    if (atEnd !== this.following) this.setFollow(atEnd);
  }

  atEnd() { return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 24; }

  setFollow(follow) {
    this.following = follow;
    this.follow.setAttribute("aria-pressed", follow);
    setText(this.follow, t(follow ? "window.log.follow" : "window.log.nofollow"));
    this.settle();
  }
}
