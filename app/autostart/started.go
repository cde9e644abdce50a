package autostart

import (
	"os/exec"
	"path/filepath"
)

// startedBy returns the absolute path that a command's first word stands for, if that is
// the running program; else the program's own path. The word is the caller's to choose,
// so it counts only after the file behind it was seen to be the same.
func startedBy(word, program string) string {
	path, err := exec.LookPath(word)
	if err != nil {
		return program
	}
	path, err = filepath.Abs(path)
	if err != nil || !isSameFile(path, program) {
		return program
	}
	return path
}
