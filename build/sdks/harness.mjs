// What all matrix programs have in common: what they ask, what the demo upstream answers, and how they report.
//
// A program calls matrix() with one function a row. Each row is reported as a line of JSON on standard output,
// {"row":"batch"} or {"row":"batch","error":"…"}; sdks_test.go reads them.

import assert from "node:assert/strict";
import { inspect } from "node:util";

const setting = (name) => process.env[name] ?? assert.fail(`${name} is not set; these programs are started by sdks_test.go`);

export const base = setting("SDKS_BASE"); // of glmtray, without /v1
export const key = setting("SDKS_KEY"); // that glmtray asks for
export const wrongKey = "sk-another";
export const model = "glm-4.6";
export const visionModel = "glm-4.6v";
// The model of the stream that is left. Nobody else asks for it, so that its line can be found in glmtray's log.
export const abortModel = setting("SDKS_ABORT_MODEL");
const lane = setting("SDKS_LANE"); // that glmtray must take to its upstream

export const hello = "Hello";
export const toldHello = "You said: “Hello”.";
export const callBoth = 'demo:tool get_weather {"city":"Rome"} demo:tool get_weather {"city":"Oslo"}';
export const cities = ["Rome", "Oslo"];
export const weather = { Rome: "18 degrees", Oslo: "3 degrees" };
export const toldBoth = "The tool result 1 of 2 says: “18 degrees”\nThe tool result 2 of 2 says: “3 degrees”";
export const weatherSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
export const question = "What is this?";
export const toldImage = "I see 1 image: image/png.";
export const thought = "I should think for a moment";
export const quota = "demo:error 1308";
export const toldQuota = "Usage limit reached for 5 hour";
export const refused = "demo:error 1214";
export const toldRefused = "Invalid messages parameter";
export const cut = "Hello demo:cut";
export const toldCut = "the connection broke before the answer was complete";
export const endless = "demo:long 100000";

// A PNG of one pixel.
export const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
export const pixelURL = `data:image/png;base64,${pixel}`;

const rows = ["batch", "stream", "tools", "image", "thinking", "error", "abort"];
const rowLimit = 30_000; // ms; a row takes a second or two

/** Runs every row, one after the other, and ends the process: with 1 if any failed. */
export async function matrix(programs) {
  assert.deepEqual(Object.keys(programs), rows, "a matrix has these rows");
  for (const row of rows) {
    let error;
    const before = lanes.length;
    try {
      await limited(programs[row]);
      // An error of glmtray's own has no lane, but no row has only those.
      const taken = lanes.slice(before).filter(Boolean);
      assert.ok(taken.length > 0 && taken.every((l) => l === lane), `the lanes were ${inspect(taken)}, not ${inspect(lane)}`);
    } catch (e) {
      process.exitCode = 1;
      error = inspect(e, { depth: 4 });
    }
    process.stdout.write(JSON.stringify({ row, error }) + "\n");
  }
  // The end of the process would close what an SDK has left open. So it waits to be let go, by the end of its input: not
  // before glmtray has seen that the client of the last row has left.
  process.stdin.on("end", () => process.exit()).resume();
}

async function limited(run) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the row did not end within ${rowLimit} ms`)), rowLimit);
  });
  try {
    await Promise.race([run(), late]);
  } finally {
    clearTimeout(timer);
  }
}

// Every SDK fetches by this function. It lets nothing out of the machine, and notes which way glmtray took.
const lanes = [];
const fetchOutside = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const url = String(input?.url ?? input);
  if (!url.startsWith(base + "/")) throw new Error(`kept inside: ${url}`);
  const response = await fetchOutside(input, init);
  lanes.push(response.headers.get("x-glmtray-lane") ?? "");
  return response;
};

/** Fails unless text holds part. */
export function includes(text, part) {
  assert.ok(typeof text === "string" && text.includes(part), `${inspect(part)} is missing from ${inspect(text)}`);
}

/** Fails unless run throws; returns what it threw. */
export async function thrown(run) {
  let got;
  try {
    got = await run();
  } catch (e) {
    return e;
  }
  assert.fail(`no error, but ${inspect(got, { depth: 6 })}`);
}

/** Reads an async iterable to its end. */
export async function collect(stream) {
  const all = [];
  for await (const piece of stream) all.push(piece);
  return all;
}

/** Fails unless usage holds a total of what was read and written. */
export function adds(input, output, total) {
  assert.ok(input > 0 && output > 0 && total === input + output, `usage: ${input} + ${output} = ${total}`);
}
