package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"glmtray/app"
	"glmtray/app/account"
	"glmtray/app/locale"
	"glmtray/app/login"
	"glmtray/app/settings"
	"glmtray/app/window"
)

// maxInput bounds what is read from standard input for one secret, in bytes.
const maxInput = 64 << 10

func loginAuth(p *locale.Printer) *cobra.Command {
	var noBrowser, paste, fromZCode bool
	var name string
	c := &cobra.Command{
		Use: "login zai|bigmodel|demo", Short: p.Text("command.auth.login.short"), Long: p.Text("command.auth.login.long"), Args: exactly(1),
	}
	c = authRun(p, c, func(ctx context.Context, a *auth, args []string) error {
		if err := a.known(args[0]); err != nil {
			return err
		}
		a.policy(ctx, args[0])
		if fromZCode {
			return a.takeOver(ctx)
		}
		o := login.Options{}
		if paste || a.Settings().Auth.LoginFlow == settings.FlowPaste {
			o.Flow = login.Paste
		}
		return a.login(ctx, args[0], name, noBrowser, o)
	})
	c.ValidArgs = []string{settings.ProviderZAI, settings.ProviderBigmodel, settings.ProviderDemo}
	f := c.Flags()
	f.BoolVar(&noBrowser, "no-browser", false, p.Text("command.flag.nobrowser"))
	f.BoolVar(&paste, "paste", false, p.Text("command.flag.paste"))
	f.BoolVar(&fromZCode, "import", false, p.Text("command.flag.import"))
	f.StringVar(&name, "name", "", p.Text("command.flag.name"))
	return c
}

// known refuses a provider that there is not as a wrong usage.
func (a *auth) known(provider string) error {
	if _, known := a.Settings().Providers[provider]; !known {
		return usageError{fmt.Errorf("there is no provider %q; there are zai, bigmodel, custom and demo", provider)}
	}
	return nil
}

// policy says, before the first account, what the provider's terms are.
func (a *auth) policy(ctx context.Context, provider string) {
	if list, err := a.List(ctx); err == nil && len(list) == 0 && provider != settings.ProviderDemo {
		fmt.Fprintln(os.Stderr, a.p.Text("notice.policy", "Link", app.PolicyLink(provider)))
		fmt.Fprintln(os.Stderr)
	}
}

// login logs in through the browser. What a person reads goes to standard error; on
// standard output stands the address alone.
func (a *auth) login(ctx context.Context, provider, name string, noBrowser bool, o login.Options) error {
	interactive := o.Flow == login.Paste || term.IsTerminal(int(os.Stdin.Fd()))
	o.Open = func(address string) {
		if o.Flow == login.Paste {
			fmt.Fprintln(os.Stderr, a.p.Text("command.auth.login.pastehow"))
		} else {
			fmt.Fprintln(os.Stderr, a.p.Text("command.auth.login.how"))
		}
		fmt.Println(address)
		if !noBrowser {
			go func() {
				if err := window.Browse(ctx, address); err != nil {
					fmt.Fprintln(os.Stderr, a.p.Text("command.auth.login.byhand", "Reason", err.Error()))
				}
			}()
		}
		if interactive {
			fmt.Fprintln(os.Stderr, a.p.Text("command.auth.login.paste"))
		} else {
			fmt.Fprintln(os.Stderr, a.p.Text("command.auth.login.waiting"))
		}
	}
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	if interactive {
		o.Pasted = lines(life, func() {
			if o.Flow == login.Paste { // there is no other way back
				end(errNothingPasted)
			}
		})
	}
	got, err := a.LoginByCommand(life, a.p, provider, name, o)
	if cause := context.Cause(life); errors.Is(cause, errNothingPasted) {
		return cause
	}
	if err != nil {
		return err
	}
	return a.told(got)
}

// errNothingPasted ends a login to which nothing can be pasted any more.
var errNothingPasted = errors.New("standard input ended without the address at which the browser ended, or its code; nothing was changed")

