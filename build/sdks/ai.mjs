// The matrix of ai, the AI SDK, for its providers: each has a program of its own that calls providerMatrix.

import assert from "node:assert/strict";
import { APICallError, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import * as h from "./harness.mjs";

const tools = {
  get_weather: tool({ description: "The weather of a city", inputSchema: z.object({ city: z.string() }), execute: ({ city }) => h.weather[city] }),
};

/**
 * Runs the matrix for a provider. languageModel(name, key) makes a model, providerOptions make it think, and showsThinking
 * tells whether the provider has reasoning parts at all.
 */
export async function providerMatrix({ languageModel, providerOptions, showsThinking = true }) {
  const common = { maxRetries: 0, maxOutputTokens: 4096 };
  const ask = (prompt, more) => ({ ...common, model: languageModel(h.model, h.key), prompt, ...more });

  // whole asks for an answer at once, or as a stream, and returns both in the same form.
  const whole = async (params, streamed) => {
    if (!streamed) return generateText(params);
    const result = streamText({ ...params, onError: () => {} }); // it prints errors otherwise; they are in the stream too
    const parts = await h.collect(result.fullStream);
    const failure = parts.find((p) => p.type === "error");
    if (failure) throw failure.error;
    const [text, reasoningText, steps, totalUsage, finishReason, response] = await Promise.all([
      result.text, result.reasoningText, result.steps, result.totalUsage, result.finishReason, result.response,
    ]);
    return { text, reasoningText, steps, totalUsage, finishReason, response, parts };
  };

  async function batch() {
    const got = await generateText(ask(h.hello, { system: "Be brief." }));
    h.includes(got.text, h.toldHello);
    assert.equal(got.finishReason, "stop");
    h.adds(got.usage.inputTokens, got.usage.outputTokens, got.usage.totalTokens);
  }

  async function stream() {
    const { text } = await generateText(ask(h.hello));
    const got = await whole(ask(h.hello), true);
    assert.equal(got.text, text);
    assert.equal(got.finishReason, "stop");
    assert.ok(got.parts.filter((p) => p.type === "text-delta").length > 5, "the text came in few pieces");
    h.adds(got.totalUsage.inputTokens, got.totalUsage.outputTokens, got.totalUsage.totalTokens);
  }

  // The SDK runs the tools by itself and sends the results.
  async function toolsInParallel() {
    for (const streamed of [false, true]) {
      const got = await whole(ask(h.callBoth, { tools, stopWhen: stepCountIs(2) }), streamed);
      assert.equal(got.steps.length, 2);
      assert.equal(got.steps[0].finishReason, "tool-calls");
      assert.deepEqual(got.steps[0].toolCalls.map((c) => [c.toolName, c.input]), h.cities.map((city) => ["get_weather", { city }]));
      assert.deepEqual(got.steps[0].toolResults.map((r) => r.output), h.cities.map((city) => h.weather[city]));
      h.includes(got.text, h.toldBoth);
    }
  }

  async function image() {
    const messages = [{ role: "user", content: [{ type: "text", text: h.question }, { type: "image", image: h.pixelURL }] }];
    for (const streamed of [false, true]) {
      const { text } = await whole({ ...common, model: languageModel(h.visionModel, h.key), messages }, streamed);
      h.includes(text, h.toldImage);
      h.includes(text, h.question);
    }
  }

  async function thinking() {
    const texts = [];
    for (const streamed of [false, true]) {
      const messages = [{ role: "user", content: h.hello }];
      const params = { ...common, model: languageModel(h.model, h.key), messages, providerOptions };
      const got = await whole(params, streamed);
      h.includes(got.text, h.toldHello);
      texts.push(got.reasoningText);
      const next = [...messages, ...got.response.messages, { role: "user", content: "And now?" }];
      h.includes((await whole({ ...params, messages: next }, streamed)).text, "And now?");
    }
    assert.equal(texts[1], texts[0]);
    if (showsThinking) h.includes(texts[0], h.thought);
    else assert.equal(texts[0], undefined);
  }

  async function error() {
    for (const streamed of [false, true]) {
      for (const [prompt, key, status, told] of [
        [h.quota, h.key, 429, h.toldQuota],
        [h.refused, h.key, 400, h.toldRefused],
        [h.hello, h.wrongKey, 401, "auth.proxyApiKey"],
      ]) {
        const failure = await h.thrown(() => whole(ask(prompt, { model: languageModel(h.model, key) }), streamed));
        assert.ok(APICallError.isInstance(failure), failure);
        assert.equal(failure.statusCode, status);
        h.includes(failure.message, told);
      }
      const cut = await h.thrown(() => whole(ask(h.cut), streamed));
      h.includes(cut.message, h.toldCut);
    }
  }

  async function abort() {
    const stop = new AbortController();
    const { fullStream } = streamText(ask(h.endless, { model: languageModel(h.abortModel, h.key), abortSignal: stop.signal }));
    let text = "";
    let last;
    for await (const part of fullStream) {
      last = part.type;
      if (part.type !== "text-delta") continue;
      text += part.text;
      stop.abort();
    }
    assert.equal(last, "abort");
    h.includes(text, "word 1");
    assert.ok(!text.includes("word 1000 "), "the stream went on");
  }

  await h.matrix({ batch, stream, tools: toolsInParallel, image, thinking, error, abort });
}
