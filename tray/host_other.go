//go:build windows || (darwin && cgo)

package tray

import "context"

// Possible says why there can be no icon: here there always can.
func Possible() error { return nil }

func waitForSession(context.Context, App) bool { return true }

// opensOnTap reports whether a left click opens the window: here it shows the menu.
func opensOnTap() bool { return false }

// watchHost takes the icon as shown: these systems always have a place for it.
func watchHost(_ context.Context, app App) { app.SetIcon(true) }
