package upstream

import "strings"

// guest is Z.AI's chat site, which answers people who are not logged in. Its newer path
// takes the same messages, and the older one has gone at times.
func guest(b Bases) Upstream {
	base := strings.TrimRight(b.Guest, "/")
	return Upstream{
		Name: "Z.AI's chat site", GLM: true, Wire: new(Wire),
		Site: [2]Endpoint{{Dialect: WebChat, URL: base + sitePath}, {Dialect: WebChat, URL: base + siteV2Path}},
	}
}

const (
	sitePath   = "/api/chat/completions"
	siteV2Path = "/api/v2/chat/completions"
)

// GuestBase is the address of the chat site, or "" for other upstreams.
func (u *Upstream) GuestBase() string { return strings.TrimSuffix(u.Site[0].URL, sitePath) }
