//go:build clients && unix

// Package sdks runs the JavaScript SDKs, as their users do, through the built glmtray: openai, @anthropic-ai/sdk, ai with
// the providers for both, and @langchain/openai. Each goes through the same matrix: batch, stream, tools in parallel with
// their results sent back, an image, thinking, errors, and a stream that the client leaves. The Go SDKs are tested beside
// the command that they talk to.
//
// Nothing here leaves the machine: the answers come from glmtray's demo upstream, and the programs let no request out that
// is not for glmtray.
//
// To start: run.sh installs the SDKs once, outside the repository, and runs the tests; for a closer look
//
//	make build
//	build/sdks/install.sh
//	go test -tags clients -count=1 -v -run //langchain ./build/sdks
//
// GLMTRAY_BIN names another program than bin/glmtray, GLMTRAY_SDKS another folder than install.sh's default. Without node
// or the SDKs the test is skipped, but fails where CI=true.
package sdks

import (
	"regexp"
	"slices"
	"testing"
	"time"
)

// matrix are the rows that every program reports, in this order.
var matrix = []string{"batch", "stream", "tools", "image", "thinking", "error", "abort"}

// sdk is one program and the API of glmtray that it uses.
type sdk struct{ name, program, api string }

var allSDKs = []sdk{
	{"openai chat", "openai-chat.mjs", "chat"},
	{"openai responses", "openai-responses.mjs", "responses"},
	{"anthropic", "anthropic.mjs", "messages"},
	{"ai openai responses", "ai-openai.mjs", "responses"},
	{"ai openai chat", "ai-openai.mjs", "chat"},
	{"ai anthropic", "ai-anthropic.mjs", "messages"},
	{"langchain chat", "langchain.mjs", "chat"},
	{"langchain responses", "langchain.mjs", "responses"},
}

// TestSDKs holds the promise that an SDK works when its base URL is pointed at glmtray, over an upstream of each dialect:
// one of them may be the SDK's own, and the other means a translation.
func TestSDKs(t *testing.T) {
	folder := preparePrograms(t)
	bin := glmtrayProgram(t)
	demo := startServer(t, bin, "provider: demo\n", "--demo")
	chat := startServer(t, bin, "provider: custom\nproviders:\n  custom:\n    openaiBase: "+demo.base+"/v1\n    credential: "+key+"\n")

	for _, upstream := range []struct {
		name  string
		chain []*server // through which a request goes
	}{
		{"messages", []*server{demo}},
		{"chat", []*server{chat, demo}},
	} {
		t.Run(upstream.name, func(t *testing.T) {
			for _, s := range allSDKs {
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					lane := "translated to " + upstream.name
					if s.api == upstream.name {
						lane = "native"
					}
					testSDK(t, folder, s, lane, upstream.chain)
				})
			}
		})
	}
}

// testSDK runs one program, and shows each row that it reports as a test.
func testSDK(t *testing.T, folder string, s sdk, lane string, chain []*server) {
	// A model that nobody else asks for makes the line of the stream that was left unlike all others.
	abortModel := "glm-4.6-" + randomWord()
	p := startProgram(t, folder, s.program,
		"SDKS_BASE="+chain[0].base, "SDKS_KEY="+key, "SDKS_API="+s.api, "SDKS_LANE="+lane, "SDKS_ABORT_MODEL="+abortModel)
	var names []string
	for report := range p.reports() {
		names = append(names, report.Row)
		t.Run(report.Row, func(t *testing.T) {
			if report.Error != "" {
				t.Fatal(report.Error)
			}
			if report.Row == "abort" { // the program is still there, and so does not close what the SDK left open
				released(t, chain, abortModel)
			}
		})
	}
	p.finish(t)
	if !slices.Equal(names, matrix) {
		t.Errorf("the program reported %q, want %q", names, matrix)
	}
}

// released waits until every server of the chain has told that the client of the model's stream has left.
func released(t *testing.T, chain []*server, model string) {
	t.Helper()
	left := regexp.MustCompile(`\bmodel=` + regexp.QuoteMeta(model) + ` status=499 `)
	for i, s := range chain {
		for deadline := time.Now().Add(patience); !left.Match(s.log.Bytes()); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("server %d of %d has not noticed within %v that the client left", i+1, len(chain), patience)
			}
		}
	}
}
