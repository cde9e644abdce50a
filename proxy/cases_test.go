package proxy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// translationCase is one of the cases that programs of this kind have got wrong, by
// the number under which exchanges and tests name it.
type translationCase struct {
	number int
	what   string // what must hold
	// shown are the exchanges under testdata that show it, <folder>/<file> without
	// the extension, and the tests that do, <package>.<TestName>, between blanks.
	shown string
	// why says why nothing shows it.
	why string
}

// lastCase is the last number of the list, which is requestCases (what requests
// say) and then answerCases.
const lastCase = 157

var requestCases = []translationCase{
	{number: 1, what: "the results of tools come right after their calls, before the user's text",
		shown: "messages-chat/tool-results-come-first"},
	{number: 2, what: "several results become one user message, before the text that follows",
		shown: "chat-messages/results-late-and-mixed chat-messages/tool-results-share-a-message"},
	{number: 3, what: "each result becomes a message of its own, in order",
		shown: "messages-chat/tool-results-come-first"},
	{number: 4, what: "of two results for one call the last stands",
		shown: `chat-messages/call-id-in-two-turns chat-messages/result-sent-twice responses-chat/output-sent-twice
			responses-messages/output-sent-twice`},
	{number: 5, what: "nothing stands between a call and its result",
		shown: `chat-messages/result-moves-to-its-call chat-messages/results-late-and-mixed
			responses-messages/reasoning-between-call-and-output`},
	{number: 6, what: "consecutive calls of a Responses input become one message, unless an output or a user comes between them",
		shown: `responses-chat/calls-become-one-message responses-chat/calls-split-by-a-user
			responses-chat/calls-split-by-an-output responses-chat/thinking-text-calls`},
	{number: 7, what: "a message between a call and its output waits for the output",
		shown: "responses-chat/message-waits-for-the-output responses-messages/message-waits-for-the-output"},
	{number: 8, what: "a result whose call is not in the conversation never goes upstream",
		shown: `chat-chat/orphan-result-refused chat-messages/orphan-result-refused messages-chat/orphan-result-refused
			messages-messages/orphan-result-refused responses-chat/orphan-output responses-chat/orphan-outputs-alone
			responses-messages/orphan-output responses-messages/orphan-outputs-alone`},
	{number: 9, what: "a call without a result gets one that says so, or is dropped at the end",
		shown: `chat-messages/call-nobody-answered chat-messages/last-call-unanswered messages-chat/last-call-unanswered
			responses-chat/last-call-unanswered responses-messages/call-nobody-answered
			responses-messages/calls-partly-answered responses-messages/last-call-unanswered`},
	{number: 10, what: "an assistant message of calls alone has the content that its upstream takes",
		shown: `messages-chat/call-without-text messages-chat/call-without-text-plain responses-chat/call-without-text
			responses-chat/call-without-text-plain responses-messages/call-without-text`},
	{number: 11, what: "an assistant message that says nothing is dropped, and its neighbours are joined",
		shown: "chat-messages/assistant-that-said-nothing"},
	{number: 12, what: "empty texts are dropped, and messages that hold nothing else",
		shown: `chat-messages/empty-texts messages-chat/empty-texts responses-chat/empty-texts
			responses-messages/empty-texts`},
	{number: 13, what: "neighbours of one role become one message",
		shown: "chat-messages/assistant-that-said-nothing responses-messages/neighbours-become-one"},
	{number: 14, what: "a conversation does not begin with the assistant",
		shown: "chat-messages/assistant-first responses-messages/assistant-first"},
	{number: 15, what: "a conversation is not a system prompt alone",
		shown: "chat-messages/system-only responses-chat/system-only responses-messages/system-only"},
	{number: 16, what: "system and developer messages become the system prompt, with their breakpoints",
		shown: "chat-messages/systems-and-developer responses-messages/systems-and-developer"},
	{number: 17, what: "a system message amid the turns stays in its place",
		shown: `messages-chat/system-amid-turns responses-chat/developer-amid-turns responses-messages/developer-amid-turns`},
	{number: 18, what: "a system prompt is a string or an array, of which only text is taken",
		shown: "messages-chat/system-string messages-chat/systems-become-one"},
	{number: 19, what: "one system message goes upstream",
		shown: `messages-chat/systems-become-one messages-chat/systems-become-one-plain responses-chat/systems-become-one
			responses-chat/systems-become-one-plain`},
	{number: 20, what: "the beginning of an answer loses its trailing white space, or goes where the model thinks",
		shown: "chat-messages/prefill chat-messages/prefill-always-thinking chat-messages/prefill-while-thinking"},
	{number: 21, what: "a message of thinking alone is not sent empty",
		shown: "messages-chat/thinking-alone responses-chat/reasoning-alone"},
	{number: 22, what: "text around calls keeps its order as far as chat has one",
		shown: "messages-chat/text-call-text responses-chat/text-call-text"},
	{number: 23, what: "the input of a response is a text, or items in many shapes",
		shown: `responses-chat/input-is-a-string responses-chat/input-shapes responses-messages/input-is-a-string
			responses-messages/input-shapes`},
	{number: 24, what: "half of a surrogate pair becomes U+FFFD",
		shown: `chat-chat/surrogate-half chat-messages/surrogate-half messages-chat/surrogate-half
			messages-messages/surrogate-half responses-chat/surrogate-half responses-messages/surrogate-half`},
	{number: 25, what: "Claude Code's billing header goes where it leads the system prompt",
		shown: `messages-chat/billing-header messages-messages/billing-header messages-messages/billing-header-block`},
	{number: 26, what: "a limit of one call a turn is carried over, beside the choice",
		shown: `chat-messages/parallel-off chat-messages/parallel-off-with-choice messages-chat/parallel-off
			messages-chat/parallel-off-plain responses-chat/parallel-off responses-chat/parallel-off-plain
			responses-messages/parallel-off responses-messages/parallel-off-with-choice`},
	{number: 27, what: "the modes of tool_choice map onto each other",
		shown: `chat-messages/choice-auto chat-messages/choice-named chat-messages/choice-named-flat
			chat-messages/choice-none chat-messages/choice-required messages-chat/choice-any messages-chat/choice-any-plain
			messages-chat/choice-auto-plain messages-chat/choice-named messages-chat/choice-named-plain
			messages-chat/choice-none messages-chat/choice-none-plain responses-chat/choice-auto-plain
			responses-chat/choice-named-plain responses-chat/choice-none responses-chat/choice-none-plain
			responses-chat/choice-required responses-chat/choice-required-plain responses-messages/choice-auto
			responses-messages/choice-named responses-messages/choice-named-nested responses-messages/choice-none
			responses-messages/choice-required`},
	{number: 28, what: "no tool_choice is made up",
		shown: `chat-messages/choice-absent messages-chat/choice-absent responses-chat/choice-absent
			responses-messages/choice-absent`},
	{number: 29, what: "no choice is left without tools to choose from",
		shown: `chat-messages/choice-without-tools messages-chat/choice-without-tools responses-chat/choice-without-tools
			responses-messages/choice-without-tools`},
	{number: 30, what: "a choice among some tools hides the others, an unknown one is the model's",
		shown: `chat-messages/choice-allowed-tools chat-messages/choice-unknown messages-chat/choice-unknown
			responses-chat/choice-allowed-tools responses-messages/choice-allowed-tools responses-messages/choice-unknown`},
	{number: 31, what: "a forced call turns thinking off",
		shown: `chat-messages/forced-choice-glm chat-messages/forced-choice-stops-thinking
			responses-messages/forced-choice-glm responses-messages/forced-choice-stops-thinking`},
	{number: 32, what: "a tool without parameters gets the schema of an empty object",
		shown: `chat-messages/tools-without-parameters messages-chat/tools-without-schema
			responses-chat/tools-without-parameters responses-messages/tools-without-parameters`},
	{number: 33, what: "the root of a schema is an object, not a union",
		shown: `chat-messages/schema-root-string chat-messages/schema-root-union messages-chat/schema-root-union
			responses-chat/schema-root-union responses-messages/schema-root-union`},
	{number: 34, what: "what the target does not know beside a schema goes; schemas keep their bytes",
		shown: `chat-messages/tool-extras messages-chat/tool-extras responses-chat/tool-extras
			responses-messages/tool-extras`},
	{number: 35, what: "tools of Anthropic's own never become functions without a schema",
		shown: `messages-chat/choice-without-tools messages-chat/server-tools messages-chat/server-tools-in-history`},
	{number: 36, what: "a function of the client's own keeps its name beside a server tool of that name",
		shown: `chat-messages/own-function-named-web-search messages-chat/own-function-named-web-search
			responses-chat/own-function-named-web-search responses-messages/own-function-named-web-search`},
	{number: 37, what: "tools that run at the provider are left out, not refused",
		shown: `chat-messages/choice-without-tools responses-chat/choice-without-tools responses-chat/hosted-tools
			responses-messages/choice-without-tools responses-messages/hosted-tools`},
	{number: 38, what: "a custom tool is a function with one text, and its calls are custom ones for a Responses client; a chat client's are refused in words",
		shown: `chat-messages/custom-tool-refused responses-chat/custom-tool responses-chat/custom-tool-batch
			responses-chat/custom-tool-history responses-messages/custom-tool responses-messages/custom-tool-cut
			responses-messages/custom-tool-history dialect/responses.TestGoldenAnswers`},
	{number: 39, what: "the tools of a namespace have its name in front of theirs upstream, and clients get both names back",
		shown: "responses-chat/namespaces responses-messages/namespace-collision responses-messages/namespaces"},
	{number: 40, what: "of several tools of one name the first stands",
		shown: `chat-messages/duplicate-tools messages-chat/duplicate-tools responses-chat/duplicate-tools
			responses-messages/duplicate-tools`},
	{number: 41, what: "names that upstreams refuse get safe ones, and clients get their own back",
		shown: `chat-chat/tool-name-passes chat-messages/tool-name-made-safe chat-messages/tool-name-made-safe-stream
			messages-chat/tool-name-made-safe messages-chat/tool-name-made-safe-stream responses-chat/tool-name-made-safe
			responses-messages/tool-name-made-safe`},
	{number: 42, what: "ids that upstreams refuse get safe ones, the same for call and result",
		shown: `chat-messages/call-id-made-safe messages-chat/call-id-made-safe responses-messages/call-id-made-safe`},
	{number: 43, what: "the ids of items have the prefix of their type, and the ids of calls stay as they are",
		shown: "responses-chat/ids-of-items responses-messages/ids-of-items"},
	{number: 44, what: "whatever a tool returned becomes one text",
		shown: `chat-messages/result-contents messages-chat/result-contents responses-chat/output-contents
			responses-messages/output-contents`},
	{number: 45, what: "images in results follow in a user message",
		shown: `chat-messages/result-images messages-chat/result-images responses-chat/output-images
			responses-messages/output-images`},
	{number: 46, what: "images in stringified outputs become images; any other text stays as it is",
		shown: `responses-chat/stringified-images responses-chat/stringified-text-stays
			responses-messages/stringified-images responses-messages/stringified-text-stays`},
	{number: 47, what: "a failed result says so in its text",
		shown: "messages-chat/failed-result responses-chat/failed-output responses-messages/failed-output"},
	{number: 48, what: "images by value and by URL are carried over",
		shown: `chat-messages/image-not-base64-refused chat-messages/images messages-chat/images responses-chat/images
			responses-messages/image-by-id-refused responses-messages/image-not-base64-refused responses-messages/images`},
	{number: 49, what: "an image for a model that sees none goes to one that does, or is refused in words",
		shown: `responses-chat/image-chooses-the-model responses-messages/image-chooses-the-model
			responses-messages/image-refused proxy.TestModelNames proxy.TestImagesAreNotLost upstream.TestResolve`},
	{number: 50, what: "a second attempt without images",
		why: "no request is sent a second time in another form; what the upstream says of an image is passed on"},
	{number: 51, what: "documents are carried over where the upstream takes them, else refused in words",
		shown: `chat-messages/document-by-id-refused chat-messages/documents messages-chat/document-by-url-refused
			messages-chat/document-refused messages-chat/documents messages-chat/documents-plain
			responses-chat/document-by-url-refused responses-chat/document-refused responses-chat/documents
			responses-chat/documents-plain responses-messages/documents responses-messages/image-by-id-refused`},
	{number: 52, what: "the detail of an image is chat's own",
		shown: "chat-messages/images responses-chat/images responses-messages/images"},
	{number: 53, what: "reasoning_content and its kin become a thinking block before the text",
		shown: `messages-chat/reasoning-batch messages-chat/reasoning-stream messages-chat/thinking-batch
			messages-chat/thinking-stream`},
	{number: 54, what: "thinking without a signature has a mark of ours, which is recognised when it comes back",
		shown: `chat-messages/thinking-comes-back messages-chat/thinking-batch messages-chat/thinking-comes-back
			messages-chat/thinking-stream messages-messages/thinking-passes responses-messages/thinking-comes-back`},
	{number: 55, what: "a signature that comes late opens no block again",
		shown: "messages-chat/signature-after-text"},
	{number: 56, what: "thinking signed by somebody else goes only to upstreams that do not verify it",
		shown: `chat-messages/unsigned-thinking-comes-back messages-chat/thinking-comes-back
			messages-chat/thinking-comes-back-plain messages-messages/thinking-passes
			responses-chat/thinking-comes-back-plain responses-messages/unsigned-thinking-comes-back`},
	{number: 57, what: "signed and redacted thinking survives the way through a client",
		shown: `chat-messages/signatures-come-back messages-messages/thinking-passes responses-messages/signatures-come-back
			responses-messages/signatures-go-out responses-messages/thinking`},
	{number: 58, what: "GLM gets its thinking back with every assistant message",
		shown: `chat-messages/thinking-comes-back messages-chat/thinking-comes-back messages-chat/thinking-preserved
			responses-chat/thinking-comes-back`},
	{number: 59, what: "no signature leaks from one conversation into another",
		why: "there is no cache of signatures that could leak: they travel in the conversation itself, see case 57"},
	{number: 60, what: "a reasoning item belongs to the message or the call that follows, and says once what it says twice",
		shown: `responses-chat/reasoning-alone responses-chat/thinking-comes-back responses-messages/summary-and-content
			responses-messages/thinking-comes-back`},
	{number: 61, what: "thinking that an upstream writes between tags is thinking; clients may get theirs between tags, or none",
		shown: `chat-messages/thinking-in-tags messages-chat/think-tags messages-chat/think-tags-batch
			messages-chat/think-tags-stray messages-chat/think-tags-unclosed responses-chat/think-tags
			responses-messages/thinking-hidden responses-messages/thinking-in-tags proxy.TestThinkingIsShown
			llm.TestInlineThinking llm.TestInlineThinkingTorn llm.TestDisplays`},
	{number: 62, what: "text and thinking may alternate",
		shown: "messages-chat/thinking-and-text-alternate responses-chat/thinking-and-text-alternate"},
	{number: 63, what: "a text that is sent twice is told once",
		shown: "messages-chat/same-text-twice responses-chat/same-text-twice"},
	{number: 64, what: "a budget of thinking fits the limit of the answer, or there is no thinking",
		shown: `chat-messages/budget-at-least chat-messages/budget-below-limit chat-messages/small-limit-stops-thinking
			responses-messages/budget-below-limit responses-messages/small-limit-stops-thinking`},
	{number: 65, what: "sampling parameters that thinking excludes are dropped",
		shown: `chat-messages/sampling-glm chat-messages/sampling-while-thinking chat-messages/temperature-or-top-p
			responses-messages/sampling-while-thinking responses-messages/temperature-or-top-p`},
	{number: 66, what: "no thinking is asked for after calls that lack theirs",
		shown: `chat-messages/unsigned-calls-glm chat-messages/unsigned-calls-stop-thinking
			responses-messages/unsigned-calls-stop-thinking`},
	{number: 67, what: "every way to ask for thinking becomes the form that the model takes",
		shown: `chat-chat/effort-passes chat-messages/effort-glm-5.1 chat-messages/effort-glm-5.2-high
			chat-messages/effort-glm-5.2-low chat-messages/effort-glm-5.2-none chat-messages/effort-glm-5.2-xhigh
			chat-messages/effort-glm-5.3-max chat-messages/effort-glm-5.3-medium chat-messages/effort-glm-5.3-none
			chat-messages/effort-unknown chat-messages/enable-thinking chat-messages/reasoning-object
			chat-messages/thinking-off chat-messages/thinking-off-5.3 chat-messages/thinking-switches-disagree
			messages-chat/budget messages-chat/budget-5.2 messages-chat/effort-glm-5.2-medium
			messages-chat/effort-glm-5.3-max messages-chat/thinking-off messages-chat/thinking-off-5.3
			messages-messages/effort-passes responses-chat/effort-glm-5.1-high responses-chat/effort-glm-5.2-medium
			responses-chat/effort-glm-5.2-none responses-chat/effort-glm-5.3-minimal responses-chat/effort-glm-5.3-none
			responses-chat/effort-glm-5.3-xhigh responses-messages/effort-glm-5.1-high
			responses-messages/effort-glm-5.2-medium responses-messages/effort-glm-5.2-none
			responses-messages/effort-glm-5.3-minimal responses-messages/effort-glm-5.3-none
			responses-messages/effort-glm-5.3-xhigh responses-messages/effort-unknown`},
	{number: 68, what: "thinking reaches chat clients in batches and streams alike",
		shown: "chat-messages/no-thinking-batch chat-messages/thinking-batch chat-messages/thinking-stream"},
	{number: 69, what: "a response of thinking alone is not complete",
		shown: `responses-chat/thinking-only responses-chat/thinking-only-batch responses-messages/thinking-only-cut`},
	{number: 70, what: "the limit of the answer under both names, or the default",
		shown: `chat-chat/limit-passes chat-messages/limit-absent chat-messages/limit-absent-small-model
			chat-messages/limit-both-names chat-messages/limit-old-name chat-messages/limit-zero messages-chat/limit-absent
			responses-chat/limit responses-messages/limit responses-messages/limit-absent responses-messages/limit-zero`},
	{number: 71, what: "stop sequences in all forms, without empty ones, as many as the upstream takes",
		shown: "chat-messages/stop-array chat-messages/stop-string messages-chat/stop-four messages-chat/stop-one"},
	{number: 72, what: "what only OpenAI's upstreams do is refused or told as lost",
		shown: `chat-chat/openai-only-passes chat-messages/openai-only chat-messages/several-answers-refused
			responses-messages/openai-only`},
	{number: 73, what: "a temperature above 1 is clamped",
		shown: `chat-messages/temperature-above-one chat-messages/temperature-zero messages-chat/temperature-above-one
			messages-chat/temperature-zero responses-chat/temperature-above-one responses-chat/temperature-zero
			responses-messages/temperature-above-one`},
	{number: 74, what: "the form of the answer goes into the field or the prompt that the upstream has for it",
		shown: `chat-messages/format-json chat-messages/format-schema chat-messages/format-schema-plain
			chat-messages/format-text chat-messages/format-unknown-refused messages-chat/format-schema
			messages-chat/format-schema-plain responses-chat/format-json responses-chat/format-schema
			responses-chat/format-schema-plain responses-messages/format-json responses-messages/format-schema
			responses-messages/format-schema-plain responses-messages/format-unknown-refused`},
	{number: 75, what: "who asks is carried over, but no e-mail address",
		shown: `chat-messages/user chat-messages/user-cache-key chat-messages/user-email
			chat-messages/user-safety-identifier messages-chat/user messages-chat/user-long messages-chat/user-plain
			responses-chat/user responses-messages/user-cache-key responses-messages/user-email
			responses-messages/user-safety-identifier`},
	{number: 76, what: "cache breakpoints stay with Messages upstreams, at most four, and go from chat",
		shown: `chat-messages/cache-control messages-chat/cache-control messages-chat/tool-extras
			messages-messages/cache-control messages-messages/cache-last-block messages-messages/text-becomes-a-block`},
	{number: 77, what: "a response goes on from an earlier one that is kept here; what is kept elsewhere is refused in words",
		shown: `responses-messages/background-refused responses-messages/conversation-refused
			responses-messages/item-reference-refused responses-messages/previous-response-unknown
			responses-messages/store-false proxy.TestResponses proxy.TestResponsesNotStored`},
	{number: 78, what: "unknown fields pass in the same dialect, and are told as lost across dialects",
		shown: `chat-chat/openai-only-passes chat-messages/openai-only chat-messages/unknown-part
			messages-chat/anthropic-only messages-chat/server-tools-in-history messages-chat/unknown-block
			messages-messages/unknown-passes responses-messages/openai-only`},
	{number: 79, what: "answers name the model as the client did",
		shown: `chat-messages/model-name-stream messages-chat/model-name-batch messages-chat/model-name-stream
			messages-messages/model-name-passes responses-chat/model-name responses-messages/model-name-long-context`},
}

