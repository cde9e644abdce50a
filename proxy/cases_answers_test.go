package proxy

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

var answerCases = []translationCase{
	{number: 80, what: "a call starts once its name is known; late, repeated and absent names",
		shown: "messages-chat/name-comes-late messages-chat/name-never-comes responses-chat/name-comes-late"},
	{number: 81, what: "the first id of a call counts; a call without one gets one",
		shown: `messages-chat/id-comes-late messages-chat/id-missing-batch messages-chat/id-never-comes
			responses-chat/id-never-comes dialect/messages.TestMadeUpIDs`},
	{number: 82, what: "of interleaved calls one streams and the others wait, since only one block may be open",
		shown: "messages-chat/calls-interleaved responses-chat/calls-interleaved"},
	{number: 83, what: "calls with the same index, or with none, are told apart by their ids",
		shown: "messages-chat/calls-all-have-index-0 messages-chat/calls-have-no-index"},
	{number: 84, what: "several calls in one delta are all told",
		shown: "messages-chat/calls-batch messages-chat/calls-in-one-delta"},
	{number: 85, what: "an empty or null tool_calls does not close the text",
		shown: "messages-chat/empty-tool-calls"},
	{number: 86, what: "whole arguments in one chunk, and repeated ones, come once",
		shown: "messages-chat/arguments-in-one-chunk messages-chat/arguments-repeated"},
	{number: 87, what: "no arguments are an empty object",
		shown: `messages-chat/call-without-arguments messages-chat/call-without-arguments-batch
			responses-chat/call-without-arguments responses-chat/call-without-arguments-batch
			responses-messages/call-without-arguments`},
	{number: 88, what: "unfinished arguments are never taken for finished ones",
		shown: `chat-messages/arguments-cut-by-limit chat-messages/arguments-cut-by-limit-batch
			messages-chat/arguments-cut-by-limit messages-chat/arguments-cut-by-limit-batch
			messages-chat/arguments-unfinished messages-chat/arguments-unfinished-batch
			responses-chat/arguments-cut-by-limit responses-chat/arguments-cut-by-limit-batch
			responses-chat/arguments-unfinished responses-chat/arguments-unfinished-batch responses-messages/custom-tool-cut
			llm.TestFoldOfToolInputs`},
	{number: 89, what: "arguments that are no text are taken as they are, those that are no object wrapped in one",
		shown: `messages-chat/arguments-are-an-object messages-chat/arguments-are-an-object-batch
			messages-chat/arguments-are-no-object messages-chat/arguments-are-no-object-batch`},
	{number: 90, what: "an empty pages in the input of Claude Code's Read",
		why: "a rule for one parameter of one program's tool: an input reaches the client as the model wrote it, and the tool's refusal lets the model correct itself"},
	{number: 91, what: "the reason to stop follows what was really said",
		shown: `messages-chat/stop-after-a-call messages-chat/stop-after-a-call-batch messages-chat/tool-calls-without-any
			messages-chat/tool-calls-without-any-batch responses-chat/stop-after-a-call
			responses-chat/tool-calls-without-any responses-messages/stop-after-a-call`},
	{number: 92, what: "the older function_call is a call",
		shown: "messages-chat/function-call messages-chat/function-call-batch"},
	{number: 93, what: "what says nothing opens no block",
		shown: `messages-chat/empty-deltas messages-chat/nothing-said messages-chat/nothing-said-batch
			responses-chat/empty-deltas responses-chat/nothing-said responses-messages/nothing-said`},
	{number: 94, what: "the usage at the start is an estimate, the one at the end the upstream's",
		shown: `messages-chat/usage-cached messages-messages/start-after-a-ping messages-messages/usage-at-the-start
			dialect/messages.TestPatchStart`},
	{number: 95, what: "the usage is there, and no number of it null, when the upstream told none",
		shown: "messages-chat/usage-missing messages-chat/usage-missing-batch"},
	{number: 96, what: "an answer ends once, after the last that the upstream says of its usage",
		shown: "messages-chat/finish-twice messages-chat/no-done responses-chat/finish-twice"},
	{number: 97, what: "an end that is missing is an error",
		shown: `chat-chat/cut-in-a-text chat-messages/cut-in-a-call chat-messages/cut-in-a-text
			chat-messages/no-message-stop messages-chat/cut-in-a-call messages-chat/cut-in-a-text
			messages-chat/done-without-a-reason messages-messages/cut-in-a-text responses-chat/cut-in-a-call
			responses-chat/cut-in-a-text responses-messages/cut-in-a-call responses-messages/cut-in-a-text
			proxy.TestCutStreams`},
	{number: 98, what: "an error amid the answer is told as one, and nothing follows but the end of the stream",
		shown: `chat-chat/error-amid-the-answer chat-messages/done-after-an-error chat-messages/error-without-a-name
			messages-chat/error-amid-the-answer messages-chat/error-event messages-messages/error-amid-the-answer
			responses-chat/error-amid-the-answer responses-messages/error-amid-the-answer`},
	{number: 99, what: "an error in the place of the first event has a status",
		shown: `chat-chat/error-first chat-messages/error-first messages-chat/error-first messages-messages/error-first
			responses-chat/error-first responses-messages/error-first proxy.TestRetries`},
	{number: 100, what: "chunks without choices are passed over, but for their usage",
		shown: "messages-chat/chunks-without-choices responses-chat/chunks-without-choices"},
	{number: 101, what: "a batch for a stream and a stream for a batch become what the client asked for",
		shown: `chat-chat/batch-for-a-stream chat-chat/stream-for-a-batch chat-messages/batch-for-a-stream
			chat-messages/stream-for-a-batch messages-chat/batch-for-a-stream messages-chat/stream-for-a-batch
			messages-messages/batch-for-a-stream messages-messages/stream-for-a-batch responses-chat/batch-for-a-stream
			responses-chat/stream-for-a-batch responses-messages/batch-for-a-stream responses-messages/stream-for-a-batch
			proxy.TestShapesAreConverted`},
	{number: 102, what: "the role is told once, and all chunks have one id and one time",
		shown: "chat-messages/role-once dialect/chat.TestEncoder"},
	{number: 103, what: "calls are numbered by themselves, and named once",
		shown: "chat-messages/calls-are-numbered chat-messages/calls-are-numbered-batch"},
	{number: 104, what: "the usage has a chunk of its own for who asked for it",
		shown: `chat-messages/usage-asked-for chat-messages/usage-declined chat-messages/usage-not-asked-for
			dialect/chat.TestIsUsageOnly`},
	{number: 105, what: "the usage is always asked for upstream, and kept back from who did not ask",
		shown: `messages-chat/usage-is-asked-for responses-chat/text dialect/chat.TestPassEdits dialect/chat.TestIsUsageOnly`},
	{number: 106, what: "an input that comes with the start of its block is told",
		shown: "chat-messages/input-in-both chat-messages/input-in-the-start"},
	{number: 107, what: "unknown events, blocks and deltas are passed over without a gap",
		shown: "chat-messages/unknown-blocks-batch chat-messages/unknown-events responses-messages/unknown-events"},
	{number: 108, what: "[DONE] comes once, after an error, too",
		shown: `chat-messages/done-after-an-error responses-chat/error-amid-the-answer responses-chat/text
			responses-messages/error-amid-the-answer responses-messages/text`},
	{number: 109, what: "the events of a response come in their order, each with its number",
		shown: "responses-chat/text responses-messages/text dialect/responses.TestSuite"},
	{number: 110, what: "the items of a response come one after the other, and the last event has them all",
		shown: `responses-chat/thinking-and-text-alternate responses-chat/thinking-text-calls
			responses-messages/text-calls-text`},
	{number: 111, what: "the arguments of a call are told when they are over, also if there are none",
		shown: `responses-chat/call-without-arguments responses-chat/call-without-arguments-batch
			responses-messages/call-without-arguments`},
	{number: 112, what: "a response is incomplete at a limit and for a content filter, and has failed for an error or a missing end",
		shown: `responses-chat/cut-in-a-text responses-chat/error-amid-the-answer responses-chat/stop-content-filter
			responses-chat/stop-content-filter-batch responses-chat/stop-length responses-chat/stop-length-batch
			responses-messages/cut-in-a-text responses-messages/error-amid-the-answer responses-messages/stop-max-tokens
			responses-messages/stop-max-tokens-batch responses-messages/stop-model-context-window-exceeded
			responses-messages/stop-model-context-window-exceeded-batch responses-messages/stop-refusal
			responses-messages/stop-refusal-batch`},
	{number: 113, what: "output_text is not on the wire",
		shown: "responses-chat/text-batch responses-messages/text-batch"},
	{number: 114, what: "several texts are parts of one message, until something else comes",
		shown: "responses-messages/several-texts"},
	{number: 115, what: "a thought is a reasoning item with its text, or with its summary if the client wants that",
		shown: `responses-chat/thinking responses-chat/thinking-text-calls responses-messages/thinking
			responses-messages/thinking-summary`},
	{number: 116, what: "cached tokens are in OpenAI's prompt and outside Anthropic's input, and no count is negative",
		shown: `chat-messages/usage-asked-for chat-messages/usage-cached-batch messages-chat/usage-cached
			messages-chat/usage-cached-batch messages-chat/usage-clamped responses-chat/usage-cached
			responses-chat/usage-cached-batch responses-messages/usage-cached`},
	{number: 117, what: "all names of tokens that were written to a cache or read from it",
		shown: `messages-chat/usage-cache-creation messages-chat/usage-cache-hit messages-chat/usage-cache-write
			messages-chat/usage-cached-creation responses-chat/usage-cache-write`},
	{number: 118, what: "the details of a response's usage are always there",
		shown: `responses-chat/usage-cached responses-chat/usage-cached-batch responses-chat/usage-missing
			responses-chat/usage-missing-batch responses-messages/usage-cached responses-messages/usage-missing`},
	{number: 119, what: "of repeated counts the last that is not zero stands",
		shown: `chat-messages/usage-merged chat-messages/usage-null messages-chat/usage-repeated
			responses-chat/usage-repeated responses-messages/usage-cached llm.TestMerge`},
	{number: 120, what: "a usage that nobody told is estimated",
		shown: `chat-messages/usage-missing chat-messages/usage-missing-batch messages-chat/usage-missing
			messages-chat/usage-missing-batch responses-chat/usage-missing responses-chat/usage-missing-batch
			responses-messages/usage-missing`},
	{number: 121, what: "the upstream's id is kept; an answer without one gets one; a response has one of ours, as its client may ask for it",
		shown: `chat-messages/id-is-kept chat-messages/id-is-missing-batch messages-chat/id-is-kept
			messages-chat/id-is-kept-batch messages-chat/id-is-missing-batch responses-messages/id-is-ours`},
	{number: 122, what: "OpenAI's reasons to stop for Anthropic's clients",
		shown: `messages-chat/function-call messages-chat/function-call-batch messages-chat/stop-content-filter
			messages-chat/stop-content-filter-batch messages-chat/stop-eos messages-chat/stop-eos-batch
			messages-chat/stop-length messages-chat/stop-length-batch messages-chat/stop-stop messages-chat/stop-stop-batch
			messages-chat/stop-tool-calls messages-chat/stop-tool-calls-batch dialect/messages.TestStops`},
	{number: 123, what: "Anthropic's reasons to stop for OpenAI's clients; the text of a refusal stays content, since a stream cannot know of it",
		shown: `chat-messages/stop-end-turn chat-messages/stop-end-turn-batch chat-messages/stop-max-tokens
			chat-messages/stop-max-tokens-batch chat-messages/stop-model-context-window-exceeded
			chat-messages/stop-model-context-window-exceeded-batch chat-messages/stop-pause-turn
			chat-messages/stop-pause-turn-batch chat-messages/stop-refusal chat-messages/stop-refusal-batch
			chat-messages/stop-stop-sequence chat-messages/stop-stop-sequence-batch chat-messages/stop-tool-use
			chat-messages/stop-tool-use-batch responses-chat/stop-content-filter responses-chat/stop-content-filter-batch
			responses-chat/stop-length responses-chat/stop-length-batch responses-messages/stop-end-turn
			responses-messages/stop-end-turn-batch responses-messages/stop-max-tokens
			responses-messages/stop-max-tokens-batch responses-messages/stop-pause-turn
			responses-messages/stop-pause-turn-batch responses-messages/stop-refusal responses-messages/stop-refusal-batch
			responses-messages/stop-stop-sequence responses-messages/stop-stop-sequence-batch
			responses-messages/stop-tool-use responses-messages/stop-tool-use-batch dialect/chat.TestStopReasons`},
	{number: 124, what: "Z.AI's own reasons to stop, of which network_error is an error",
		shown: `chat-chat/stop-network-error chat-chat/stop-network-error-batch
			chat-messages/stop-model-context-window-exceeded chat-messages/stop-model-context-window-exceeded-batch
			chat-messages/stop-network-error chat-messages/stop-network-error-batch chat-messages/stop-sensitive
			chat-messages/stop-sensitive-batch messages-chat/stop-model-context-window-exceeded
			messages-chat/stop-model-context-window-exceeded-batch messages-chat/stop-network-error
			messages-chat/stop-network-error-batch messages-chat/stop-sensitive messages-chat/stop-sensitive-batch
			messages-messages/stop-network-error messages-messages/stop-network-error-batch
			responses-chat/stop-network-error responses-chat/stop-network-error-batch responses-chat/stop-sensitive
			responses-chat/stop-sensitive-batch responses-messages/stop-model-context-window-exceeded
			responses-messages/stop-model-context-window-exceeded-batch`},
	{number: 125, what: "stop_sequence is always there, with the sequence where it is known",
		shown: `chat-messages/stop-stop-sequence chat-messages/stop-stop-sequence-batch messages-chat/stop-sequence-unknown
			messages-messages/stop-sequence`},
	{number: 126, what: "OpenAI's refusal is a text, and a refusal",
		shown: `messages-chat/refusal messages-chat/refusal-batch responses-chat/refusal responses-chat/refusal-batch`},
	{number: 127, what: "a paused turn passes to clients that know it, and is an end to others",
		shown: `chat-messages/stop-pause-turn chat-messages/stop-pause-turn-batch messages-messages/stop-pause-turn
			responses-messages/stop-pause-turn responses-messages/stop-pause-turn-batch`},
	{number: 128, what: "one space behind the colon is no data",
		shown: "messages-chat/odd-lines sse.TestReader"},
	{number: 129, what: "the three line ends, in any mixture and however they are torn",
		shown: "sse.TestReader sse.TestTornAtEveryByte proxy.TestTornStreams"},
	{number: 130, what: "data in several lines, comments and other fields, in any order",
		shown: "messages-chat/odd-lines sse.TestReader proxy.TestTornStreams"},
	{number: 131, what: "one byte order mark is passed over",
		shown: "sse.TestReader proxy.TestTornStreams"},
	{number: 132, what: "a last event without its blank line counts",
		shown: "messages-chat/odd-lines sse.TestReader proxy.TestTornStreams"},
	{number: 133, what: "a character that is torn between reads stays whole",
		shown: "sse.TestTornAtEveryByte proxy.TestTornStreams"},
	{number: 134, what: "U+2028 and U+2029 end no line",
		shown: "sse.TestReader"},
	{number: 135, what: "long events, up to a limit that is told",
		shown: "sse.TestLongFrames"},
	{number: 136, what: "in the same dialect all bytes of a stream pass",
		shown: "proxy.TestSameDialectStreamsAreByteIdentical"},
	{number: 137, what: "packed requests and answers, within a limit on what they unpack to",
		shown: "proxy.TestPackedRequests proxy.TestPackedAnswers"},
	{number: 138, what: "streams and batches are known by how they begin, whatever they call themselves",
		shown: `chat-messages/batch-without-its-type chat-messages/stream-without-its-type
			messages-chat/batch-without-its-type messages-chat/stream-without-its-type responses-chat/batch-without-its-type
			responses-chat/stream-without-its-type responses-messages/batch-without-its-type
			responses-messages/stream-without-its-type proxy.TestShapesAreConverted`},
	{number: 139, what: "an error, a web page or nothing under the status 200 is an error",
		shown: `chat-chat/error-in-a-200 chat-chat/platform-error-in-a-200 chat-chat/web-page-in-a-200
			chat-messages/error-in-a-200 chat-messages/error-in-a-200-batch chat-messages/no-answer-in-a-200-batch
			chat-messages/nothing-in-a-200-batch chat-messages/platform-error-in-a-200 chat-messages/web-page-in-a-200
			chat-messages/web-page-in-a-200-batch messages-chat/error-in-a-200 messages-chat/error-in-a-200-batch
			messages-chat/no-answer-in-a-200-batch messages-chat/nothing-in-a-200-batch
			messages-chat/platform-error-in-a-200 messages-chat/web-page-in-a-200 messages-chat/web-page-in-a-200-batch
			messages-messages/error-in-a-200 messages-messages/platform-error-in-a-200 messages-messages/web-page-in-a-200
			responses-chat/error-in-a-200 responses-chat/error-in-a-200-batch responses-chat/nothing-in-a-200-batch
			responses-chat/web-page-in-a-200 responses-messages/error-in-a-200 responses-messages/error-in-a-200-batch
			responses-messages/nothing-in-a-200-batch responses-messages/web-page-in-a-200 proxy.TestNonsense`},
	{number: 140, what: "each kind of error in both shapes, with its status and when to come back",
		shown: `chat-chat/error-gateway chat-chat/error-overloaded chat-chat/error-parameter chat-chat/error-quota-stream
			chat-chat/error-rate chat-messages/error-balance chat-messages/error-empty-message chat-messages/error-failure
			chat-messages/error-gateway chat-messages/error-key chat-messages/error-key-bare chat-messages/error-model
			chat-messages/error-no-path chat-messages/error-overloaded chat-messages/error-parameter
			chat-messages/error-permission chat-messages/error-quota chat-messages/error-quota-stream
			chat-messages/error-rate chat-messages/error-sensitive chat-messages/error-timeout chat-messages/error-too-large
			messages-chat/error-balance messages-chat/error-empty-message messages-chat/error-failure
			messages-chat/error-gateway messages-chat/error-key messages-chat/error-model messages-chat/error-no-path
			messages-chat/error-overloaded messages-chat/error-parameter messages-chat/error-permission
			messages-chat/error-quota messages-chat/error-quota-stream messages-chat/error-rate
			messages-chat/error-sensitive messages-chat/error-timeout messages-chat/error-too-large
			messages-messages/error-gateway messages-messages/error-overloaded messages-messages/error-parameter
			messages-messages/error-quota-stream messages-messages/error-rate responses-chat/error-balance
			responses-chat/error-gateway responses-chat/error-key responses-chat/error-model responses-chat/error-overloaded
			responses-chat/error-parameter responses-chat/error-permission responses-chat/error-quota
			responses-chat/error-quota-stream responses-chat/error-rate responses-chat/error-sensitive
			responses-chat/error-timeout responses-chat/error-too-large responses-messages/error-balance
			responses-messages/error-gateway responses-messages/error-key responses-messages/error-model
			responses-messages/error-overloaded responses-messages/error-parameter responses-messages/error-permission
			responses-messages/error-quota responses-messages/error-quota-stream responses-messages/error-rate
			responses-messages/error-sensitive responses-messages/error-timeout responses-messages/error-too-large
			dialect/chat.TestAppendError dialect/messages.TestAppendError proxy.TestRetryAfterIsObeyedAndPassedOn`},
	{number: 141, what: "a prompt that is too long is told in the words upon which clients compact it",
		shown: `chat-chat/error-too-long chat-chat/error-too-long-plain chat-messages/error-too-long
			chat-messages/error-too-long-amid chat-messages/error-too-long-plain messages-chat/error-too-long
			messages-chat/error-too-long-amid messages-chat/error-too-long-plain messages-messages/error-too-long
			messages-messages/error-too-long-plain responses-chat/error-too-long responses-chat/error-too-long-amid
			responses-chat/error-too-long-plain responses-messages/error-too-long responses-messages/error-too-long-amid
			responses-messages/error-too-long-plain`},
	{number: 142, what: "accounts that must wait: the client is told for how long",
		shown: "proxy.TestAccountsThatMustWait"},
	{number: 143, what: "which headers of the client go upstream, and that an answer has a request id",
		shown: `messages-chat/path-beta upstream.TestHeaderOfTheClient proxy.TestSecretsStayInside
			proxy.TestAccountsThatMustWait`},
	{number: 144, what: "what is tolerated of a path, and of a base",
		shown: `chat-messages/bad-path chat-messages/path-without-version messages-chat/bad-path messages-chat/path-beta
			responses-messages/path-without-version proxy.TestRoutes upstream.TestLookup`},
	{number: 145, what: "a batch gets no signs of life, which would be in front of its JSON",
		shown: "proxy.TestBatchesGetNoSignsOfLife"},
	{number: 146, what: "a count of tokens counts all that is in the request",
		shown: "llm.TestEstimateTokensCountsAll llm.TestTokensOfSamples"},
	{number: 147, what: "a count of tokens touches neither account nor plan",
		shown: "proxy.TestCountTokens"},
	{number: 148, what: "the list of models in the caller's shape",
		shown: "proxy.TestModelsInTheCallersShape proxy.TestRoutes"},
	{number: 149, what: "a name that is not the upstream's (an alias, Claude's, GPT's, one with the mark of a long context, none) becomes one that is",
		shown: `messages-chat/model-name-long-context responses-messages/model-absent
			responses-messages/model-name-long-context upstream.TestTargetFor proxy.TestModelNames
			proxy.TestOtherNamesAreListed upstream.TestResolve`},
	{number: 150, what: "tools stream where GLM can",
		shown: "messages-chat/tool-stream responses-chat/tool-stream"},
	{number: 151, what: "a plan has its own address, and the client's dialect is preferred",
		shown: "upstream.TestLookup upstream.TestEndpointPrefersTheClientsDialect"},
	{number: 152, what: "images take the way on which they are not dropped, or are refused in words",
		shown: "proxy.TestImagesGoWhereTheyAreSeen"},
	{number: 153, what: "a call that leaks into a text is not executed, and not lost",
		shown: `chat-messages/tool-markup-is-text messages-chat/tool-markup-is-text responses-chat/tool-markup-is-text
			responses-messages/tool-markup-is-text`},
	{number: 154, what: "the call of a tool that nobody declared goes to the client",
		shown: `chat-messages/invented-tool messages-chat/invented-tool responses-chat/invented-tool
			responses-messages/invented-tool`},
	{number: 155, what: "the credential of the quota endpoint",
		why: "nothing that passes through here asks for the quota; a login does, with the bare key and no scheme, in app/login"},
	{number: 156, what: "no message that says nothing goes upstream",
		shown: "chat-messages/nothing-empty-goes-upstream messages-chat/nothing-empty-goes-upstream"},
	{number: 157, what: "the time of a reset without a zone is Beijing's, and told in the user's own",
		shown: "upstream.TestExplain"},
}

