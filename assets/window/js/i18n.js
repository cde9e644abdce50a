// The texts of the catalogues, in the language in force.

let texts = {};
let tag = "en";

export function useTexts(language, all) {
  tag = language;
  texts = all;
  document.documentElement.lang = language;
}

// t returns the text of an id, with its gaps filled.
export function t(id, gaps = {}) {
  return (texts[id] ?? id).replace(/\{\{\.(\w+)\}\}/g, (_, name) => gaps[name] ?? "");
}

// message returns the text of a message of the program.
export function message(m) { return t(m.id, m.data); }

export function number(n) { return n.toLocaleString(tag); }

export function clock(time) {
  return new Date(time).toLocaleTimeString(tag, { hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

// moment prints a time with its day.
export function moment(time) {
  return `${new Date(time).toLocaleDateString(tag, { day: "numeric", month: "short", year: "numeric" })}, ${clock(time)}`;
}

// duration prints milliseconds in three or four digits.
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
