package messages

import (
	"bytes"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// system reads the system prompt.
func (d *requestReader) system() {
	d.out.System = d.out.System[:0]
	p := &d.out.places
	p.billing, p.systemBlocks = nil, 0
	at := d.Offset()
	defer func() { p.system, p.noSystem = d.spanFrom(at), len(d.out.System) == 0 }()
	switch d.Kind() {
	case rawjson.Text:
		text := d.String()
		if n := billingLength(text); n > 0 {
			d.out.places.cut(at+1, at+1+n)
			text = withoutBilling(text, n)
		}
		if !text.Empty() {
			d.out.System = append(d.out.System, llm.Block{Kind: llm.Text, Text: text})
		}
	case rawjson.Array:
		p.systemBlocks = at + 1
		d.systemBlocks()
	default:
		d.Fail(at, "must be a string or an array of text blocks, not %s", d.Kind())
	}
}

// systemBlocks reads the blocks of a system prompt. If the first is nothing but the
// client's billing header, everything up to the second one goes.
func (d *requestReader) systemBlocks() {
	mark, n := len(d.stack), 0
	var header span // the first block, if it is nothing else
	d.Array(func() {
		at := d.Offset()
		if n++; n == 2 && header.end > 0 {
			d.out.places.cut(header.start, at)
		}
		textAt := d.systemBlock()
		if n == 1 && textAt >= 0 && d.Err() == nil && d.cutBilling(textAt) {
			header = d.spanFrom(at)
		}
	})
	if n == 1 && header.end > 0 {
		d.out.places.cut(header.start, header.end)
	}
	d.out.System = d.carve(mark)
}

// cutBilling takes the billing header off the block on top of the stack, whose text
// begins at an offset. If nothing is left it takes the block too and returns true.
func (d *requestReader) cutBilling(textAt int) (whole bool) {
	b := &d.stack[len(d.stack)-1]
	length := billingLength(b.Text)
	if length == 0 {
		return false
	}
	b.Text = withoutBilling(b.Text, length)
	if b.Text.Empty() {
		d.stack = d.stack[:len(d.stack)-1]
		return true
	}
	d.out.places.cut(textAt+1, textAt+1+length)
	return false
}

// systemBlock reads one block of a system prompt onto the stack and returns where
// its text begins, or -1 if it has none.
func (d *requestReader) systemBlock() int {
	at := d.Offset()
	switch d.Kind() {
	case rawjson.Text:
		d.push(llm.Block{Kind: llm.Text, Text: d.String()})
		return at
	case rawjson.Object:
		f := d.fields()
		if !isWord(f.kind, "text") && f.kind.Value != nil {
			d.warn("system", "only its text can be carried over")
			return -1
		}
		d.push(llm.Block{Kind: llm.Text, Text: d.text(f.text, "text", f.at), CacheControl: d.cacheControl(&f)})
		return f.text.at
	}
	d.Fail(at, "must be a text block, not %s", d.Kind())
	return -1
}

// billingPrefix begins the line that Claude Code puts in front of its system
// prompt. It is meant for Anthropic's billing, and since it varies it would undo the
// upstream's prompt cache.
const billingPrefix = "x-anthropic-billing-header:"

// billingLength returns the length of the billing header that leads an escaped text,
// with the line ends after it.
func billingLength(text rawjson.String) int {
	inner := text.Inner()
	if !bytes.HasPrefix(inner, []byte(billingPrefix)) {
		return 0
	}
	for i := 0; i < len(inner); i++ {
		if inner[i] != '\\' {
			continue
		}
		if n := lineEnds(inner[i:]); n > 0 {
			return i + n
		}
		i++ // the escaped character
	}
	return len(inner)
}

// lineEnds returns the length of the escaped line ends that lead an escaped text.
func lineEnds(inner []byte) int {
	n := 0
	for len(inner) >= n+2 && inner[n] == '\\' && (inner[n+1] == 'n' || inner[n+1] == 'r') {
		n += 2
	}
	return n
}

// withoutBilling returns the literal without its first n bytes.
func withoutBilling(text rawjson.String, n int) rawjson.String {
	rest := text.Inner()[n:]
	return append(append(append(make(rawjson.String, 0, len(rest)+2), '"'), rest...), '"')
}