// TestAccountsThatMustWait is what clients are told while no account may be used:
// the status upon which they wait, for how long, and until when in words. Nothing
// goes upstream.
func TestAccountsThatMustWait(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		base := serveUpstream(t, func(http.ResponseWriter, *http.Request) { t.Error("a request went upstream") })
		url := serveProxy(t, l.bases(base), func(c *Config) {
			c.Credential = func(context.Context, Ask) (upstream.Lease, *llm.Error) {
				return upstream.Lease{}, &llm.Error{Kind: llm.ErrQuota, RetryAfter: 90 * time.Minute, Message: "Z.AI: the 5-hour quota is used up; it resets at 14:20"}
			}
		})
		kind := `"insufficient_quota"`
		if l.client == upstream.Messages {
			kind = `"rate_limit_error"`
		}
		for _, body := range [][]byte{l.stream, l.batch} {
			resp, got := post(t, url+l.path, nil, body)
			if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "5400" {
				t.Errorf("%d, after %q", resp.StatusCode, resp.Header.Get("Retry-After"))
			}
			if !strings.Contains(string(got), "resets at 14:20") || !strings.Contains(string(got), kind) {
				t.Errorf("%s", got)
			}
			if id := resp.Header.Get("Request-Id"); !ourID.MatchString(id) || resp.Header.Get("X-Request-Id") != id {
				t.Errorf("no request id: %v", resp.Header)
			}
		}
	})
}

// TestBatchesGetNoSignsOfLife lets the upstream of a batch be silent for many times
// the interval of the signs of life.
func TestBatchesGetNoSignsOfLife(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			time.Sleep(30 * time.Millisecond)
			eventStream(w)
			_, _ = w.Write(l.answer)
		})
		url := serveProxy(t, l.bases(base), func(c *Config) { c.KeepAlive = time.Millisecond })
		resp, got := post(t, url+l.path, nil, l.batch)
		if len(got) == 0 || got[0] != '{' || resp.ContentLength != int64(len(got)) {
			t.Errorf("%d bytes of %d: %s", len(got), resp.ContentLength, got)
		}
	})
}
