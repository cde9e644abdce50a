package proxy

import (
	"glmtray/proxy/dialect/chat"
	"glmtray/proxy/dialect/messages"
	"glmtray/proxy/dialect/responses"
	"glmtray/proxy/dialect/webchat"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/sse"
	"glmtray/proxy/upstream"
)

// dialect is what the lanes need of a wire format, as one line of a table: the
// packages of the dialects know neither HTTP nor each other.
type dialect struct {
	name upstream.Dialect
	// The half that serves clients.
	decodeRequest  func(body []byte) (*incoming, *llm.Error)
	newEncoder     func(replyOptions) encoder
	appendResponse func(dst []byte, r *llm.Response, o replyOptions) []byte
	// answer, if set, is what answers instead of appendResponse. With an error it returns
	// the answer that tells it, or nil if that is to be told as any other.
	answer          func(r *llm.Response, o replyOptions) ([]byte, *llm.Error)
	appendError     func(dst []byte, e *llm.Error, requestID string) []byte
	appendKeepAlive func(dst []byte) []byte
	// The half that is a client of upstreams.
	encodeRequest  func(dst []byte, r *llm.Request, t llm.Target) []byte
	newDecoder     func() decoder
	decodeResponse func(dst []llm.Event, body []byte) []llm.Event
	// parseError finds the error in a body or in a frame's data (with the status 0); nil
	// is none. The usual shapes are llm.ParseError's.
	parseError func(status int, body []byte) *llm.Error
	// rewrite is what the same-dialect lane does to single frames of a stream; it
	// appends what shall go out instead of the frame, or returns false.
	rewrite func(dst []byte, f sse.Frame, x *exchange) ([]byte, bool)
}

// incoming is a client's request, understood.
type incoming struct {
	*llm.Request
	// edits are the splices of the same-dialect lane.
	edits func(llm.Target) []rawjson.Edit
	// includeUsage says that a chat client asked for the chunk with the usage,
	// legacyFunctions that it speaks of functions where others speak of tools.
	includeUsage, legacyFunctions bool
	// conversation is what the client itself calls it, or nil.
	conversation rawjson.String
	// prefix is what the answer to a completion begins with, or nil.
	prefix rawjson.String
	// echo is what an answer of the Responses API repeats of the request, turn what is
	// kept of it; nil for other dialects.
	echo *responses.Echo
	turn *responses.Turn
	// release gives back the memory of the blocks.
	release func()
}

// replyOptions are what an answer needs that its events do not say.
type replyOptions struct {
	model           rawjson.String // the client's name for it
	id              string         // hexadecimal; where the upstream gives none
	created         int64          // seconds since 1970
	includeUsage    bool
	legacyFunctions bool
	inputEstimate   int            // tokens
	prefix          rawjson.String // of a completion
	echo            *responses.Echo
}

// encoder turns events into a client's stream.
type encoder interface {
	Append(dst []byte, e *llm.Event) []byte
}

// decoder turns an upstream's stream into events. Close is called at its end.
type decoder interface {
	Append(dst []llm.Event, f sse.Frame) []llm.Event
	Close(dst []llm.Event) []llm.Event
}

