// The check that the start plan asks for: a person passes it here, in a frame that has
// nothing to do with the rest.

import { get, post } from "./api.js";
import { el, setText } from "./dom.js";
import { t } from "./i18n.js";
import { on, store } from "./store.js";

export function verifyPage(place) {
  const view = new Verify(place);
  return { leave: () => view.leave() };
}

class Verify {
  constructor(place) {
    this.text = el("p", { id: "verify-state", role: "status" });
    this.again = el("button", { type: "button", id: "verify-again", hidden: true, text: t("window.verify.again"), on: { click: () => this.start() } });
    this.place = el("div", { class: "verify" });
    place.append(el("div", { class: "head" }, el("h1", { text: t("window.nav.verify") })), el("p", { text: t("window.verify.help") }), this.text, this.place, this.again);
    this.end = on("snapshot", () => this.look());
    addEventListener("message", this.hear = (e) => this.heard(e));
    this.look();
  }

  leave() {
    this.end();
    removeEventListener("message", this.hear);
  }

  // look begins a check if one is waited for and none is shown.
  look() {
    const check = store.snapshot.check;
    if (!check?.waiting) {
      this.stop();
      // The last check may have ended in another way than the one before it.
      setText(this.text, t(this.passed && this.passed === this.last ? "window.verify.passed" : "window.verify.none"));
      return;
    }
    this.last = check.since;
    if (!this.frame && !this.starting && !this.handing && this.again.hidden) this.start();
  }

  stop() {
    this.frame?.remove();
    this.frame = undefined;
    this.again.hidden = true;
  }

  async start() {
    this.stop();
    this.starting = true;
    setText(this.text, t("window.verify.loading"));
    try {
      const { widget, frame } = await get("/api/widget");
      this.widget = widget;
      this.origin = frame;
      if (!store.snapshot.check?.waiting) return; // it ended meanwhile, and look has said how
      this.frame = el("iframe", { src: `${frame}/`, title: t("window.nav.verify"), id: "captcha-frame" });
      this.place.replaceChildren(this.frame);
    } catch (e) {
      this.trouble(e.message);
    } finally {
      this.starting = false;
    }
  }

  async heard(e) {
    if (e.origin !== this.origin || e.source !== this.frame?.contentWindow) return;
    switch (e.data?.type) {
      case "ready":
        this.frame.contentWindow.postMessage({ type: "widget", widget: this.widget, language: document.documentElement.lang }, this.origin);
        break;
      case "shown":
        setText(this.text, t("window.verify.shown"));
        break;
      case "trouble":
        this.trouble(t(e.data.reason === "load" ? "window.verify.noload" : "window.verify.failed"));
        break;
      case "proof": {
        this.frame.remove();
        this.frame = undefined;
        const check = this.last;
        this.handing = true; // so that no other frame begins for the same check
        try {
          await post("/api/check", { proof: e.data.proof });
          this.passed = check;
          setText(this.text, t("window.verify.passed"));
        } catch (error) {
          this.trouble(error.message);
        } finally {
          this.handing = false;
        }
        this.look();
      }
    }
  }

  trouble(text) {
    setText(this.text, text);
    this.again.hidden = false;
  }
}
