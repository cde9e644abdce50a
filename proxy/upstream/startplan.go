package upstream

// startPlan is the gateway of ZCode's free plan. It takes the JWT of the login instead
// of a key. By most reports it speaks Messages only, and its chat path answers 404.
func startPlan(b Bases) Upstream {
	return Upstream{
		Name: "Z.AI start plan", GLM: true, Trace: TraceRequest, Wire: new(Wire),
		Messages: messagesAt(join(b.Start, "", "/anthropic"), Bearer), Chat: chatAt(b.Start),
	}
}

// StartPlanSystem are the system prompts that stand before a client's on the start plan,
// whose gateway refuses requests that do not begin with some of their own. They say what
// is true: that a coding tool asks, through this program, from this kind of machine.
func StartPlanSystem(p Platform) []string {
	machine := "The machine runs " + p.Category + "."
	if p.Category == "" {
		machine = "The machine's system is not known."
	}
	return []string{
		"You are a coding assistant.",
		"You help a person with software: reading, writing, explaining and changing code, and running tools that the client offers. " +
			"The client is a coding tool on the person's own machine, which reaches you through GLM Tray, a local proxy. " +
			"Follow the instructions of the client's own system prompt, which comes after this one.",
		"Environment: " + machine,
	}
}
