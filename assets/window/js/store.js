// What the program tells: the latest snapshot, the requests, the lines of the log. The
// stream goes on where it was when a connection breaks; the browser sends the id of the
// last message by itself.

const mostRequests = 1000;
const mostLines = 5000;

// lost: the program does not answer. ended: what answers there knows this page no more.
export const store = { snapshot: null, requests: new Map(), lines: [], lost: false, ended: false };

const listeners = { snapshot: new Set(), requests: new Set(), lines: new Set(), connection: new Set() };

// on calls f with each change of a kind; the returned function ends that.
export function on(kind, f) {
  listeners[kind].add(f);
  return () => listeners[kind].delete(f);
}

function tell(kind, ...news) { for (const f of listeners[kind]) f(...news); }

let source;
let withLines = false;

// connect opens the stream. The log is sent only to pages that have asked for it once.
export function connect(lines = false) {
  withLines ||= lines;
  source?.close();
  source = new EventSource(withLines ? "/api/events?lines=1" : "/api/events");
  source.addEventListener("open", () => connection(true));
  source.addEventListener("error", () => connection(false));
  source.addEventListener("snapshot", (e) => {
    store.snapshot = JSON.parse(e.data);
    tell("snapshot");
  });
  source.addEventListener("requests", (e) => requests(JSON.parse(e.data)));
  source.addEventListener("lines", (e) => lineBatch(JSON.parse(e.data)));
}

// A connection that breaks and is there again at once is nobody's business.
const grace = 3_000;
let losing;

function connection(open) {
  if (open || source.readyState === EventSource.CLOSED) {
    clearTimeout(losing);
    losing = undefined;
    stand(false, !open);
    return;
  }
  losing ??= setTimeout(() => stand(true, false), grace);
}

function stand(lost, ended) {
  if (store.lost === lost && store.ended === ended) return;
  Object.assign(store, { lost, ended });
  tell("connection");
}

// A page that nobody looks at lets go of its connection: browsers allow six to a host,
// and a seventh window would wait for ever. What it missed comes when it is seen again.
const patience = 10_000;
let leaving;
document.addEventListener("visibilitychange", () => {
  clearTimeout(leaving);
  if (document.hidden) leaving = setTimeout(() => { source?.close(); clearTimeout(losing); losing = undefined; }, patience);
  else if (source?.readyState === EventSource.CLOSED && !store.ended) connect();
});

export function wantLines() { if (!withLines) connect(true); }

function requests(batch) {
  if (!batch.whole) store.requests.clear();
  for (const r of batch.items) {
    store.requests.delete(r.id); // so that it stands behind those that changed before
    store.requests.set(r.id, r);
  }
  for (const id of store.requests.keys()) {
    if (store.requests.size <= mostRequests) break;
    store.requests.delete(id);
  }
  tell("requests", batch.items, !batch.whole);
}

function lineBatch(batch) {
  if (!batch.whole) store.lines = [];
  store.lines.push(...batch.items);
  if (store.lines.length > mostLines) store.lines.splice(0, store.lines.length - mostLines);
  tell("lines", batch.items, !batch.whole);
}
