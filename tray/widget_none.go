//go:build darwin && !cgo

package tray

import (
	"context"
	"errors"
)

// ErrNoTray says that the program was built without a tray.
var ErrNoTray = errors.New("this build has no tray; it runs as: glmtray serve")

// Run waits until ctx ends: the tray of macOS needs cgo, and this build has none.
func Run(ctx context.Context, _ App) error {
	<-ctx.Done()
	return ErrNoTray
}

// Possible says why there can be no icon.
func Possible() error { return ErrNoTray }
