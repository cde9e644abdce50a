// The matrix of @anthropic-ai/sdk.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import * as h from "./harness.mjs";

const client = new Anthropic({ baseURL: h.base, apiKey: h.key, maxRetries: 0 });
const ask = (content, more) => ({ model: h.model, max_tokens: 4096, messages: [{ role: "user", content }], ...more });
const tools = [{ name: "get_weather", description: "The weather of a city", input_schema: h.weatherSchema }];

// whole asks for an answer at once, or as a stream that the SDK puts together.
const whole = (params, streamed) => (streamed ? client.messages.stream(params).finalMessage() : client.messages.create(params));
const textOf = (message) => message.content.filter((b) => b.type === "text").map((b) => b.text).join("");

async function batch() {
  const got = await client.messages.create(ask(h.hello, { system: "Be brief." }));
  h.includes(textOf(got), h.toldHello);
  assert.equal(got.stop_reason, "end_turn");
  assert.equal(got.model, h.model);
  assert.ok(got.usage.input_tokens > 0 && got.usage.output_tokens > 0, JSON.stringify(got.usage));
}

async function stream() {
  const events = await h.collect(await client.messages.create(ask(h.hello, { stream: true })));
  assert.equal(events[0].type, "message_start");
  assert.ok(events[0].message.usage.input_tokens > 0, "the first event says that nothing was read");
  assert.equal(events.at(-1).type, "message_stop");
  const text = events.filter((e) => e.delta?.type === "text_delta").map((e) => e.delta.text).join("");
  h.includes(text, h.toldHello);
  const got = await whole(ask(h.hello), true);
  assert.equal(textOf(got), text);
  assert.equal(got.stop_reason, "end_turn");
}

async function toolsInParallel() {
  for (const streamed of [false, true]) {
    const params = ask(h.callBoth, { tools });
    const got = await whole(params, streamed);
    assert.equal(got.stop_reason, "tool_use");
    const calls = got.content.filter((b) => b.type === "tool_use");
    assert.deepEqual(calls.map((c) => [c.name, c.input]), h.cities.map((city) => ["get_weather", { city }]));
    const results = calls.map((c, i) => ({ type: "tool_result", tool_use_id: c.id, content: h.weather[h.cities[i]] }));
    const messages = [...params.messages, { role: "assistant", content: got.content }, { role: "user", content: results }];
    h.includes(textOf(await whole({ ...params, messages }, streamed)), h.toldBoth);
  }
}

async function image() {
  const picture = { type: "image", source: { type: "base64", media_type: "image/png", data: h.pixel } };
  for (const streamed of [false, true]) {
    const text = textOf(await whole(ask([{ type: "text", text: h.question }, picture], { model: h.visionModel }), streamed));
    h.includes(text, h.toldImage);
    h.includes(text, h.question);
  }
}

// Thinking is a signed block, which goes back with the next turn.
async function thinking() {
  const texts = [];
  for (const streamed of [false, true]) {
    const params = ask(h.hello, { thinking: { type: "enabled", budget_tokens: 1024 } });
    const got = await whole(params, streamed);
    assert.equal(got.content[0].type, "thinking");
    assert.ok(got.content[0].signature, "there is no signature");
    texts.push(got.content[0].thinking);
    h.includes(textOf(got), h.toldHello);
    const messages = [...params.messages, { role: "assistant", content: got.content }, { role: "user", content: "And now?" }];
    h.includes(textOf(await whole({ ...params, messages }, streamed)), "And now?");
  }
  h.includes(texts[0], h.thought);
  assert.equal(texts[1], texts[0]);
}

async function error() {
  for (const streamed of [false, true]) {
    const create = (c, prompt) => h.thrown(async () => (streamed ? c.messages.stream(ask(prompt)).finalMessage() : c.messages.create(ask(prompt))));
    const quota = await create(client, h.quota);
    assert.ok(quota instanceof Anthropic.RateLimitError, quota);
    assert.equal(quota.error.error.type, "rate_limit_error");
    h.includes(quota.message, h.toldQuota);
    assert.ok(quota.requestID, "the error has no request id");
    const refused = await create(client, h.refused);
    assert.ok(refused instanceof Anthropic.BadRequestError, refused);
    h.includes(refused.message, h.toldRefused);
    const stranger = await create(client.withOptions({ apiKey: h.wrongKey }), h.hello);
    assert.ok(stranger instanceof Anthropic.AuthenticationError, stranger);
    const cut = await create(client, h.cut);
    assert.ok(cut instanceof Anthropic.APIError, cut);
    h.includes(cut.message, h.toldCut);
  }
}

async function abort() {
  const stream = client.messages.stream(ask(h.endless, { model: h.abortModel }));
  let text = "";
  stream.on("text", (piece) => {
    text += piece;
    stream.abort();
  });
  const end = await h.thrown(() => stream.finalMessage());
  assert.ok(end instanceof Anthropic.APIUserAbortError, end);
  h.includes(text, "word 1");
  assert.ok(!text.includes("word 1000 "), "the stream went on");
}

await h.matrix({ batch, stream, tools: toolsInParallel, image, thinking, error, abort });
