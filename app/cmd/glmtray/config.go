package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"glmtray/app/locale"
	"glmtray/app/settings"
)

func configCommand(p *locale.Printer) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: p.Text("command.config.short"),
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		settingsCommand(p, "path", p.Text("command.config.path.short"), printPath),
		settingsCommand(p, "check", p.Text("command.config.check.short"), printCheck),
		settingsCommand(p, "show", p.Text("command.config.show.short"), printShow),
		configImportCommand(p),
	)
	return c
}

// settingsCommand is a command that loads the settings and does something with
// them. err is what was wrong with them.
func settingsCommand(p *locale.Printer, name, short string, do func(*locale.Printer, settings.Loaded, error) error) *cobra.Command {
	var o overrides
	c := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			options, err := o.options(c)
			if err != nil {
				return err
			}
			loaded, err := settings.Load(options)
			return do(p, loaded, err)
		},
	}
	o.registerEnv(c, p)
	return c
}

// printPath prints the file in force, or the one that would be read if it were
// there. It works with a file that is wrong too: that one needs to be found most.
func printPath(p *locale.Printer, l settings.Loaded, _ error) error {
	path := l.WritePath()
	if path == "" {
		return errors.New(p.Text("command.config.path.nohome"))
	}
	fmt.Println(path)
	if l.Path == "" {
		fmt.Fprintln(os.Stderr, p.Text("command.config.path.missing"))
	}
	return nil
}

func printCheck(p *locale.Printer, l settings.Loaded, err error) error {
	if err != nil {
		return err
	}
	for _, note := range l.Notes {
		fmt.Println(p.Text("command.config.check.note", "Note", note))
	}
	if l.Path == "" {
		fmt.Println(p.Text("command.config.check.nofile"))
		return nil
	}
	fmt.Println(p.Text("command.config.check.ok", "File", l.Path))
	return nil
}

func printShow(_ *locale.Printer, l settings.Loaded, err error) error {
	if err != nil {
		return err
	}
	return settings.Show(os.Stdout, l)
}
