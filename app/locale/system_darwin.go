package locale

import (
	"context"
	"os/exec"
	"strings"
	"time"
)

// defaultsTimeout is how long the system's settings may take to answer.
const defaultsTimeout = 2 * time.Second

// fromSystem returns the languages that the person's account asks for. A program that is
// started by a click has no locale in its environment.
func fromSystem() []string {
	ctx, cancel := context.WithTimeout(context.Background(), defaultsTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/usr/bin/defaults", "read", "-g", "AppleLanguages").Output()
	if err != nil {
		return nil
	}
	return appleLanguages(string(out))
}

// appleLanguages reads a property list that is an array of strings, the way defaults
// prints one.
func appleLanguages(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune("(), \"\n\t", r) })
}