// The dialects.
var (
	chatDialect = &dialect{
		name: upstream.Chat,
		decodeRequest: func(body []byte) (*incoming, *llm.Error) {
			r, err := chat.DecodeRequest(body)
			if err != nil {
				return nil, err
			}
			return &incoming{Request: &r.Request, edits: r.PassEdits, conversation: r.CacheKey, includeUsage: r.IncludeUsage, legacyFunctions: r.LegacyFunctions, release: r.Release}, nil
		},
		newEncoder: func(o replyOptions) encoder { return chat.NewEncoder(chatOptions(o)) },
		appendResponse: func(dst []byte, r *llm.Response, o replyOptions) []byte {
			return chat.AppendResponse(dst, r, chatOptions(o))
		},
		appendError:     chat.AppendError,
		appendKeepAlive: chat.AppendKeepAlive,
		encodeRequest:   chat.EncodeRequest,
		newDecoder:      func() decoder { return chat.NewDecoder() },
		decodeResponse:  chat.DecodeResponse,
		parseError:      llm.ParseError,
		rewrite: func(dst []byte, f sse.Frame, x *exchange) ([]byte, bool) {
			return dst, !x.reply.includeUsage && chat.IsUsageOnly(f.Data)
		},
	}
	completionsDialect = &dialect{
		name: upstream.Completions,
		decodeRequest: func(body []byte) (*incoming, *llm.Error) {
			r, err := chat.DecodeCompletion(body)
			if err != nil {
				return nil, err
			}
			return &incoming{Request: &r.Request, conversation: r.CacheKey, includeUsage: r.IncludeUsage, prefix: r.Echo}, nil
		},
		newEncoder: func(o replyOptions) encoder { return chat.NewCompletionEncoder(completionOptions(o), o.prefix) },
		appendResponse: func(dst []byte, r *llm.Response, o replyOptions) []byte {
			return chat.AppendCompletion(dst, r, completionOptions(o), o.prefix)
		},
		appendError:     chat.AppendError,
		appendKeepAlive: chat.AppendKeepAlive,
	}
	messagesDialect = &dialect{
		name: upstream.Messages,
		decodeRequest: func(body []byte) (*incoming, *llm.Error) {
			r, err := messages.DecodeRequest(body)
			if err != nil {
				return nil, err
			}
			return &incoming{Request: &r.Request, edits: r.PassEdits, conversation: r.User, release: r.Release}, nil
		},
		newEncoder: func(o replyOptions) encoder { return messages.NewEncoder(messagesOptions(o)) },
		appendResponse: func(dst []byte, r *llm.Response, o replyOptions) []byte {
			return messages.AppendResponse(dst, r, messagesOptions(o))
		},
		appendError:     messages.AppendError,
		appendKeepAlive: messages.AppendKeepAlive,
		encodeRequest:   messages.EncodeRequest,
		newDecoder:      func() decoder { return messages.NewDecoder() },
		decodeResponse:  messages.DecodeResponse,
		parseError:      llm.ParseError,
		rewrite: func(dst []byte, f sse.Frame, x *exchange) ([]byte, bool) {
			if x.estimate == nil {
				return dst, false
			}
			return messages.PatchStart(dst, f, x.estimate)
		},
	}
)

// webchatDialect is that of Z.AI's chat site, which no client speaks.
var webchatDialect = &dialect{
	name:           upstream.WebChat,
	encodeRequest:  webchat.EncodeRequest,
	newDecoder:     func() decoder { return webchat.NewDecoder() },
	decodeResponse: webchat.DecodeResponse,
	parseError:     webchat.ParseError,
}

func dialectNamed(name upstream.Dialect) *dialect {
	switch name {
	case upstream.Messages:
		return messagesDialect
	case upstream.WebChat:
		return webchatDialect
	}
	return chatDialect
}

func chatOptions(o replyOptions) chat.EncoderOptions {
	return chat.EncoderOptions{
		Model: o.model, ID: rawjson.Quote("chatcmpl-" + o.id), Created: o.created,
		IncludeUsage: o.includeUsage, LegacyFunctions: o.legacyFunctions, InputEstimate: o.inputEstimate,
	}
}

func completionOptions(o replyOptions) chat.EncoderOptions {
	return chat.EncoderOptions{
		Model: o.model, ID: rawjson.Quote("cmpl-" + o.id), Created: o.created, IncludeUsage: o.includeUsage, InputEstimate: o.inputEstimate,
	}
}

func messagesOptions(o replyOptions) messages.EncoderOptions {
	return messages.EncoderOptions{Model: o.model, ID: "msg_" + o.id, InputEstimate: o.inputEstimate}
}
