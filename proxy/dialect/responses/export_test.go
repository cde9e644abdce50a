package responses

import (
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// SealThought and SealRedacted make envelopes, and Unseal opens one, for tests that
// play a client which sends them back, or an upstream that must find them whole.
func SealThought(text, signature rawjson.String) rawjson.String {
	return appendSealed(nil, envelope{thinking: text, signature: signature})
}

// SealRedacted makes the envelope of opaque data.
func SealRedacted(data rawjson.String) rawjson.String {
	return appendSealed(nil, envelope{redacted: data})
}

// Unseal opens an envelope.
func Unseal(s rawjson.String) (thinking, signature, redacted, summary rawjson.String, ok bool) {
	e, ok := unseal(s)
	return e.thinking, e.signature, e.redacted, e.summary, ok
}

// CustomSchema is the schema of the function that stands for a custom tool.
const CustomSchema = customSchema

// AppendResponse is AppendAnswer in the form of the other dialects, for the suite that
// they share: the object tells the failure.
func AppendResponse(dst []byte, r *llm.Response, o EncoderOptions) []byte {
	dst, _ = AppendAnswer(dst, r, o)
	return dst
}
