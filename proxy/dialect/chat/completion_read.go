package chat

import (
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// Completion is a request of the older endpoint, /v1/completions, which goes on from a
// text instead of answering a conversation. Here the text becomes the only message of a
// conversation.
type Completion struct {
	llm.Request
	// IncludeUsage says that the client wants the usage at the end of a stream.
	IncludeUsage bool
	// Echo is what the answer begins with: the prompt, or nil.
	Echo rawjson.String
	// CacheKey is prompt_cache_key; nil if there is none.
	CacheKey rawjson.String
}

// DecodeCompletion reads the body of a request as DecodeRequest does. Thinking is turned
// off unless the client asks for it: an answer has no place for it, and programs that
// complete what somebody types cannot wait.
func DecodeCompletion(body []byte) (*Completion, *llm.Error) {
	d := &completionReader{requestReader: requestReader{r: rawjson.NewRepairingReader(body), body: body, req: &Request{}}}
	d.r.Object(d.field)
	if err := d.r.End(); err != nil {
		return nil, d.failure(err)
	}
	req := d.req
	if d.prompt.Blank() {
		return nil, llm.Invalid("prompt", "prompt: is missing or empty, it must be a text to go on from")
	}
	req.Messages = []llm.Message{{Role: llm.User, Blocks: []llm.Block{{Kind: llm.Text, Text: d.prompt}}}}
	req.MaxTokens = d.maxTokens
	d.pickUser()
	if req.Thinking == (llm.Thinking{}) {
		req.Thinking.Mode = llm.ThinkingOff
	}
	c := &Completion{Request: req.Request, IncludeUsage: req.IncludeUsage, CacheKey: d.cacheKey}
	if d.echo {
		c.Echo = d.prompt
	}
	return c, nil
}

// completionReader reads what the two requests have in common as requestReader does.
type completionReader struct {
	requestReader
	prompt rawjson.String
	echo   bool
}

func (d *completionReader) field(key []byte) {
	if d.r.Null() {
		return
	}
	switch field := string(key); field {
	case "model", "stream", "stream_options", "stop":
		d.known(key)
	case "prompt":
		d.readPrompt()
	case "echo":
		d.echo = d.r.Bool()
	case "suffix":
		if s := d.r.String(); !s.Empty() {
			d.refuse(field, "asks for what stands between two texts, which these models do not do")
		}
	case "best_of":
		if n := d.r.Int(); n > 1 {
			d.refuse(field, "asks for the best of several answers, and only one at a time can be made")
		}
	default:
		if !d.number(key) && !d.identity(key) && !d.thinking(key) {
			d.uncarried(key)
		}
	}
}

// readPrompt reads the one prompt that can be answered, by itself or in an array.
func (d *completionReader) readPrompt() {
	at := d.r.Offset()
	if d.r.Kind() == rawjson.Text {
		d.prompt = d.r.String()
		return
	}
	prompts := 0
	d.r.Array(func() {
		switch {
		case d.r.Kind() != rawjson.Text:
			d.unfit(at, "prompt: must be text; numbers of tokens mean something to their own model alone")
		case prompts > 0:
			d.unfit(at, "prompt: holds several prompts; send a request for each")
		default:
			d.prompt = d.r.String()
			prompts++
		}
	})
}

// unfit ends the reading because of the value at an offset.
func (d *completionReader) unfit(at int, message string) {
	d.err = llm.Invalid("prompt", "%s", message)
	d.r.Fail(at, "cannot be answered")
}
