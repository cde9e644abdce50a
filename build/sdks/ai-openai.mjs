// The matrix of ai with @ai-sdk/openai, for the API that SDKS_API names: responses, which is the provider's default, or
// chat.

import { createOpenAI } from "@ai-sdk/openai";
import * as h from "./harness.mjs";
import { providerMatrix } from "./ai.mjs";

const api = process.env.SDKS_API;
const options = { reasoningEffort: "high", forceReasoning: true }; // it knows only OpenAI's reasoning models by their names

await providerMatrix({
  languageModel: (name, apiKey) => createOpenAI({ baseURL: `${h.base}/v1`, apiKey })[api](name),
  providerOptions: { openai: api === "responses" ? { ...options, reasoningSummary: "auto" } : options },
  showsThinking: api === "responses", // its chat models have no place for it
});
