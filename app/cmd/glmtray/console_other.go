//go:build !windows

package main

// hideConsole does nothing: only Windows opens a console for a program by itself.
func hideConsole() {}
