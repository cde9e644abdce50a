package upstream

// bigmodelCoding is the coding plan of Bigmodel, Z.AI's platform in mainland
// China; it has the same endpoints under its own host.
func bigmodelCoding(b Bases) Upstream {
	return Upstream{Name: "Bigmodel", GLM: true, Trace: TraceSession, Messages: blind(messagesAt(b.Anthropic, APIKey)), Chat: chatAt(b.OpenAI)}
}
