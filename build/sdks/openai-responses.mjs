// The matrix of openai, Responses.

import assert from "node:assert/strict";
import OpenAI from "openai";
import * as h from "./harness.mjs";

const client = new OpenAI({ baseURL: `${h.base}/v1`, apiKey: h.key, maxRetries: 0 });
const ask = (input, more) => ({ model: h.model, input, ...more });
const user = (content) => ({ role: "user", content });
const tools = [{ type: "function", name: "get_weather", description: "The weather of a city", parameters: h.weatherSchema, strict: false }];

// whole asks for an answer at once, or as a stream that the SDK puts together.
const whole = (params, streamed) => (streamed ? client.responses.stream(params).finalResponse() : client.responses.create(params));

async function batch() {
  const got = await client.responses.create(ask(h.hello, { instructions: "Be brief." }));
  h.includes(got.output_text, h.toldHello);
  assert.equal(got.status, "completed");
  assert.equal(got.model, h.model);
  h.adds(got.usage.input_tokens, got.usage.output_tokens, got.usage.total_tokens);
}

async function stream() {
  const events = await h.collect(await client.responses.create(ask(h.hello, { stream: true })));
  assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i), "the numbers of the events");
  assert.equal(events[0].type, "response.created");
  assert.equal(events.at(-1).type, "response.completed");
  const text = events.filter((e) => e.type === "response.output_text.delta").map((e) => e.delta).join("");
  h.includes(text, h.toldHello);
  const got = await whole(ask(h.hello), true);
  assert.equal(got.output_text, text);
  assert.equal(got.status, "completed");
}

async function toolsInParallel() {
  for (const streamed of [false, true]) {
    const params = ask([user(h.callBoth)], { tools });
    const got = await whole(params, streamed);
    const calls = got.output.filter((item) => item.type === "function_call");
    assert.deepEqual(calls.map((c) => [c.name, JSON.parse(c.arguments)]), h.cities.map((city) => ["get_weather", { city }]));
    const results = calls.map((c, i) => ({ type: "function_call_output", call_id: c.call_id, output: h.weather[h.cities[i]] }));
    // Once with the whole conversation, as the SDK's streams return it, and once with the answer's id.
    const items = got.output.map(({ parsed_arguments, ...item }) => item);
    const answer = await whole({ ...params, input: [...params.input, ...items, ...results] }, streamed);
    h.includes(answer.output_text, h.toldBoth);
    const next = await whole({ ...params, input: results, previous_response_id: got.id }, streamed);
    h.includes(next.output_text, h.toldBoth);
  }
}

async function image() {
  const content = [{ type: "input_text", text: h.question }, { type: "input_image", image_url: h.pixelURL, detail: "auto" }];
  for (const streamed of [false, true]) {
    const got = await whole(ask([user(content)], { model: h.visionModel }), streamed);
    h.includes(got.output_text, h.toldImage);
    h.includes(got.output_text, h.question);
  }
}

// Thinking is a reasoning item, which goes back with the next turn where nothing is stored.
async function thinking() {
  for (const summary of [undefined, "auto"]) {
    const texts = [];
    for (const streamed of [false, true]) {
      const params = ask([user(h.hello)], { reasoning: { effort: "high", summary }, store: false, include: ["reasoning.encrypted_content"] });
      const got = await whole(params, streamed);
      assert.equal(got.output[0].type, "reasoning");
      assert.ok(got.output[0].encrypted_content, "there is no encrypted content");
      const parts = summary ? got.output[0].summary : got.output[0].content;
      texts.push(parts.map((p) => p.text).join(""));
      h.includes(got.output_text, h.toldHello);
      const answer = await whole({ ...params, input: [...params.input, ...got.output, user("And now?")] }, streamed);
      h.includes(answer.output_text, "And now?");
    }
    h.includes(texts[0], h.thought);
    assert.equal(texts[1], texts[0]);
  }
}

async function error() {
  for (const streamed of [false, true]) {
    const create = (c, prompt) => h.thrown(async () => (streamed ? h.collect(await c.responses.create(ask(prompt, { stream: true }))) : c.responses.create(ask(prompt))));
    const quota = await create(client, h.quota);
    assert.ok(quota instanceof OpenAI.RateLimitError, quota);
    h.includes(quota.message, h.toldQuota);
    const refused = await create(client, h.refused);
    assert.ok(refused instanceof OpenAI.BadRequestError, refused);
    h.includes(refused.message, h.toldRefused);
    const stranger = await create(client.withOptions({ apiKey: h.wrongKey }), h.hello);
    assert.ok(stranger instanceof OpenAI.AuthenticationError, stranger);
  }
  const cut = await h.thrown(() => whole(ask(h.cut), false));
  assert.ok(cut instanceof OpenAI.InternalServerError, cut);
  h.includes(cut.message, h.toldCut);
  // A stream that breaks off has its error in the response, and the SDK throws nothing.
  const failed = await whole(ask(h.cut), true);
  assert.equal(failed.status, "failed");
  h.includes(failed.error.message, h.toldCut);
  const lost = await h.thrown(() => client.responses.create(ask(h.hello, { previous_response_id: "resp_unknown" })));
  assert.equal(lost.code, "previous_response_not_found");
}

async function abort() {
  const stop = new AbortController();
  const stream = await client.responses.create(ask(h.endless, { model: h.abortModel, stream: true }), { signal: stop.signal });
  let text = "";
  for await (const event of stream) {
    if (event.type !== "response.output_text.delta") continue;
    text += event.delta;
    stop.abort();
  }
  h.includes(text, "word 1");
  assert.ok(!text.includes("word 1000 "), "the stream went on");
}

await h.matrix({ batch, stream, tools: toolsInParallel, image, thinking, error, abort });
