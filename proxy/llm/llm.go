// Package llm is the neutral conversation that lies between the wire formats: what
// a request says and what an answer streams, free of any format's field names and
// oddities. Each dialect translates itself to and from these values and knows no
// other dialect; the relay moves them and looks at few.
//
// They are plain values: no I/O, no JSON tags, no methods that fail. Text is kept
// as the JSON literal that it arrived as (see package rawjson), because it leaves
// as one too. A field is here only if two dialects have it, or if a client must get
// it back unchanged; what a target cannot carry becomes a [Warning].
//
// Conventions: tokens that were read from a cache count apart from Usage.Input, as
// Anthropic has it; a system prompt is apart from the messages; the result of a
// tool is a block in a user message.
package llm

import "glmtray/proxy/rawjson"

// Role is who speaks in a message.
type Role uint8

// The roles. Whatever a dialect has beside them (system, developer, tool) becomes
// one of these two or Request.System.
const (
	User Role = iota
	Assistant
)

// Request is one turn asked of a model.
type Request struct {
	Model    rawjson.String
	System   []Block // Text blocks only
	Messages []Message
	Tools    []Tool
	Choice   ToolChoice
	// Parallel says whether several tools may be called in one turn; nil leaves
	// it to the model.
	Parallel *bool
	// MaxTokens is the limit of the answer's tokens, 0 if the client named none.
	MaxTokens   int
	Temperature *float64
	TopP        *float64
	Stop        []rawjson.String
	Stream      bool
	Thinking    Thinking
	Format      Format
	// User identifies the end user or conversation to the provider.
	User rawjson.String
	// Warnings are what the dialect that read the request knows that no other
	// can carry; a dialect that writes it adds what it left out itself.
	Warnings []Warning
}

// Message is one turn of the conversation. The readers see to it that roles
// alternate, that the first message is a user's, that tool results come first in
// the message that follows their calls, and that no message is empty.
type Message struct {
	Role   Role
	Blocks []Block
}

// BlockKind is what a block holds.
type BlockKind uint8

// The kinds of blocks, with the fields of Block that each uses.
const (
	Text             BlockKind = iota // Text
	Thinks                            // Text, Signature
	RedactedThinking                  // Text: the opaque data
	ToolUse                           // ID, Name, JSON: the input object
	ToolResult                        // ID of the call, Content, IsError
	Image                             // Media
	Document                          // Media, Name: its title
	Other                             // Name: the type, JSON: the block as it came
)

// Block is one piece of a message.
type Block struct {
	Kind      BlockKind
	IsError   bool
	Text      rawjson.String
	Signature rawjson.String
	ID, Name  rawjson.String
	JSON      rawjson.Value
	Content   []Block // Text and Image
	Media     *Media
	// CacheControl is a client's own cache breakpoint, an object, or nil.
	CacheControl rawjson.Value
}

// Media is an image or a document, by URL or by value.
type Media struct {
	Type rawjson.String // the media type of Data: "image/png"
	Data rawjson.String // base64
	URL  rawjson.String
}

// Tool is a function that the model may call.
type Tool struct {
	Name         rawjson.String
	Description  rawjson.String // nil if there is none
	Schema       rawjson.Value  // a JSON Schema whose root is an object
	CacheControl rawjson.Value
}

// ChoiceMode is how free the model is to call tools.
type ChoiceMode uint8

// The modes. ChoiceUnset leaves it to the model's default.
const (
	ChoiceUnset ChoiceMode = iota
	ChoiceAuto
	ChoiceAny
	ChoiceNone
	ChoiceNamed
)

// ToolChoice is a mode, and with ChoiceNamed the tool's name.
type ToolChoice struct {
	Mode ChoiceMode
	Name rawjson.String
}

// ThinkingMode is whether the model shall think before it answers.
type ThinkingMode uint8

// The modes. ThinkingUnset leaves it to the model's default.
const (
	ThinkingUnset ThinkingMode = iota
	ThinkingOff
	ThinkingOn
	ThinkingAdaptive
)

// Thinking is what the client asked for, in whichever of the ways it used: a
// switch, a budget in tokens (0: none named), or an effort.
type Thinking struct {
	Mode   ThinkingMode
	Budget int
	Effort Effort
}

// Effort is how hard the model shall think; the empty Effort is not named.
type Effort string

// The efforts of all dialects, from the least to the most.
const (
	EffortNone    Effort = "none"
	EffortMinimal Effort = "minimal"
	EffortLow     Effort = "low"
	EffortMedium  Effort = "medium"
	EffortHigh    Effort = "high"
	EffortXHigh   Effort = "xhigh"
	EffortMax     Effort = "max"
)

// FormatKind is the form that the answer's text must have.
type FormatKind uint8

// The forms.
const (
	FormatText FormatKind = iota
	FormatJSON
	FormatSchema
)

// Format is the form, and with FormatSchema the schema and its name.
type Format struct {
	Kind   FormatKind
	Name   rawjson.String
	Schema rawjson.Value
	Strict bool
}

// HasImages reports whether somebody shows the model a picture.
func (r *Request) HasImages() bool {
	for i := range r.Messages {
		if hasImage(r.Messages[i].Blocks) {
			return true
		}
	}
	return false
}

func hasImage(blocks []Block) bool {
	for i := range blocks {
		if blocks[i].Kind == Image || hasImage(blocks[i].Content) {
			return true
		}
	}
	return false
}

// Warning is something that a client said and that could not be carried over.
// Refuse marks what must not be left out in silence either: the request is then
// refused with the reason.
type Warning struct {
	Field  string // the client's own name of it: "seed", "tools[3].strict"
	Reason string // a sentence without a full stop
	Refuse bool
}

// Warn records that something was left out.
func (r *Request) Warn(field, reason string) {
	r.Warnings = append(r.Warnings, Warning{Field: field, Reason: reason})
}

// Refuse records that the request cannot be translated without changing what it
// means.
func (r *Request) Refuse(field, reason string) {
	r.Warnings = append(r.Warnings, Warning{Field: field, Reason: reason, Refuse: true})
}

// Target is what is known of the model and of the endpoint that a request is
// written for.
type Target struct {
	// DefaultMaxTokens is sent where a dialect must name a limit and the client
	// did not.
	DefaultMaxTokens int
	// Temperature overrides every request's.
	Temperature *float64
	// User is sent as the user's identity where the client named none.
	User rawjson.String
	// CacheLastBlock asks for a cache breakpoint on the last block of the last
	// message, unless the client set one of its own.
	CacheLastBlock bool
	// Model is the upstream's name of the model where that is not the client's.
	Model rawjson.String
	// Lead are system prompts that stand before the client's, each as a block of its
	// own.
	Lead []rawjson.String
	// GLM says that the model is one of Zhipu's, with its rules for thinking,
	// sampling and tools.
	GLM bool
	// AlwaysThinks says that the model refuses to have its thinking turned off.
	AlwaysThinks bool
	// Efforts maps the efforts onto the words that the model takes; with a nil
	// map it takes none of them.
	Efforts map[Effort]Effort
}
