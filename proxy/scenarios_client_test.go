package proxy

import (
	"encoding/json"
	"slices"
	"strings"
)

// The clients of the scenarios: what they write. How they read is in
// scenarios_answer_test.go.

// wireObject is an object of JSON.
type wireObject = map[string]any

// clientRequest is the body of a request; follows are messages or items behind its turns,
// as an answer had them.
func clientRequest(client string, t talk, stream bool, follows []any) wireObject {
	body := wireObject{"model": t.model, "stream": stream}
	set := func(name string, value any, is bool) {
		if is {
			body[name] = value
		}
	}
	set("temperature", t.temperature, t.temperature != 0)
	set("top_p", t.topP, t.topP != 0)
	turns := append(clientTurns(client, t.turns), follows...)
	switch client {
	case "chat":
		var lead []any
		for _, s := range t.system {
			lead = append(lead, wireObject{"role": "system", "content": s})
		}
		for _, s := range t.developer {
			lead = append(lead, wireObject{"role": "developer", "content": s})
		}
		body["messages"] = append(lead, turns...)
		set("max_completion_tokens", t.limit, t.limit != 0)
		set("stop", t.stop, t.stop != nil)
		set("user", t.user, t.user != "")
		set("reasoning_effort", t.effort, t.effort != "")
		set("response_format", wireObject{"type": t.form, "json_schema": wireObject{"name": "colour", "schema": json.RawMessage(colour)}}, t.form != "")
		set("stream_options", wireObject{"include_usage": true}, stream)
	case "messages":
		var system []any
		for _, s := range slices.Concat(t.system, t.developer) {
			system = append(system, wireObject{"type": "text", "text": s})
		}
		body["messages"] = turns
		set("system", system, system != nil)
		set("max_tokens", t.limit, true) // it must be there
		set("stop_sequences", t.stop, t.stop != nil)
		set("metadata", wireObject{"user_id": t.user}, t.user != "")
		set("thinking", wireObject{"type": "adaptive"}, t.effort != "")
		set("output_config", wireObject{"effort": t.effort}, t.effort != "")
		set("output_config", wireObject{"format": wireObject{"type": t.form, "schema": json.RawMessage(colour)}}, t.form == "json_schema")
	case "responses":
		var lead []any
		for _, s := range t.developer {
			lead = append(lead, wireObject{"type": "message", "role": "developer", "content": s})
		}
		body["input"] = append(lead, turns...)
		set("instructions", strings.Join(t.system, "\n\n"), t.system != nil)
		set("max_output_tokens", t.limit, t.limit != 0)
		set("user", t.user, t.user != "")
		set("reasoning", wireObject{"effort": t.effort}, t.effort != "")
		set("text", wireObject{"format": wireObject{"type": t.form, "name": "colour", "schema": json.RawMessage(colour)}}, t.form != "")
	}
	clientTools(client, t, body)
	return body
}

func clientTools(client string, t talk, body wireObject) {
	schema := wireObject{"type": "object", "properties": wireObject{"path": wireObject{"type": "string"}}}
	var tools []any
	for _, name := range t.tools {
		switch client {
		case "chat":
			tools = append(tools, wireObject{"type": "function", "function": wireObject{"name": name, "parameters": schema}})
		case "messages":
			tools = append(tools, wireObject{"name": name, "input_schema": schema})
		case "responses":
			tools = append(tools, wireObject{"type": "function", "name": name, "parameters": schema, "strict": false})
		}
	}
	if tools != nil {
		body["tools"] = tools
	}
	switch {
	case t.choice == "":
	case client == "messages" && (t.choice == "none" || t.choice == "any"):
		body["tool_choice"] = wireObject{"type": t.choice}
	case client == "messages":
		body["tool_choice"] = wireObject{"type": "tool", "name": t.choice}
	case t.choice == "none":
		body["tool_choice"] = "none"
	case t.choice == "any":
		body["tool_choice"] = "required"
	case client == "chat":
		body["tool_choice"] = wireObject{"type": "function", "function": wireObject{"name": t.choice}}
	default:
		body["tool_choice"] = wireObject{"type": "function", "name": t.choice}
	}
}

