// Command glmtray serves the GLM coding plan to every tool on the machine, in the
// dialect that the tool already speaks. It is the command line: it parses, calls
// package app, prints and exits.
//
// Exit codes: 0 after an orderly end, 1 after a failure, 2 for a wrong command line
// or wrong settings.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"glmtray/app/locale"
	"glmtray/app/settings"
)

const (
	exitFailure = 1
	exitUsage   = 2
)

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func main() { os.Exit(run(os.Args[1:])) }

// run executes a command line and returns the exit code.
func run(args []string) int {
	// Cobra would refuse a program that was started by a click on Windows.
	cobra.MousetrapHelpText = ""
	p, err := speak()
	if err == nil {
		root := newRoot(p)
		root.SetArgs(args)
		err = root.Execute()
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "glmtray:", err)
	var wrongSettings *settings.Error
	var wrongUsage usageError
	if errors.As(err, &wrongSettings) || errors.As(err, &wrongUsage) || isCobraUsage(err) {
		return exitUsage
	}
	return exitFailure
}

// isCobraUsage recognises an unknown command, which cobra gives no type of its own.
func isCobraUsage(err error) bool { return strings.HasPrefix(err.Error(), "unknown command") }

// newRoot builds the command line, in the language of p.
func newRoot(p *locale.Printer) *cobra.Command {
	var o overrides
	var hidden bool
	root := &cobra.Command{
		Use:           "glmtray",
		Short:         p.Text("command.root.short"),
		Long:          p.Text("command.root.long"),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			options, err := o.options(c)
			if err != nil {
				return err
			}
			return desktop(p, options, hidden)
		},
	}
	o.register(root, p)
	root.Flags().BoolVar(&hidden, "hidden", false, p.Text("command.flag.hidden"))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(serveCommand(p), authCommand(p), configCommand(p), modelsCommand(p), versionCommand(p), autostartCommand(p))
	root.AddCommand(remoteCommands(p)...)
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		// Cobra answers an unknown shell with its help and success, which a profile
		// would then read as a script.
		completion.Args, completion.RunE = noArguments, func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	return root
}

// speak returns the printer of the command line: in the language that the settings
// choose, if they can be read. It has the texts that commands print and no others, since
// each start waits for them.
func speak() (*locale.Printer, error) {
	language := locale.System
	if loaded, err := settings.Load(settings.Options{}); err == nil {
		language = loaded.Settings.App.Language
	}
	return locale.Load(language, os.Getenv, "command", "notice")
}

// noArguments refuses arguments as a wrong usage.
func noArguments(c *cobra.Command, args []string) error {
	if err := cobra.NoArgs(c, args); err != nil {
		return usageError{err}
	}
	return nil
}