// lines yields what a person types, a line at a time, until one is of use. Where there
// are no more lines before that, ended is called.
func lines(ctx context.Context, ended func()) <-chan login.PastedText {
	out, taken := make(chan login.PastedText), make(chan error, 1)
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			if strings.TrimSpace(in.Text()) == "" {
				continue
			}
			select {
			case out <- login.PastedText{Text: in.Text(), Taken: func(err error) { taken <- err }}:
			case <-ctx.Done():
				return
			}
			err := <-taken
			if err == nil {
				return
			}
			fmt.Fprintln(os.Stderr, "glmtray:", err)
		}
		ended()
	}()
	return out
}

// aside says where a vault was put that could not be read.
func (a *auth) aside(added account.Added) {
	if added.Aside != "" {
		fmt.Fprintln(os.Stderr, a.p.Text("command.auth.aside", "File", added.Aside))
	}
}

// told says what an account that was added can do. One that is used alone stays so under
// its new name.
func (a *auth) told(got app.LoggedIn) error {
	a.aside(got.Added)
	if got.KeyError != nil {
		fmt.Fprintln(os.Stderr, "glmtray:", got.KeyError)
	}
	if got.KeyMade {
		fmt.Fprintln(os.Stderr, a.p.Text("command.auth.keymade", "Key", login.KeyName))
	}
	fmt.Fprintln(os.Stderr, a.p.Text("notice.added."+app.ProofID(got), "Account", got.Name))
	a.hint()
	if got.Replaced && got.Was != got.Name && a.loaded.Settings.Auth.Account == got.Was {
		return a.write([]settings.Change{{Key: "auth.account", Value: got.Name}})
	}
	return nil
}

func keyAuth(p *locale.Printer) *cobra.Command {
	var provider, name string
	var unchecked bool
	c := authRun(p, &cobra.Command{Use: "key", Short: p.Text("command.auth.key.short"), Long: p.Text("command.auth.key.long"), Args: noArguments},
		func(ctx context.Context, a *auth, _ []string) error {
			if provider == "" {
				provider = a.Settings().Provider
			}
			if err := a.known(provider); err != nil {
				return err
			}
			a.policy(ctx, provider)
			key, err := readSecret(ctx, p.Text("command.auth.key.prompt"))
			if err != nil {
				return err
			}
			got, err := a.AddKey(ctx, provider, name, key, unchecked)
			if err != nil {
				return err
			}
			return a.told(got)
		})
	c.Flags().StringVar(&provider, "provider", "", p.Text("command.flag.provider"))
	c.Flags().StringVar(&name, "name", "", p.Text("command.flag.name"))
	c.Flags().BoolVar(&unchecked, "no-check", false, p.Text("command.flag.nocheck"))
	return c
}

// readSecret reads one line: from a terminal without showing it, else from standard
// input. The end of ctx ends it.
func readSecret(ctx context.Context, prompt string) (string, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return await(ctx, func() (string, error) { return readLine(os.Stdin) })
	}
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	fmt.Fprint(os.Stderr, prompt)
	text, err := await(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	fmt.Fprintln(os.Stderr)
	if ctx.Err() != nil {
		// The read goes on without us; the terminal must show again what is typed.
		err = errors.Join(err, term.Restore(fd, before))
	}
	return string(text), err
}

