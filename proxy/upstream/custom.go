package upstream

// custom is whatever address the settings give, for one dialect or for both.
func custom(b Bases) Upstream {
	return Upstream{Name: "the custom provider", Messages: messagesAt(b.Anthropic, APIKey), Chat: chatAt(b.OpenAI)}
}

// demo is the built-in upstream. It has Z.AI's coding plan's shape: a Messages
// endpoint that chat clients are translated to.
func demo(b Bases) Upstream {
	return Upstream{Name: "Demo", GLM: true, Messages: messagesAt(b.Anthropic, APIKey), Chat: chatAt(b.OpenAI)}
}