// clientTurns are messages, or items.
func clientTurns(client string, turns []speech) (out []any) {
	for _, turn := range turns {
		switch client {
		case "chat":
			out = append(out, chatTurn(turn)...)
		case "messages":
			var blocks []any
			for _, p := range turn.parts {
				blocks = append(blocks, messagesBlock(p))
			}
			out = append(out, wireObject{"role": turn.role, "content": blocks})
		case "responses":
			for _, p := range turn.parts {
				out = append(out, responsesItem(turn.role, p))
			}
		}
	}
	return out
}

func chatTurn(t speech) (out []any) {
	var parts, calls []any
	content := ""
	for _, p := range t.parts {
		switch p.kind {
		case "text":
			content = p.text
			parts = append(parts, wireObject{"type": "text", "text": p.text})
		case "image":
			parts = append(parts, wireObject{"type": "image_url", "image_url": wireObject{"url": p.text}})
		case "document":
			parts = append(parts, wireObject{"type": "file", "file": wireObject{"filename": "a.pdf", "file_data": "data:application/pdf;base64," + p.text}})
		case "call":
			calls = append(calls, wireObject{"id": p.id, "type": "function", "function": wireObject{"name": p.name, "arguments": p.text}})
		case "result":
			message := wireObject{"role": "tool", "tool_call_id": p.id, "content": p.text}
			if p.images != nil {
				message["content"] = append([]any{wireObject{"type": "text", "text": p.text}}, chatImages(p.images)...)
			}
			out = append(out, message)
		}
	}
	switch {
	case t.role == "assistant":
		message := wireObject{"role": "assistant", "content": content}
		if calls != nil {
			message["tool_calls"] = calls
		}
		out = append(out, message)
	case parts != nil:
		out = append(out, wireObject{"role": "user", "content": parts})
	}
	return out
}

func chatImages(urls []string) (out []any) {
	for _, url := range urls {
		out = append(out, wireObject{"type": "image_url", "image_url": wireObject{"url": url}})
	}
	return out
}

func messagesBlock(p part) wireObject {
	switch p.kind {
	case "image":
		return wireObject{"type": "image", "source": messagesSource(p.text)}
	case "document":
		return wireObject{"type": "document", "title": "a.pdf", "source": wireObject{"type": "base64", "media_type": "application/pdf", "data": p.text}}
	case "call":
		return wireObject{"type": "tool_use", "id": p.id, "name": p.name, "input": json.RawMessage(p.text)}
	case "result":
		content := []any{wireObject{"type": "text", "text": p.text}}
		for _, url := range p.images {
			content = append(content, wireObject{"type": "image", "source": messagesSource(url)})
		}
		return wireObject{"type": "tool_result", "tool_use_id": p.id, "content": content, "is_error": p.failed}
	}
	return wireObject{"type": "text", "text": p.text}
}

func messagesSource(url string) wireObject {
	if data, ok := strings.CutPrefix(url, "data:image/png;base64,"); ok {
		return wireObject{"type": "base64", "media_type": "image/png", "data": data}
	}
	return wireObject{"type": "url", "url": url}
}

func responsesItem(role string, p part) wireObject {
	message := func(part wireObject) wireObject {
		return wireObject{"type": "message", "role": role, "content": []any{part}}
	}
	switch p.kind {
	case "image":
		return message(wireObject{"type": "input_image", "image_url": p.text, "detail": "auto"})
	case "document":
		return message(wireObject{"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64," + p.text})
	case "call":
		return wireObject{"type": "function_call", "call_id": p.id, "name": p.name, "arguments": p.text}
	case "result":
		item := wireObject{"type": "function_call_output", "call_id": p.id, "output": p.text}
		if p.images != nil {
			content := []any{wireObject{"type": "input_text", "text": p.text}}
			for _, url := range p.images {
				content = append(content, wireObject{"type": "input_image", "image_url": url})
			}
			item["output"] = content
		}
		return item
	}
	if role == "assistant" {
		return message(wireObject{"type": "output_text", "text": p.text})
	}
	return message(wireObject{"type": "input_text", "text": p.text})
}