// readLine reads a bounded line, without its end.
func readLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, maxInput)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// await returns what a read of standard input yields, or ctx's error: such a read cannot
// be called off. It ends with the process then.
func await[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// takeOver imports the accounts of the ZCode desktop app.
func (a *auth) takeOver(ctx context.Context) error {
	added, notes, err := a.ImportZCode(ctx, os.Getenv)
	for _, note := range notes {
		fmt.Fprintln(os.Stderr, a.p.Text("command.config.check.note", "Note", note))
	}
	a.imported(added)
	return err
}

// imported says which accounts were taken over.
func (a *auth) imported(added []account.Added) {
	if len(added) > 0 {
		a.aside(added[0]) // the first one that was written made the new vault
	}
	for _, one := range added {
		fmt.Println(a.p.Text("command.auth.imported", "Account", one.Name, "Provider", one.Provider, "Plans", strings.Join(one.Plans(), ", ")))
	}
	if len(added) > 0 {
		a.hint()
	}
}

func exportAuth(p *locale.Printer) *cobra.Command {
	var out, passphraseFile string
	c := authRun(p, &cobra.Command{Use: "export [NAME…]", Short: p.Text("command.auth.export.short"), Long: p.Text("command.auth.export.long")},
		func(ctx context.Context, a *auth, names []string) error {
			passphrase, err := readPassphrase(ctx, p, passphraseFile, true)
			if err != nil {
				return err
			}
			sealed, err := a.Export(ctx, passphrase, names...)
			if err != nil {
				return err
			}
			if out == "" || out == "-" {
				_, err = os.Stdout.Write(sealed)
				return err
			}
			return writeNew(out, sealed)
		})
	c.Flags().StringVarP(&out, "output", "o", "", p.Text("command.flag.output"))
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", p.Text("command.flag.passphrase"))
	return c
}

// writeNew writes a file that was not there, for its owner alone. A part of it would look
// like the whole, and is taken away.
func writeNew(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

func importAuth(p *locale.Printer) *cobra.Command {
	var passphraseFile string
	var fromZCode bool
	c := &cobra.Command{Use: "import FILE | --zcode", Short: p.Text("command.auth.import.short"), Long: p.Text("command.auth.import.long"), Args: atMostOne}
	c = authRun(p, c, func(ctx context.Context, a *auth, args []string) error {
		if fromZCode == (len(args) == 1) {
			return usageError{errors.New(p.Text("command.auth.import.usage"))}
		}
		if fromZCode {
			return a.takeOver(ctx)
		}
		if args[0] == "-" && passphraseFile == "" {
			return usageError{errors.New("standard input is the file, so that the passphrase cannot come from there; give a file with --passphrase-file")}
		}
		sealed, err := await(ctx, func() ([]byte, error) { return readImport(args[0]) })
		if err != nil {
			return err
		}
		passphrase, err := readPassphrase(ctx, p, passphraseFile, false)
		if err != nil {
			return err
		}
		added, err := a.ImportSealed(ctx, passphrase, sealed)
		if err != nil {
			return err
		}
		a.imported(added)
		return nil
	})
	c.Flags().BoolVar(&fromZCode, "zcode", false, p.Text("command.flag.import"))
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", p.Text("command.flag.passphrase"))
	return c
}

// readImport reads an exported file; "-" is standard input.
func readImport(name string) ([]byte, error) {
	const most = 16 << 20
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, most))
}

// readPassphrase reads a passphrase from a file, a terminal or standard input. A new one
// is asked for twice on a terminal.
func readPassphrase(ctx context.Context, p *locale.Printer, file string, isNew bool) (string, error) {
	const shortest = 8
	var text string
	var err error
	if file != "" {
		var raw []byte
		if raw, err = os.ReadFile(file); err != nil {
			return "", err
		}
		text = strings.TrimRight(string(raw), "\r\n")
	} else if text, err = readSecret(ctx, p.Text("command.auth.passphrase")); err != nil {
		return "", err
	}
	if isNew && file == "" && term.IsTerminal(int(os.Stdin.Fd())) {
		again, err := readSecret(ctx, p.Text("command.auth.passphrase.again"))
		if err != nil {
			return "", err
		}
		if again != text {
			return "", errors.New(p.Text("command.auth.passphrase.differ"))
		}
	}
	if isNew && len(text) < shortest || text == "" {
		return "", errors.New(p.Text("command.auth.passphrase.short"))
	}
	return text, nil
}
