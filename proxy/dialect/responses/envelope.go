package responses

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"glmtray/proxy/rawjson"
)

// envelopeMark begins each envelope: whose it is, and the version of what is inside.
const envelopeMark = "glmtray.1."

// envelope is what a client keeps for us without looking inside: a thought with its
// signature, opaque data in place of a thought, or the summary of a conversation.
// One of the literals is set.
//
// It is the mark, and in base64 a checksum and a JSON object. Nothing in it is
// secret: its client was sent the same text. The checksum tells a damaged envelope
// from a whole one, which somebody else's must not be taken for either.
type envelope struct {
	thinking, signature rawjson.String
	redacted            rawjson.String
	summary             rawjson.String
}

// sealing is strict, so that no two texts stand for the same envelope.
var sealing = base64.RawURLEncoding.Strict()

// appendSealed appends the envelope as a literal.
func appendSealed(dst []byte, e envelope) []byte {
	const overhead = 64
	inside := make([]byte, crc32.Size, crc32.Size+overhead+len(e.thinking)+len(e.signature)+len(e.redacted)+len(e.summary))
	for _, f := range []struct {
		name string
		text rawjson.String
	}{{"thinking", e.thinking}, {"signature", e.signature}, {"redacted", e.redacted}, {"summary", e.summary}} {
		if f.text == nil {
			continue
		}
		separator := byte(',')
		if len(inside) == crc32.Size {
			separator = '{'
		}
		inside = append(append(append(inside, separator, '"'), f.name...), '"', ':')
		inside = append(inside, f.text...)
	}
	inside = append(inside, '}')
	binary.BigEndian.PutUint32(inside, crc32.ChecksumIEEE(inside[crc32.Size:]))
	dst = append(append(dst, '"'), envelopeMark...)
	return append(sealing.AppendEncode(dst, inside), '"')
}

// unseal opens an envelope, and reports whether the literal is a whole one of ours.
// What it returns shares no memory with it.
func unseal(s rawjson.String) (envelope, bool) {
	text, ok := bytes.CutPrefix(s.Inner(), []byte(envelopeMark))
	if !ok {
		return envelope{}, false
	}
	inside, err := sealing.AppendDecode(nil, text)
	if err != nil || len(inside) < crc32.Size || binary.BigEndian.Uint32(inside) != crc32.ChecksumIEEE(inside[crc32.Size:]) {
		return envelope{}, false
	}
	var e envelope
	r := rawjson.NewRepairingReader(inside[crc32.Size:])
	r.Object(func(key []byte) {
		switch string(key) {
		case "thinking":
			e.thinking = r.String()
		case "signature":
			e.signature = r.String()
		case "redacted":
			e.redacted = r.String()
		case "summary":
			e.summary = r.String()
		}
	})
	if r.End() != nil || e.thinking == nil && e.redacted == nil && e.summary == nil {
		return envelope{}, false
	}
	return e, true
}
