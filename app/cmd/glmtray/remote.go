package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"glmtray/app/control"
	"glmtray/app/journal"
	"glmtray/app/locale"
	"glmtray/app/settings"
	"glmtray/app/state"
)

// answerTimeout is how long a running instance may take for what it is asked.
const answerTimeout = 30 * time.Second

// remoteCommands are those that speak to the instance that runs.
func remoteCommands(p *locale.Printer) []*cobra.Command {
	done := func(id string, do func(context.Context, *control.Client) error) func(context.Context, *control.Client) error {
		return func(ctx context.Context, c *control.Client) error {
			if err := do(ctx, c); err != nil {
				return err
			}
			fmt.Println(p.Text(id))
			return nil
		}
	}
	start := remote(p, "start", done("command.start.done", func(ctx context.Context, c *control.Client) error { return c.Start(ctx) }))
	stop := remote(p, "stop", done("command.stop.done", func(ctx context.Context, c *control.Client) error { return c.Stop(ctx) }))
	quit := remote(p, "quit", done("command.quit.done", func(ctx context.Context, c *control.Client) error {
		return errors.Join(c.Quit(ctx), c.Wait(ctx))
	}))
	return []*cobra.Command{statusCommand(p), start, stop, openCommand(p), logsCommand(p), quit}
}

// remote is a command without flags that does something with the running instance.
func remote(p *locale.Printer, name string, do func(context.Context, *control.Client) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: p.Text("command." + name + ".short"), Args: noArguments, // locale: command.*.short
		RunE: func(*cobra.Command, []string) error {
			ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
			defer cancel()
			c, err := find(p)
			if err != nil {
				return err
			}
			return do(ctx, c)
		},
	}
}

// find looks for the instance that runs with this person's folders.
func find(p *locale.Printer) (*control.Client, error) {
	dirs, err := settings.FindDirs(os.Getenv)
	if err != nil {
		return nil, err
	}
	c, err := control.Find(dirs.State)
	if err != nil {
		return nil, notRunning(p, err)
	}
	return c, nil
}

// notRunning puts in words that there is nobody to talk to.
func notRunning(p *locale.Printer, err error) error {
	if errors.Is(err, control.ErrNotRunning) {
		return errors.New(p.Text("command.notrunning"))
	}
	return err
}

func statusCommand(p *locale.Printer) *cobra.Command {
	var asJSON bool
	c := remote(p, "status", func(ctx context.Context, c *control.Client) error {
		s, err := c.Status(ctx)
		if err != nil {
			return err
		}
		if asJSON {
			out := json.NewEncoder(os.Stdout)
			out.SetIndent("", "  ")
			return out.Encode(s)
		}
		printStatus(os.Stdout, p, s)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, p.Text("command.flag.json"))
	return c
}

// printStatus writes a snapshot for a person.
func printStatus(w io.Writer, p *locale.Printer, s state.Snapshot) {
	fmt.Fprintln(w, p.Text("command.status.title", "Version", s.Version, "PID", strconv.Itoa(s.PID)))
	fmt.Fprintln(w, p.Text("command.status."+string(s.Phase), "URL", s.BaseURL)) // locale: command.status.*
	fmt.Fprintln(w, p.Text("command.status.provider", "Provider", s.Provider))
	fmt.Fprintln(w, p.Text("command.status.plan", "Plan", s.Plan))
	switch {
	case !s.Account.Known:
		fmt.Fprintln(w, p.Text("command.status.noaccount"))
	case s.Account.Stored:
		fmt.Fprintln(w, p.Text("command.status.accounts", "Account", s.Account.Hint))
	case s.Account.Hint != "":
		fmt.Fprintln(w, p.Text("command.status.account", "Account", s.Account.Hint, "Origin", s.Account.Origin))
	}
	fmt.Fprintln(w, p.Text("command.status.requests", "Running", strconv.Itoa(s.Active), "Queued", strconv.Itoa(s.Queued)))
	if s.Autostart.Possible {
		text := "command.status.autostart.off"
		if s.Autostart.Enabled {
			text = "command.status.autostart.on"
		}
		fmt.Fprintln(w, p.Text(text))
	}
	for _, problem := range s.Problems {
		fmt.Fprintln(w, p.Text("command.status.problem", "Text", p.Message(problem.Text)))
		for _, line := range problem.Details {
			fmt.Fprintln(w, "  "+line)
		}
		fmt.Fprintln(w, p.Text("command.status.remedy", "Text", p.Message(problem.Remedy)))
	}
}

// pages are those of the window.
var pages = []string{"activity", "accounts", "log", "settings", "about", "verify"}

// knownPage refuses a page that the window does not have. Behind a slash may stand a place
// on the page; none is the first page.
func knownPage(_ *cobra.Command, args []string) error {
	page, _, _ := strings.Cut(strings.Join(args, ""), "/")
	if page != "" && !slices.Contains(pages, page) {
		return usageError{fmt.Errorf("there is no page %q; there are %s", args[0], strings.Join(pages, ", "))}
	}
	return nil
}

func openCommand(p *locale.Printer) *cobra.Command {
	return &cobra.Command{
		Use: "open [PAGE]", Short: p.Text("command.open.short"), Long: p.Text("command.open.long"), Args: cobra.MatchAll(cobra.MaximumNArgs(1), knownPage), ValidArgs: pages,
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
			defer cancel()
			dirs, err := settings.FindDirs(os.Getenv)
			if err != nil {
				return err
			}
			return openRunning(ctx, p, dirs.State, strings.Join(args, ""))
		},
	}
}

func logsCommand(p *locale.Printer) *cobra.Command {
	var follow bool
	c := &cobra.Command{
		Use: "logs", Short: p.Text("command.logs.short"), Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			c, err := find(p)
			if err != nil {
				return err
			}
			err = c.Logs(ctx, follow, func(line journal.Line) error { return printLine(os.Stdout, line) })
			if ctx.Err() != nil {
				return nil // the person has seen enough
			}
			return err
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, p.Text("command.flag.follow"))
	return c
}

// printLine writes a line of the log.
func printLine(w io.Writer, line journal.Line) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %-5s %s", line.Time.Local().Format(time.DateTime), strings.ToUpper(line.Level), line.Message)
	for _, a := range line.Attrs {
		value := a.Value
		if value == "" || strings.ContainsAny(value, " \"\n\t=") {
			value = strconv.Quote(value)
		}
		out.WriteString(" " + a.Key + "=" + value)
	}
	_, err := fmt.Fprintln(w, out.String())
	return err
}
