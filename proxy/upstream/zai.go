package upstream

// zaiCoding is Z.AI's coding plan. Chat clients are translated to its Messages
// endpoint, as ZCode itself uses it; the same key on the general base would draw
// on the account's cash balance.
func zaiCoding(b Bases) Upstream {
	return Upstream{Name: "Z.AI", GLM: true, Trace: TraceSession, Messages: messagesAt(b.Anthropic, APIKey), Chat: chatAt(b.OpenAI)}
}
