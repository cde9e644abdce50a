// The matrix of @langchain/openai, for the API that SDKS_API names: chat, which is its default for such models, or
// responses.

import assert from "node:assert/strict";
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";
import * as h from "./harness.mjs";

const useResponsesApi = process.env.SDKS_API === "responses";
const chat = (more) =>
  new ChatOpenAI({ model: h.model, apiKey: h.key, maxRetries: 0, useResponsesApi, configuration: { baseURL: `${h.base}/v1` }, ...more });
const weather = tool(({ city }) => h.weather[city], { name: "get_weather", description: "The weather of a city", schema: z.object({ city: z.string() }) });

// whole asks for an answer at once, or as a stream whose pieces are put together.
async function whole(model, input, streamed) {
  if (!streamed) return model.invoke(input);
  const pieces = await h.collect(await model.stream(input));
  assert.ok(pieces.length > 2, `only ${pieces.length} pieces`);
  return pieces.reduce((all, piece) => all.concat(piece));
}

async function batch() {
  const got = await chat().invoke([new SystemMessage("Be brief."), new HumanMessage(h.hello)]);
  assert.ok(AIMessage.isInstance(got), "the answer is no message of the assistant");
  h.includes(got.text, h.toldHello);
  const { input_tokens, output_tokens, total_tokens } = got.usage_metadata;
  h.adds(input_tokens, output_tokens, total_tokens);
}

async function stream() {
  const { text } = await chat().invoke(h.hello);
  const got = await whole(chat(), h.hello, true);
  assert.equal(got.text, text);
  const { input_tokens, output_tokens, total_tokens } = got.usage_metadata;
  h.adds(input_tokens, output_tokens, total_tokens);
}

async function toolsInParallel() {
  const model = chat().bindTools([weather]);
  for (const streamed of [false, true]) {
    const asked = new HumanMessage(h.callBoth);
    const got = await whole(model, [asked], streamed);
    assert.deepEqual(got.tool_calls.map((c) => [c.name, c.args]), h.cities.map((city) => ["get_weather", { city }]));
    const results = await Promise.all(got.tool_calls.map((call) => weather.invoke(call)));
    assert.ok(results.every((r) => ToolMessage.isInstance(r)), "the results are no messages");
    const answer = await whole(model, [asked, got, ...results], streamed);
    h.includes(answer.text, h.toldBoth);
  }
}

async function image() {
  const content = [{ type: "text", text: h.question }, { type: "image_url", image_url: { url: h.pixelURL } }];
  for (const streamed of [false, true]) {
    const got = await whole(chat({ model: h.visionModel }), [new HumanMessage({ content })], streamed);
    h.includes(got.text, h.toldImage);
    h.includes(got.text, h.question);
  }
}

// thoughts is where this SDK keeps thinking: the field of other providers for chat, the reasoning item for responses.
function thoughts({ additional_kwargs: kwargs }) {
  if (!useResponsesApi) return kwargs.reasoning_content;
  return kwargs.reasoning.summary.map((part) => part.text).join("");
}

async function thinking() {
  // Its own options for it are for OpenAI's reasoning models, which it knows by their names.
  const model = chat({ modelKwargs: useResponsesApi ? { reasoning: { effort: "high", summary: "auto" } } : { reasoning_effort: "high" } });
  const texts = [];
  for (const streamed of [false, true]) {
    const got = await whole(model, h.hello, streamed);
    h.includes(got.text, h.toldHello);
    texts.push(thoughts(got));
    const answer = await whole(model, [new HumanMessage(h.hello), got, new HumanMessage("And now?")], streamed);
    h.includes(answer.text, "And now?");
  }
  h.includes(texts[0], h.thought);
  assert.equal(texts[1], texts[0]);
}

async function error() {
  for (const streamed of [false, true]) {
    for (const [prompt, apiKey, status, told] of [
      [h.quota, h.key, 429, h.toldQuota],
      [h.refused, h.key, 400, h.toldRefused],
      [h.hello, h.wrongKey, 401, "auth.proxyApiKey"],
    ]) {
      const failure = await h.thrown(() => whole(chat({ apiKey }), prompt, streamed));
      assert.equal(failure.status, status, failure);
      h.includes(failure.message, told);
    }
  }
  for (const streamed of [false, true]) {
    if (streamed && useResponsesApi) continue;
    h.includes((await h.thrown(() => whole(chat(), h.cut, streamed))).message, h.toldCut);
  }
  if (!useResponsesApi) return;
  // LangChain does not look at response.failed, whoever sends it. All that can be seen is that the answer was not called
  // complete.
  const cut = await whole(chat(), h.cut, true);
  assert.equal(cut.response_metadata.status, undefined);
  assert.equal(cut.usage_metadata, undefined);
}

async function abort() {
  const stop = new AbortController();
  const pieces = await chat({ model: h.abortModel }).stream(h.endless, { signal: stop.signal });
  let text = "";
  const end = await h.thrown(async () => {
    for await (const piece of pieces) {
      text += piece.text;
      if (text) stop.abort();
    }
  });
  h.includes(`${end.name} ${end.message}`.toLowerCase(), "abort");
  h.includes(text, "word 1");
  assert.ok(!text.includes("word 1000 "), "the stream went on");
}

await h.matrix({ batch, stream, tools: toolsInParallel, image, thinking, error, abort });
