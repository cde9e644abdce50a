// The matrix of openai, Chat Completions.

import assert from "node:assert/strict";
import OpenAI from "openai";
import * as h from "./harness.mjs";

const client = new OpenAI({ baseURL: `${h.base}/v1`, apiKey: h.key, maxRetries: 0 });
const ask = (content, more) => ({ model: h.model, messages: [{ role: "user", content }], ...more });
const tools = [{ type: "function", function: { name: "get_weather", description: "The weather of a city", parameters: h.weatherSchema } }];

async function batch() {
  const got = await client.chat.completions.create(ask(h.hello));
  h.includes(got.choices[0].message.content, h.toldHello);
  assert.equal(got.choices[0].finish_reason, "stop");
  assert.equal(got.model, h.model);
  h.adds(got.usage.prompt_tokens, got.usage.completion_tokens, got.usage.total_tokens);
}

async function stream() {
  const chunks = await h.collect(await client.chat.completions.create(ask(h.hello, { stream: true, stream_options: { include_usage: true } })));
  assert.ok(chunks.length > 5, `only ${chunks.length} chunks`);
  const text = chunks.map((c) => c.choices[0]?.delta.content ?? "").join("");
  h.includes(text, h.toldHello);
  const usage = chunks.at(-1).usage;
  h.adds(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens);
  const whole = await client.chat.completions.stream(ask(h.hello)).finalChatCompletion();
  assert.equal(whole.choices[0].message.content, text);
  assert.equal(whole.choices[0].finish_reason, "stop");
}

async function toolsInParallel() {
  for (const streamed of [false, true]) {
    const params = ask(h.callBoth, { tools });
    const got = streamed ? await client.chat.completions.stream(params).finalChatCompletion() : await client.chat.completions.create(params);
    const { message, finish_reason } = got.choices[0];
    assert.equal(finish_reason, "tool_calls");
    const called = message.tool_calls.map((c) => [c.function.name, JSON.parse(c.function.arguments)]);
    assert.deepEqual(called, h.cities.map((city) => ["get_weather", { city }]));
    const results = message.tool_calls.map((c, i) => ({ role: "tool", tool_call_id: c.id, content: h.weather[h.cities[i]] }));
    const answer = await client.chat.completions.create({ ...params, messages: [...params.messages, message, ...results] });
    h.includes(answer.choices[0].message.content, h.toldBoth);
  }
  // The SDK's own loop, which calls functions until there is an answer.
  const runner = client.chat.completions.runTools({
    ...ask(h.callBoth),
    stream: true,
    tools: [{ type: "function", function: { ...tools[0].function, parse: JSON.parse, function: ({ city }) => h.weather[city] } }],
  });
  h.includes(await runner.finalContent(), h.toldBoth);
}

async function image() {
  const content = [{ type: "text", text: h.question }, { type: "image_url", image_url: { url: h.pixelURL } }];
  const got = await client.chat.completions.create(ask(content, { model: h.visionModel }));
  h.includes(got.choices[0].message.content, h.toldImage);
  h.includes(got.choices[0].message.content, h.question);
}

// The SDK has no place for thinking; the field of other providers comes through.
async function thinking() {
  const params = ask(h.hello, { reasoning_effort: "high" });
  const { message } = (await client.chat.completions.create(params)).choices[0];
  h.includes(message.reasoning_content, h.thought);
  h.includes(message.content, h.toldHello);
  const chunks = await h.collect(await client.chat.completions.create({ ...params, stream: true }));
  assert.equal(chunks.map((c) => c.choices[0]?.delta.reasoning_content ?? "").join(""), message.reasoning_content);
  const answer = await client.chat.completions.create({ ...params, messages: [...params.messages, message, { role: "user", content: "And now?" }] });
  h.includes(answer.choices[0].message.content, "And now?");
}

async function error() {
  for (const stream of [false, true]) {
    const create = (c, prompt) => h.thrown(async () => (stream ? h.collect(await c.chat.completions.create(ask(prompt, { stream }))) : c.chat.completions.create(ask(prompt))));
    const quota = await create(client, h.quota);
    assert.ok(quota instanceof OpenAI.RateLimitError, quota);
    assert.equal(quota.status, 429);
    h.includes(quota.message, h.toldQuota);
    const refused = await create(client, h.refused);
    assert.ok(refused instanceof OpenAI.BadRequestError, refused);
    h.includes(refused.message, h.toldRefused);
    const stranger = await create(client.withOptions({ apiKey: h.wrongKey }), h.hello);
    assert.ok(stranger instanceof OpenAI.AuthenticationError, stranger);
    const cut = await create(client, h.cut);
    assert.ok(cut instanceof OpenAI.APIError, cut);
    h.includes(cut.message, h.toldCut);
  }
}

async function abort() {
  const stop = new AbortController();
  const stream = await client.chat.completions.create(ask(h.endless, { model: h.abortModel, stream: true }), { signal: stop.signal });
  let text = "";
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    if (text) stop.abort();
  }
  h.includes(text, "word 1");
  assert.ok(!text.includes("word 1000 "), "the stream went on");
}

await h.matrix({ batch, stream, tools: toolsInParallel, image, thinking, error, abort });
