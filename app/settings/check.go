package settings

import "net/url"

// check looks at the settings as a whole: what each key allows is known to hold. It
// reports what cannot work and returns notes on what may not be meant.
func check(s Settings, origin func(string) Origin, ps *problems) (notes []string) {
	if !s.Server.Loopback() && s.Auth.ProxyAPIKey.Empty() {
		ps.add(origin("server.host"), "server.host", "%s can be reached from other machines, so clients must show a key: "+
			"set auth.proxyApiKey (or ZCODE_PROXY_API_KEY), or listen on 127.0.0.1", quote(s.Server.Host))
	}
	active := s.Active()
	switch {
	case s.Provider == ProviderCustom && active.AnthropicBase == "" && active.OpenAIBase == "":
		ps.add(origin("provider"), "provider", "%s has no address: set providers.%s.anthropicBase, providers.%s.openaiBase, or both",
			s.Provider, s.Provider, s.Provider)
	case s.Provider != ProviderCustom && s.Provider != ProviderDemo && s.Plan == PlanCoding && active.AnthropicBase == "" && active.OpenAIBase == "":
		key := "providers." + s.Provider + ".anthropicBase"
		ps.add(origin(key), key, "and providers.%s.openaiBase must not both be empty: the coding plan is reached there", s.Provider)
	case s.Provider == ProviderBigmodel && s.Plan == PlanGuest:
		ps.add(origin("plan"), "plan", "guest is a plan of Z.AI's chat site alone: choose the provider zai, or another plan")
	}
	for _, base := range []string{active.AnthropicBase, active.OpenAIBase} {
		if leaksKeys(base) {
			notes = append(notes, "the key goes to "+base+" without encryption: anybody on the way can read it")
		}
	}
	if s.Auth.Mode == ModeAPIKey && s.Plan == PlanCoding && s.Provider != ProviderDemo && s.Credential().Empty() {
		notes = append(notes, "auth.mode is apikey, but there is no key: set auth.apiKey, providers."+s.Provider+
			".credential or ZCODE_API_KEY")
	}
	return notes
}

// leaksKeys reports whether base is unencrypted and on another machine.
func leaksKeys(base string) bool {
	u, err := url.Parse(base)
	return err == nil && u.Scheme == "http" && !Server{Host: u.Hostname()}.Loopback()
}
