// The matrix of ai with @ai-sdk/anthropic.

import { createAnthropic } from "@ai-sdk/anthropic";
import * as h from "./harness.mjs";
import { providerMatrix } from "./ai.mjs";

await providerMatrix({
  languageModel: (name, apiKey) => createAnthropic({ baseURL: `${h.base}/v1`, apiKey })(name),
  providerOptions: { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } },
});
