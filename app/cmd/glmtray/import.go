package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"glmtray/app/locale"
	"glmtray/app/settings"
)

// configImport is one run of `config import`.
type configImport struct {
	p       *locale.Printer
	file    string // that is imported
	target  string // that is changed
	force   bool
	changes []settings.Change
	notes   []string
	format  string
	found   settings.Comparison
}

func configImportCommand(p *locale.Printer) *cobra.Command {
	var config string
	var force, onlyPrint bool
	c := &cobra.Command{
		Use: "import FILE", Short: p.Text("command.config.import.short"), Long: p.Text("command.config.import.long"), Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			in := &configImport{p: p, file: args[0], force: force}
			if err := in.read(config); err != nil {
				return err
			}
			if onlyPrint {
				return in.print()
			}
			return in.write()
		},
	}
	c.Flags().StringVar(&config, "config", "", p.Text("command.config.import.config"))
	c.Flags().BoolVar(&force, "force", false, p.Text("command.config.import.force"))
	c.Flags().BoolVar(&onlyPrint, "print", false, p.Text("command.config.import.print"))
	return c
}

// read looks at the foreign file, and at the one that its settings are for.
func (in *configImport) read(config string) error {
	text, err := readImport(in.file)
	if err != nil {
		return usageError{err}
	}
	if in.changes, in.notes, in.format, err = settings.Foreign(in.file, text); err != nil {
		return err
	}
	if in.target, err = in.choose(config); err != nil {
		return err
	}
	in.found, err = settings.Compare(in.target, in.changes...)
	return err
}

// choose returns the file to change: the one that was named, else the one in force. The
// foreign file itself is never changed: where this program is started in its folder, its
// config.yaml is the one in force, and the person's own is changed instead.
func (in *configImport) choose(config string) (string, error) {
	target := config
	if target == "" {
		target = inForce(workDir())
	}
	if config == "" && sameFile(target, in.file) {
		target = inForce("")
	}
	switch {
	case target == "":
		return "", errors.New(in.p.Text("command.config.path.nohome"))
	case sameFile(target, in.file):
		return "", usageError{errors.New(in.p.Text("command.config.import.same", "File", target))}
	}
	return target, nil
}

// inForce is the config file that a program started in dir reads, or would read if it
// were there. What is wrong with it is told when it is about to be changed.
func inForce(dir string) string {
	loaded, err := settings.Load(settings.Options{WorkDir: dir})
	if err != nil && loaded.Path == "" && len(loaded.Searched) > 0 {
		return loaded.Searched[len(loaded.Searched)-1] // named, but not there yet
	}
	return loaded.WritePath()
}

// sameFile reports whether two paths lead to one file.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// wanted are the changes to make.
func (in *configImport) wanted() []settings.Change {
	if in.force {
		return slices.Concat(in.found.Open, in.found.Set)
	}
	return in.found.Open
}

// print writes the text that the file would have on standard output, alone, and what
// there is to say about it on standard error.
func (in *configImport) print() error {
	text, err := settings.Preview(in.target, nil, in.wanted()...)
	if err != nil {
		return err
	}
	if term.IsTerminal(int(os.Stdout.Fd())) {
		fmt.Fprintln(os.Stderr, in.p.Text("command.config.import.secrets"))
	}
	if _, err := os.Stdout.Write(text); err != nil {
		return err
	}
	in.report(os.Stderr, "command.config.import.would")
	return nil
}

func (in *configImport) write() error {
	wanted := in.wanted()
	if _, err := settings.Preview(in.target, nil, wanted...); err != nil {
		return err
	}
	if len(wanted) > 0 {
		if err := settings.Set(in.target, wanted...); err != nil {
			return err
		}
	}
	in.report(os.Stdout, "command.config.import.taken")
	in.shadowed(os.Stdout)
	return nil
}

// report writes what was taken over and what was not; taken is the text above the first.
func (in *configImport) report(w io.Writer, taken string) {
	fmt.Fprintln(w, in.p.Text("command.config.import.format", "File", in.file, "Program", in.format))
	list := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintln(w, title)
		for _, line := range lines {
			fmt.Fprintln(w, "  "+line)
		}
	}
	open, replaced, kept := in.found.Open, in.found.Set, []settings.Change(nil)
	if !in.force {
		replaced, kept = nil, in.found.Set
	}
	if len(open)+len(replaced) == 0 {
		fmt.Fprintln(w, in.p.Text("command.config.import.nothing", "File", in.target))
	}
	list(in.p.Text(taken, "File", in.target), lined(open)) // locale: command.config.import.*
	list(in.p.Text("command.config.import.replaced"), lined(replaced))
	list(in.p.Text("command.config.import.already", "File", in.target), lined(in.found.Same))
	list(in.p.Text("command.config.import.kept", "File", in.target), lined(kept))
	list(in.p.Text("command.config.import.notes"), in.notes)
}

// lined are changes as lines, with secrets masked.
func lined(changes []settings.Change) []string {
	lines := make([]string, len(changes))
	for i, c := range changes {
		lines[i] = c.String()
	}
	return lines
}

// shadowed says so where a program that is started in this folder would still read the
// foreign file, and not the one that was changed.
func (in *configImport) shadowed(w io.Writer) {
	if !sameFile(inForce(workDir()), in.file) {
		return
	}
	if name, err := filepath.Abs(in.file); err == nil {
		fmt.Fprintln(w, in.p.Text("command.config.import.shadowed", "File", name))
	}
}
