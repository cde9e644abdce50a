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
	return strings.FieldsFunc(string(out), func(r rune) bool { return strings.ContainsRune("(), \"\n\t", r) })
}
