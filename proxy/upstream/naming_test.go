package upstream

import (
	"os"
	"testing"
)

func TestResolve(t *testing.T) {
	data, err := os.ReadFile("../../assets/models.json")
	if err != nil {
		t.Fatal(err)
	}
	models, err := ParseModels(data)
	if err != nil {
		t.Fatal(err)
	}
	n := Naming{
		Text: "glm-4.7", Vision: "glm-4.6v", Models: models,
		Aliases:  ParseAliases("my-*=glm-5.1 fast=glm-4.5-air *-pic-*=glm-4.5v nonsense"),
		Families: Families{Opus: "glm-5.2", Sonnet: "glm-5.1", Haiku: "glm-4.5-air", GPT: "glm-5"},
	}
	off, same := n, n
	off.Vision = ""
	same.Text = same.Vision
	gateway := Naming{Capitals: true, Families: n.Families}
	for _, tc := range []struct {
		n      *Naming
		asked  string
		images bool
		want   string
	}{
		{&n, "glm-4.6", false, "glm-4.6"},
		{&n, "unknown-model", false, "unknown-model"},
		{&n, "unknown-model", true, "unknown-model"},
		{&n, "", false, "glm-4.7"},
		{&n, "", true, "glm-4.6v"},
		{&n, "glm-4.6", true, "glm-4.6v"},
		{&n, "glm-4.6[1m]", true, "glm-4.6v"},
		{&n, "GLM-4.6V", false, "glm-4.7"},
		{&n, "glm-4.5v", false, "glm-4.5v"},
		{&n, "glm-4.5v", true, "glm-4.5v"},
		{&n, "claude-opus-4-1-20250805", false, "glm-5.2"},
		{&n, "claude-opus-4-1[1m]", false, "glm-5.2"},
		{&n, "claude-3-5-haiku-latest", false, "glm-4.5-air"},
		{&n, "claude-sonnet-4-5", false, "glm-5.1"},
		{&n, "claude-sonnet-4-5", true, "glm-4.6v"},
		{&n, "claude-something-new", false, "glm-5.1"},
		{&n, "anthropic/claude-opus-4", false, "glm-5.2"},
		{&n, "gpt-5.1-codex", false, "glm-5"},
		{&n, "gpt-5-mini", false, "glm-4.5-air"},
		{&n, "o3", false, "glm-5"},
		{&n, "o4-mini-2025", false, "glm-4.5-air"},
		{&n, "ollama-3", false, "ollama-3"},
		{&n, "My-Model", false, "glm-5.1"},
		{&n, "fast", false, "glm-4.5-air"},
		{&n, "fast", true, "glm-4.6v"},
		{&n, "a-pic-b", true, "glm-4.5v"},
		{&off, "glm-4.6", true, "glm-4.6"},
		{&off, "", true, "glm-4.7"},
		{&same, "glm-4.6", true, "glm-4.6"},
		{&Naming{}, "claude-opus-4", true, "claude-opus-4"},
		{&Naming{}, "", false, ""},
		{&gateway, "glm-5.3-flash", false, "GLM-5.3-Flash"},
		{&gateway, "claude-opus-4", false, "GLM-5.2"},
		{&gateway, "glm-5v-turbo", false, "GLM-5v-Turbo"},
		{&gateway, "other", false, "other"},
	} {
		if got := tc.n.Resolve(tc.asked, tc.images); got != tc.want {
			t.Errorf("%s, images %v: %s, want %s", tc.asked, tc.images, got, tc.want)
		}
	}
	if n.SeesImages("glm-4.6") || !n.SeesImages("glm-4.6v") || !n.SeesImages("unknown") {
		t.Error("who sees images")
	}
}
