package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"glmtray/app"
	"glmtray/app/autostart"
	"glmtray/app/control"
	"glmtray/app/locale"
	"glmtray/app/notify"
	"glmtray/app/settings"
	"glmtray/app/window"
	"glmtray/assets"
	"glmtray/tray"
)

// desktop runs the program with its tray. If it runs already, that one's window is
// opened instead.
func desktop(p *locale.Printer, from settings.Options, hidden bool) error {
	hideConsole()
	command, err := loginCommand(from)
	if err != nil {
		return err
	}
	notifier := notify.New("GLM Tray", assets.Logo())
	tell := func(title, text string) error {
		err := notifier.Notify(title, text)
		if err != nil {
			fmt.Fprintln(os.Stderr, "glmtray:", text) // then at least whoever sees our terminal
		}
		return err
	}
	a, err := app.New(app.Options{
		Settings: from, Version: version(), Desktop: true, Autostart: command, Notify: tell,
	})
	if err != nil {
		return err
	}
	log.SetFlags(0)
	log.SetOutput(a.Trace()) // systray tells its troubles there
	if err := a.Claim(); errors.Is(err, app.ErrRunning) {
		return openRunning(context.Background(), p, a.Dirs().State, "")
	} else if err != nil {
		return err
	}
	ctx, stop := untilStopped(a)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer stop() // the tray ends with it
		ended <- a.Run(ctx)
	}()
	if !hidden {
		go welcome(ctx, a)
	}
	if err := tray.Run(ctx, a); err != nil {
		fmt.Fprintln(os.Stderr, "glmtray:", err)
	}
	return <-ended
}

// welcome shows the window to somebody who has not logged in or given a key yet: it says
// how.
func welcome(ctx context.Context, a *app.App) {
	if err := tray.Possible(); err != nil {
		return // there is no desktop to show it on
	}
	if !a.Newcomer() {
		return
	}
	if err := a.Open(ctx, ""); err != nil {
		fmt.Fprintln(os.Stderr, "glmtray:", err)
	}
}

// loginCommand is what starts this program at login, with the config file that it was
// given.
func loginCommand(from settings.Options) ([]string, error) {
	executable, err := autostart.Executable()
	if err != nil {
		return nil, err
	}
	command := []string{executable, "--hidden"}
	if from.Path != "" {
		path, err := filepath.Abs(from.Path)
		if err != nil {
			return nil, err
		}
		command = append(command, "--config", path)
	}
	return command, nil
}

// openRunning opens the window of the instance that runs, in the browser of whoever
// asks. Where there is none it prints the address.
func openRunning(ctx context.Context, p *locale.Printer, dir, page string) error {
	c, err := control.Find(dir)
	if err != nil {
		return notRunning(p, err)
	}
	link, err := c.OpenLink(ctx, page)
	if err != nil {
		return err
	}
	if err := window.Open(ctx, link); err != nil {
		fmt.Println(p.Text("command.open.url"))
		fmt.Println(link)
	}
	return nil
}

func autostartCommand(p *locale.Printer) *cobra.Command {
	c := &cobra.Command{
		Use:   "autostart",
		Short: p.Text("command.autostart.short"),
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	add := func(name, short string, do func(autostart.App) error) {
		var config string
		sub := &cobra.Command{Use: name, Short: short, Args: noArguments, RunE: func(*cobra.Command, []string) error {
			command, err := loginCommand(settings.Options{Path: config})
			if err != nil {
				return err
			}
			entry := autostart.App{Name: app.AutostartName, DisplayName: "GLM Tray", Exec: command}
			if err := entry.Possible(); err != nil {
				return err
			}
			if err := do(entry); err != nil {
				return err
			}
			text := "command.status.autostart.off"
			if entry.IsEnabled() {
				text = "command.status.autostart.on"
			}
			fmt.Println(p.Text(text))
			return nil
		}}
		sub.Flags().StringVar(&config, "config", "", p.Text("command.flag.config"))
		c.AddCommand(sub)
	}
	add("on", p.Text("command.autostart.on.short"), autostart.App.Enable)
	add("off", p.Text("command.autostart.off.short"), autostart.App.Disable)
	add("status", p.Text("command.autostart.status.short"), func(autostart.App) error { return nil })
	return c
}
