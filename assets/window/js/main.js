// The log window: one page, whose part after # says what is shown.

import { get } from "./api.js";
import { el } from "./dom.js";
import { t, useTexts } from "./i18n.js";
import { connect, on, store } from "./store.js";
import { drawBar, drawBanners, drawNav } from "./shell.js";
import { activityPage } from "./activity.js";
import { logPage } from "./log.js";
import { settingsPage } from "./settings.js";
import { aboutPage } from "./about.js";
import { copyPage } from "./copy.js";
import { accountsPage } from "./accounts.js";
import { verifyPage } from "./verify.js";

const pages = { activity: activityPage, log: logPage, settings: settingsPage, about: aboutPage, copy: copyPage, accounts: accountsPage, verify: verifyPage };

let shown; // { name, page }

function where() {
  const [name, ...rest] = location.hash.slice(1).split("/");
  return Object.hasOwn(pages, name) ? { name, rest: rest.join("/") } : { name: "activity", rest: "" };
}

function route() {
  const { name, rest } = where();
  if (shown?.name === name && shown.page.go) {
    shown.page.go(rest);
    return;
  }
  if (shown?.page.mayLeave && !shown.page.mayLeave()) {
    history.replaceState(null, "", `#${shown.name}`);
    return;
  }
  shown?.page.leave?.();
  const place = document.getElementById("page");
  place.replaceChildren();
  shown = { name, page: pages[name](place, rest) };
  document.title = `${t(`window.nav.${name}`)} · GLM Tray`; // locale: window.nav.*
  drawNav(name);
  drawBanners();
}

// boot gets the texts; another language draws everything anew.
async function boot() {
  const boot = await get("/api/boot");
  useTexts(boot.language, boot.texts);
  store.snapshot = boot.snapshot;
  store.policy = boot.policy;
  document.getElementById("skip").textContent = t("window.skip");
  drawBar();
  drawBanners();
  if (shown?.page.mayLeave && !shown.page.mayLeave()) return;
  shown?.page.leave?.();
  shown = undefined;
  route();
}

let language;
on("snapshot", () => {
  if (language && language !== store.snapshot.language.inForce) boot();
  language = store.snapshot.language.inForce;
  drawBar();
  drawBanners();
});
on("connection", drawBar);
addEventListener("hashchange", route);
addEventListener("beforeunload", (e) => { if (shown?.page.unsaved?.()) e.preventDefault(); });
document.getElementById("skip").addEventListener("click", (e) => {
  e.preventDefault();
  document.getElementById("main").focus();
});

try {
  await boot();
  connect();
} catch (e) {
  document.getElementById("page").append(el("p", { class: "error", text: e.message }));
}
