package responses

import (
	"bytes"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// content reads the content of a message.
func (d *requestReader) content(v value) []llm.Block {
	mark := len(d.stack)
	switch v.Kind() {
	case rawjson.Text:
		d.pushText(rawjson.String(v.Value))
	case rawjson.Array:
		d.again(v, func() { d.r.Array(d.part) })
	case rawjson.Null:
	default:
		d.fail(v.at, "must be a string or an array of parts, not %s", v.Kind())
	}
	return d.carve(mark)
}

func (d *requestReader) pushText(text rawjson.String) {
	if !text.Empty() {
		d.push(llm.Block{Kind: llm.Text, Text: text})
	}
}

// part is one part of a content while its fields come in.
type part struct {
	value
	kind                    rawjson.String
	text                    value
	url                     rawjson.String // of image_url or file_url
	data                    rawjson.String
	mediaType               rawjson.String // of data, where it is told apart
	fileName, fileID, about rawjson.String
}

// part reads one part of a content.
func (d *requestReader) part() {
	var p part
	p.at = d.at()
	d.r.Object(func(key []byte) { d.partField(key, &p) })
	if d.r.Err() != nil {
		return
	}
	p.Value = d.r.Since(p.at - d.base)
	d.pushPart(&p)
}

func (d *requestReader) partField(key []byte, p *part) {
	if d.r.Null() {
		return
	}
	switch string(key) {
	case "type":
		p.kind = d.r.String()
	case "text", "refusal":
		p.text = d.raw()
	case "image_url", "file_url": // a string here, an object in Chat Completions
		if d.r.Kind() == rawjson.Object {
			d.r.Object(func(key []byte) { d.urlField(key, p) })
			return
		}
		p.url = d.r.String()
	case "detail":
		p.about = d.r.String()
	case "file_data", "data":
		if d.r.Kind() == rawjson.Text {
			p.data = d.r.String()
		}
	case "mimeType", "mime_type", "media_type":
		if d.r.Kind() == rawjson.Text {
			p.mediaType = d.r.String()
		}
	case "filename":
		p.fileName = d.r.String()
	case "file_id":
		p.fileID = d.r.String()
	}
}

func (d *requestReader) urlField(key []byte, p *part) {
	switch string(key) {
	case "url":
		p.url = d.r.String()
	case "detail":
		p.about = d.r.StringOrNull()
	}
}

// pushPart turns a part into a block.
func (d *requestReader) pushPart(p *part) {
	switch kind := plainText(p.kind); string(kind) {
	case "input_text", "output_text", "text", "summary_text", "reasoning_text", "refusal":
		if !p.text.given() {
			field := "text"
			if string(kind) == "refusal" {
				field = "refusal"
			}
			d.missing(p.at, field, "it must be a string")
			return
		}
		d.pushText(d.literal(p.text))
	case "input_image", "image_url", "image":
		d.image(p)
	case "input_file", "file":
		d.document(p)
	case "input_audio":
		d.refuse("input[].content[].input_audio", "is sound, which cannot be translated")
	case "":
		d.missing(p.at, "type", "it must be input_text, input_image, input_file or output_text")
	default:
		d.push(llm.Block{Kind: llm.Other, Name: p.kind, JSON: p.Value})
	}
}

func (d *requestReader) image(p *part) {
	const field = "input[].content[].input_image"
	if !p.about.Empty() && !p.about.Is("auto") {
		d.warn(field+".detail", "is known to this dialect alone")
	}
	b := llm.Block{Kind: llm.Image}
	switch {
	case !p.url.Empty():
		b.Media = d.media(field, p.url)
	case !p.data.Empty() && !p.mediaType.Empty(): // as MCP servers send them
		b.Media = &llm.Media{Type: p.mediaType, Data: p.data}
	case !p.fileID.Empty():
		d.refuse(field, "names a file that was uploaded elsewhere, send image_url with the image as a data URL instead")
		return
	default:
		d.missing(p.at, "image_url", "it must be an http or data URL")
		return
	}
	d.push(b)
}

func (d *requestReader) document(p *part) {
	const field = "input[].content[].input_file"
	b := llm.Block{Kind: llm.Document, Name: p.fileName}
	switch {
	case !p.data.Empty():
		b.Media = d.media(field, p.data)
		if b.Media.URL != nil { // base64 without a URL around it
			b.Media = &llm.Media{Type: typeOfFile(p), Data: p.data}
		}
	case !p.url.Empty():
		b.Media = d.media(field, p.url)
	case !p.fileID.Empty():
		d.refuse(field, "names a file that was uploaded elsewhere, send file_data instead")
		return
	default:
		d.missing(p.at, "file_data", "it must be a data URL")
		return
	}
	d.push(b)
}

// typeOfFile returns the media type of a file that came without one: nearly all are
// PDFs, which the reference's own examples are too.
func typeOfFile(p *part) rawjson.String {
	switch {
	case !p.mediaType.Empty():
		return p.mediaType
	case bytes.HasSuffix(p.fileName.Inner(), []byte(".txt")):
		return rawjson.String(`"text/plain"`)
	}
	return rawjson.String(`"application/pdf"`)
}

// media takes a data URL apart; any other URL stays one.
func (d *requestReader) media(field string, url rawjson.String) *llm.Media {
	inner := url.Inner()
	if bytes.IndexByte(inner, '\\') >= 0 { // some clients escape every slash
		url = rawjson.Quote(url.String())
		inner = url.Inner()
	}
	const scheme = "data:"
	if len(inner) < len(scheme) || !bytes.EqualFold(inner[:len(scheme)], []byte(scheme)) {
		return &llm.Media{URL: url}
	}
	head, data, ok := bytes.Cut(inner[len(scheme):], []byte(","))
	kind, parameters, _ := bytes.Cut(head, []byte(";"))
	if !ok || !bytes.HasSuffix(parameters, []byte("base64")) {
		d.refuse(field, "has a data URL that is not in base64")
		return &llm.Media{URL: url}
	}
	if len(kind) == 0 {
		kind = []byte(sniffImage(data))
	}
	return &llm.Media{Type: quoted(kind), Data: quoted(data)}
}

// sniffImage tells the type of an image by the first bytes of its base64.
func sniffImage(base64 []byte) string {
	for _, magic := range [...]struct{ prefix, kind string }{
		{"iVBORw0KGgo", "image/png"}, {"/9j/", "image/jpeg"}, {"R0lGOD", "image/gif"}, {"UklGR", "image/webp"},
	} {
		if bytes.HasPrefix(base64, []byte(magic.prefix)) {
			return magic.kind
		}
	}
	return ""
}

// output reads the output of a tool onto the stack, and reports whether the tool
// failed, as far as that is told: an object with content and success is how Codex
// once sent what failed.
func (d *requestReader) output(v value) (failed bool) {
	switch v.Kind() {
	case rawjson.Text:
		text := rawjson.String(v.Value)
		if !d.wrappedImages(text) {
			d.pushText(text)
		}
	case rawjson.Array:
		d.again(v, func() { d.r.Array(d.part) })
	case rawjson.Object:
		var content, success value
		d.again(v, func() {
			d.r.Object(func(key []byte) {
				switch string(key) {
				case "content":
					content = d.raw()
				case "success":
					success = d.raw()
				}
			})
		})
		if k := content.Kind(); k == rawjson.Text || k == rawjson.Array {
			d.output(content)
			return string(success.Value) == "false"
		}
		d.pushText(rawjson.Quote(string(v.Value)))
	case rawjson.Number, rawjson.Bool:
		d.pushText(quoted(v.Value))
	}
	return false
}

// wrappedImages reads a tool's output that is a JSON text of an array of parts, as
// agents make of the results of their MCP servers, if there is an image in it:
// counted as text, one image would fill the context. Anything else stays the text
// that it is.
func (d *requestReader) wrappedImages(s rawjson.String) bool {
	inner := bytes.TrimLeft(s.Inner(), " ")
	if !bytes.HasPrefix(inner, []byte("[")) || !bytes.Contains(inner, []byte("image")) {
		return false
	}
	text := s.AppendTo(nil)
	if !holdsImages(text) {
		return false
	}
	inside := &requestReader{r: rawjson.NewRepairingReader(text), body: text, req: &Request{}}
	inside.r.Array(inside.part)
	if inside.r.End() != nil {
		return false
	}
	for _, b := range inside.stack {
		d.push(b)
	}
	for _, w := range inside.req.Warnings {
		if w.Refuse {
			d.refuse(w.Field, w.Reason)
		} else {
			d.warn(w.Field, w.Reason)
		}
	}
	return true
}

// holdsImages reports whether a text is a JSON array of texts and images, with at
// least one image.
func holdsImages(text []byte) bool {
	images, others := 0, 0
	r := rawjson.NewReader(text)
	r.Array(func() {
		if r.Kind() != rawjson.Object {
			others++
			return
		}
		kind := ""
		r.Object(func(key []byte) {
			if string(key) == "type" && r.Kind() == rawjson.Text {
				kind = string(plainText(r.String()))
			}
		})
		switch kind {
		case "input_image", "image_url", "image":
			images++
		case "input_text", "output_text", "text":
		default:
			others++
		}
	})
	return r.End() == nil && images > 0 && others == 0
}