// exchangesIn lists the exchanges of testdata by name, each with the numbers of the
// cases that its comment names, as in "case 1, 3: what it shows".
func exchangesIn(t *testing.T) map[string][]int {
	t.Helper()
	numbers := regexp.MustCompile(`(?m)^cases? ([0-9, ]+):`)
	files, err := filepath.Glob("testdata/*-*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]int)
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.ToSlash(strings.TrimPrefix(file, "testdata"+string(filepath.Separator))), ".txtar")
		out[name] = nil
		for _, match := range numbers.FindAllSubmatch(archive.Comment, -1) {
			for field := range strings.SplitSeq(string(match[1]), ",") {
				n, err := strconv.Atoi(strings.TrimSpace(field))
				if err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				out[name] = append(out[name], n)
			}
		}
	}
	return out
}

// TestCases holds the list of cases against what shows them: every case is in the
// list, once and in order, with something that shows it or a reason why not; every
// exchange that it names is there and says so, and every case that an exchange names
// leads back to it.
func TestCases(t *testing.T) {
	exchanges := exchangesIn(t)
	listed := make(map[string][]int)
	next := 1
	for _, c := range slices.Concat(requestCases, answerCases) {
		if c.number != next {
			t.Fatalf("case %d follows case %d", c.number, next-1)
		}
		next++
		if c.what == "" || (c.shown == "") == (c.why == "") {
			t.Errorf("case %d must say what holds, and either what shows it or why not", c.number)
		}
		for name := range strings.FieldsSeq(c.shown) {
			if !strings.Contains(name, ".Test") {
				listed[name] = append(listed[name], c.number)
				if !slices.Contains(exchanges[name], c.number) {
					t.Errorf("case %d: there is no exchange %s whose comment names it", c.number, name)
				}
			} else if !hasTest(t, name) {
				t.Errorf("case %d: there is no test %s", c.number, name)
			}
		}
	}
	if next-1 != lastCase {
		t.Errorf("the list ends with case %d", next-1)
	}
	for name, numbers := range exchanges {
		for _, n := range numbers {
			if !slices.Contains(listed[name], n) {
				t.Errorf("exchange %s names case %d, whose line in the list does not name it", name, n)
			}
		}
	}
}

// hasTest reports whether a package, by its folder below proxy, has a test.
func hasTest(t *testing.T, name string) bool {
	t.Helper()
	folder, test, _ := strings.Cut(name, ".Test")
	if folder == "proxy" {
		folder = "."
	}
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(folder), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(source), "\nfunc Test"+test+"(")
	})
}
