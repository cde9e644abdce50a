package upstream

import "net/url"

// zaiCoding is Z.AI's coding plan. Chat clients are translated to its Messages
// endpoint, as ZCode itself uses it; the same key on the general base would draw
// on the account's cash balance.
func zaiCoding(b Bases) Upstream {
	return Upstream{Name: "Z.AI", GLM: true, Trace: TraceSession, Messages: blind(messagesAt(b.Anthropic, APIKey)), Chat: chatAt(b.OpenAI)}
}

// blind marks an endpoint that drops images, as users of the Messages endpoints of Z.AI
// and Bigmodel report. Of an endpoint that somebody put in their place nothing is known.
func blind(e Endpoint) Endpoint {
	u, err := url.Parse(e.URL)
	e.DropsImages = err == nil && (u.Hostname() == "api.z.ai" || u.Hostname() == "open.bigmodel.cn")
	return e
}
