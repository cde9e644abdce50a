// Package webchat is the wire format of Z.AI's chat site (chat.z.ai), as the client of
// it that an upstream needs: it writes the request that the site's page sends, and
// reads the stream that comes back. It translates to and from the neutral values of
// package llm and knows no other dialect. It never opens a connection, keeps nothing
// between two answers, and makes neither the signature nor the captcha that the site
// may ask for: those belong to its page.
//
// Start with [EncodeRequest]; the answer is read with [NewDecoder], or with
// [DecodeResponse] if it came all at once. [ParseError] reads an error, which comes
// in three places and often with HTTP 200. No client speaks this format to us, so
// there is no half for clients.
//
// The format is documented nowhere. It is known from the site's own traffic, which
// open source clients of it describe alike; it changes without notice. Known losses
// are:
//
//   - there are neither tools nor images: requests with them are refused, and calls
//     of earlier turns are told as text;
//   - there is no system prompt: it stands in front of the first user's text;
//   - nothing of sampling, limits and stop sequences is taken;
//   - earlier thinking is not taken back;
//   - an answer has no reason to stop but its end, no id and no model.
//
// Other than in the other dialects, text does not stay the literal that it arrived
// as: the site corrects what it has said by position, so it has to be read.
package webchat

import "glmtray/proxy/rawjson"

// Bounds on what comes from outside.
const (
	// maxRaw is how many bytes of an answer are kept, which must be until its end,
	// since the site may change any of it. The longest answers have 128K tokens.
	maxRaw = 16 << 20
	// maxReplay is how many bytes of an answer are read again in all because the
	// site changed what was before them.
	maxReplay = 64 << 20
	// maxTag is how long a tag of the site's markup may be, in bytes.
	maxTag = 1 << 10
	// maxOverlap is how far back the place is searched where a rewritten text
	// goes on, in bytes.
	maxOverlap = 64
	// maxTokenCount bounds what the site says it has counted.
	maxTokenCount = 1 << 40
	// maxFieldName is how much of an unknown block's type is told, in bytes.
	maxFieldName = 64
	// maxCodeLength is how much of an error's code is told, in bytes, and
	// maxDetail of its text.
	maxCodeLength, maxDetail = 64, 1 << 10
)

// siteModels are the names under which the site knows models, by their public name in
// lower case. A name that is not here goes out as it is, so that the site's own names
// and newer models can be asked for too.
var siteModels = map[string]string{
	"glm-4.5":      "0727-360B-API",
	"glm-4.5-air":  "0727-106B-API",
	"glm-4.5v":     "glm-4.5v",
	"glm-4.6":      "GLM-4-6-API-V1",
	"glm-4.6v":     "glm-4.6v",
	"glm-4.7":      "glm-4.7",
	"glm-5":        "glm-5",
	"glm-5-turbo":  "GLM-5-Turbo",
	"glm-5.1":      "GLM-5.1",
	"glm-5.2":      "glm-5.2",
	"glm-5v-turbo": "GLM-5v-Turbo",
}

// longContext marks a model with a window of a million tokens for Claude Code, which
// puts it into the model's name; upstreams do not know it.
const longContext = "[1m]"

// plainText returns the text of a literal, without a copy where there are no escapes.
// It is meant for comparisons.
func plainText(s rawjson.String) []byte {
	inner := s.Inner()
	for _, c := range inner {
		if c == '\\' {
			return s.AppendTo(nil)
		}
	}
	return inner
}
