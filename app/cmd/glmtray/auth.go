package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"glmtray/app"
	"glmtray/app/account"
	"glmtray/app/control"
	"glmtray/app/locale"
	"glmtray/app/settings"
	"glmtray/app/state"
	"glmtray/app/vault"
)

// authCommand groups what can be done with accounts. It works whether the program runs
// or not: one that runs sees the change by itself.
func authCommand(p *locale.Printer) *cobra.Command {
	c := &cobra.Command{
		Use: "auth", Short: p.Text("command.auth.short"), Long: p.Text("command.auth.long"), Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(loginAuth(p), keyAuth(p), listAuth(p), useAuth(p), renameAuth(p), logoutAuth(p), exportAuth(p), importAuth(p))
	return c
}

// auth is what every command about accounts has.
type auth struct {
	*app.Accounts
	p      *locale.Printer
	from   settings.Options
	loaded settings.Loaded
	state  string // the folder in which a running instance is found
}

// authRun makes a command of a function that is given the accounts. args is how many
// arguments it takes.
func authRun(p *locale.Printer, c *cobra.Command, do func(ctx context.Context, a *auth, args []string) error) *cobra.Command {
	var config string
	c.Flags().StringVar(&config, "config", "", p.Text("command.flag.config"))
	c.RunE = func(_ *cobra.Command, args []string) error {
		from := settings.Options{Path: config, WorkDir: workDir()}
		loaded, err := settings.Load(from)
		if err != nil {
			return err
		}
		accounts, err := app.OpenAccounts(from, version())
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = do(ctx, &auth{accounts, p, from, loaded, loaded.Dirs.State}, args)
		if ctx.Err() != nil {
			return errors.New(p.Text("command.auth.interrupted"))
		}
		return atPlace(loaded.Dirs.Data, err)
	}
	c.ValidArgsFunction = cobra.NoFileCompletions
	return c
}

// atPlace says of an error of the file system that it is about the folder of the accounts.
// A folder above it that could not be made counts too.
func atPlace(dir string, err error) error {
	var at *fs.PathError
	if !errors.As(err, &at) || dir == "" {
		return err
	}
	below := at.Path == dir || strings.HasPrefix(at.Path, dir+string(filepath.Separator))
	if above := at.Op == "mkdir" && strings.HasPrefix(dir, at.Path); !below && !above {
		return err
	}
	return fmt.Errorf("the accounts in %s cannot be read or written: %w; check that you may use that folder, and that the disk has room", dir, err)
}

// exactly refuses another number of arguments as a wrong usage.
func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(c, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// atMostOne refuses more than one argument as a wrong usage.
func atMostOne(c *cobra.Command, args []string) error {
	if err := cobra.MaximumNArgs(1)(c, args); err != nil {
		return usageError{err}
	}
	return nil
}

// hint says where the accounts lie, if that is not what a person expects.
func (a *auth) hint() {
	switch where := a.Vault().Where(); where {
	case vault.InFile:
		fmt.Fprintln(os.Stderr, a.p.Text("command.auth.keyfile", "Dir", a.loaded.Dirs.Data))
	case vault.InEnvironment, vault.InCredential:
		fmt.Fprintln(os.Stderr, a.p.Text("command.auth.keygiven", "Where", string(where)))
	}
}

func listAuth(p *locale.Printer) *cobra.Command {
	var asJSON bool
	c := authRun(p, &cobra.Command{Use: "list", Short: p.Text("command.auth.list.short"), Args: noArguments},
		func(ctx context.Context, a *auth, _ []string) error {
			entries, err := a.entries(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				out := json.NewEncoder(os.Stdout)
				out.SetIndent("", "  ")
				return out.Encode(entries)
			}
			return printEntries(os.Stdout, p, entries)
		})
	c.Flags().BoolVar(&asJSON, "json", false, p.Text("command.flag.json"))
	return c
}

// entries are the accounts of the vault, with how they stand in the program that runs, if
// one does.
func (a *auth) entries(ctx context.Context) ([]state.AccountEntry, error) {
	list, err := a.List(ctx)
	var unreadable *vault.UnreadableError
	if errors.As(err, &unreadable) && unreadable.Restored {
		fmt.Fprintln(os.Stderr, "glmtray:", err)
	} else if err != nil {
		return nil, err
	}
	running := map[string]state.AccountEntry{}
	if c, err := control.Find(a.state); err == nil {
		if s, err := c.Status(ctx); err == nil {
			for _, e := range s.Accounts {
				running[e.ID] = e
			}
		}
	}
	entries := []state.AccountEntry{}
	for _, x := range list {
		e, known := running[x.ID]
		if !known {
			e = state.AccountEntry{State: state.AccountIdle}
		}
		e.ID, e.Name, e.Provider, e.Kind = x.ID, x.Name, x.Provider, string(x.Kind)
		e.Plans, e.Hint, e.Level, e.Added = x.Plans(), x.Hint(), x.Level, x.Added
		entries = append(entries, e)
	}
	return entries, nil
}

// printEntries writes accounts as a table.
func printEntries(w io.Writer, p *locale.Printer, entries []state.AccountEntry) error {
	if len(entries) == 0 {
		_, err := fmt.Fprintln(w, p.Text("command.auth.list.none"))
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, p.Text("command.auth.list.head"))
	for _, e := range entries {
		status := p.Text("command.auth.state." + e.State) // locale: command.auth.state.*
		if !e.Until.IsZero() {
			status += " " + dayAndTime(e.Until.Local(), time.Now())
		}
		plans := strings.Join(e.Plans, ", ")
		if e.Level != "" {
			plans += " (" + e.Level + ")"
		}
		kind := p.Text("command.auth.kind." + e.Kind) // locale: command.auth.kind.*
		fmt.Fprintln(t, strings.Join([]string{e.Name, e.Provider, plans, kind, e.Hint, status}, "\t"))
	}
	return t.Flush()
}

// dayAndTime names a time, with its day unless that is today: a week's quota is out for
// days.
func dayAndTime(at, now time.Time) string {
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format("15:04")
	}
	return at.Format("2006-01-02 15:04")
}

func useAuth(p *locale.Printer) *cobra.Command {
	var all bool
	c := &cobra.Command{Use: "use NAME | --all", Short: p.Text("command.auth.use.short"), Args: atMostOne}
	c = authRun(p, c, func(ctx context.Context, a *auth, args []string) error {
		if all == (len(args) == 1) {
			return usageError{errors.New(p.Text("command.auth.use.usage"))}
		}
		changes := []settings.Change{{Key: "auth.account", Value: ""}}
		if !all {
			list, err := a.List(ctx)
			if err != nil {
				return err
			}
			at := slices.IndexFunc(list, func(x account.Account) bool { return x.Name == args[0] })
			if at < 0 {
				return fmt.Errorf("%w: %s", account.ErrUnknown, args[0])
			}
			changes = append([]settings.Change{{Key: "auth.account", Value: args[0]}}, app.UseOf(list[at], a.loaded.Settings)...)
		}
		if err := a.write(changes); err != nil {
			return err
		}
		if all {
			fmt.Println(p.Text("command.auth.use.all"))
		} else {
			fmt.Println(p.Text("command.auth.use.done", "Account", args[0]))
		}
		return nil
	})
	c.Flags().BoolVar(&all, "all", false, p.Text("command.flag.all"))
	return c
}

// write changes the config file.
func (a *auth) write(changes []settings.Change) error {
	path := a.loaded.WritePath()
	if path == "" {
		return errors.New(a.p.Text("command.config.path.nohome"))
	}
	return settings.Set(path, changes...)
}

func renameAuth(p *locale.Printer) *cobra.Command {
	return authRun(p, &cobra.Command{Use: "rename NAME NEW-NAME", Short: p.Text("command.auth.rename.short"), Args: exactly(2)},
		func(ctx context.Context, a *auth, args []string) error {
			if err := a.Rename(ctx, args[0], args[1]); err != nil {
				return err
			}
			if a.loaded.Settings.Auth.Account == args[0] {
				return a.write([]settings.Change{{Key: "auth.account", Value: args[1]}})
			}
			return nil
		})
}

func logoutAuth(p *locale.Printer) *cobra.Command {
	return authRun(p, &cobra.Command{Use: "logout NAME", Short: p.Text("command.auth.logout.short"), Args: exactly(1)},
		func(ctx context.Context, a *auth, args []string) error {
			if err := a.Remove(ctx, args[0]); err != nil {
				return err
			}
			fmt.Println(p.Text("command.auth.logout.done", "Account", args[0]))
			if a.loaded.Settings.Auth.Account == args[0] {
				return a.write([]settings.Change{{Key: "auth.account", Value: ""}})
			}
			return nil
		})
}
