package app

import (
	"context"
	"errors"
	"testing"

	"glmtray/app/login"
)

// TestPasteWhileTheProviderIsAsked holds that whoever pastes something while a login asks
// the provider is not told that there is no login.
//
// It failed with "no login is going on", beside a page that said that one was.
func TestPasteWhileTheProviderIsAsked(t *testing.T) {
	a := &App{attempt: &attempt{pasted: make(chan login.PastedText)}} // nobody takes it
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.PasteLogin(ctx, "code"); !errors.Is(err, ErrNotNow) {
		t.Errorf("%v", err)
	}
	a.attempt = nil
	if err := a.PasteLogin(t.Context(), "code"); !errors.Is(err, ErrNoLogin) {
		t.Errorf("without a login: %v", err)
	}
}
