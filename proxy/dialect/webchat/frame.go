package webchat

import (
	"strconv"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// frame is what one frame of the stream says:
//
//	{"type":"chat:completion","data":{"phase":"answer","delta_content":"lo"}}
//
// The type says nothing more than the fields do. What the site sends at a place is
// not certain, so all fields are looked for at the top, in data, and in data's data.
type frame struct {
	phase       rawjson.String
	delta, edit rawjson.String
	editIndex   int // in characters; -1 if there is none
	usage       llm.Usage
	hasUsage    bool
	done        bool
	failure     *siteError
}

// levels is how many objects may lie around the fields.
const levels = 3

// readFrame reads the data of a frame. It is lenient about the types of what it reads:
// what it cannot use it does not see.
func readFrame(data []byte) (frame, error) {
	f := frame{editIndex: -1}
	r := rawjson.NewReader(data)
	f.read(&r, levels)
	return f, r.End()
}

func (f *frame) read(r *rawjson.Reader, left int) {
	r.Object(func(key []byte) {
		kind := r.Kind()
		switch name := string(key); {
		case name == "data" && kind == rawjson.Object && left > 1:
			f.read(r, left-1)
		case name == "error":
			f.readError(r)
		case name == "phase" && kind == rawjson.Text:
			f.phase = r.String()
		case name == "delta_content" && kind == rawjson.Text:
			f.delta = r.String()
		case name == "edit_content" && kind == rawjson.Text:
			f.edit = r.String()
		case name == "edit_index" && kind == rawjson.Number:
			f.editIndex = count(r, maxRaw)
		case name == "usage" && kind == rawjson.Object:
			f.usage, f.hasUsage = readUsage(r), true
		case name == "done" && kind == rawjson.Bool:
			f.done = r.Bool()
		}
	})
}

// readUsage reads the token counts. Tokens that were read from a cache are among
// prompt_tokens, where package llm counts them apart.
func readUsage(r *rawjson.Reader) llm.Usage {
	var u llm.Usage
	prompt := 0
	r.Object(func(key []byte) {
		switch string(key) {
		case "prompt_tokens":
			prompt = count(r, maxTokenCount)
		case "completion_tokens":
			u.Output = count(r, maxTokenCount)
		case "prompt_tokens_details":
			detail(r, "cached_tokens", &u.CacheRead)
		case "completion_tokens_details":
			detail(r, "reasoning_tokens", &u.Reasoning)
		}
	})
	u.CacheRead = min(u.CacheRead, prompt)
	u.Input = prompt - u.CacheRead
	u.Reasoning = min(u.Reasoning, u.Output)
	return u
}

// detail reads one count of an object; anything else is skipped.
func detail(r *rawjson.Reader, name string, into *int) {
	if r.Kind() != rawjson.Object {
		r.Skip()
		return
	}
	r.Object(func(key []byte) {
		if string(key) == name {
			*into = count(r, maxTokenCount)
		}
	})
}

// count reads a number that is not negative, up to a limit. What is no number counts
// nothing: a wrong count must not cost an answer.
func count(r *rawjson.Reader, limit float64) int {
	if r.Kind() != rawjson.Number {
		r.Skip()
		return 0
	}
	f, err := strconv.ParseFloat(string(r.Raw()), 64)
	if err != nil || f < 0 {
		return 0
	}
	return int(min(f, limit))
}
