package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"glmtray/app"
	"glmtray/app/locale"
	"glmtray/app/settings"
)

// overrides are the flags that stand over the settings.
type overrides struct {
	config, host, provider, plan string
	port                         int
	demo                         bool
	// envFile is the .env file of another program. It, and the one in the working
	// directory, are only looked at where readsEnv.
	envFile  string
	readsEnv bool
}

func (o *overrides) register(c *cobra.Command, p *locale.Printer) {
	f := c.Flags()
	f.StringVar(&o.config, "config", "", p.Text("command.flag.config"))
	f.StringVar(&o.host, "host", "", p.Text("command.flag.host"))
	f.IntVar(&o.port, "port", 0, p.Text("command.flag.port"))
	f.StringVar(&o.provider, "provider", "", p.Text("command.flag.provider"))
	f.StringVar(&o.plan, "plan", "", p.Text("command.flag.plan"))
	f.BoolVar(&o.demo, "demo", false, p.Text("command.flag.demo"))
}

// registerEnv is register for commands that can take another program's place.
func (o *overrides) registerEnv(c *cobra.Command, p *locale.Printer) {
	o.register(c, p)
	o.readsEnv = true
	c.Flags().StringVar(&o.envFile, "env-file", "", p.Text("command.flag.envfile"))
}

// options turns the flags into where the settings come from.
func (o *overrides) options(c *cobra.Command) (settings.Options, error) {
	out := settings.Options{Path: o.config, WorkDir: workDir()}
	set := func(flag, key, value string) {
		if c.Flags().Changed(flag) {
			out.Flags = append(out.Flags, settings.Override{Key: key, Value: value, Flag: "--" + flag})
		}
	}
	set("host", "server.host", o.host)
	set("port", "server.port", fmt.Sprint(o.port))
	set("provider", "provider", o.provider)
	set("plan", "plan", o.plan)
	if o.demo {
		if c.Flags().Changed("provider") && o.provider != settings.ProviderDemo {
			return out, usageError{fmt.Errorf("--demo and --provider %s exclude each other", o.provider)}
		}
		out.Flags = append(out.Flags, settings.Override{Key: "provider", Value: settings.ProviderDemo, Flag: "--demo"})
	}
	switch {
	case c.Flags().Changed("env-file"):
		return out.ReadEnvFile(o.envFile)
	case o.readsEnv:
		return out.FindEnvFile()
	}
	return out, nil
}

// workDir is the folder that the program was started in.
func workDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return "" // a folder that is gone holds no config file either
	}
	return dir
}

func serveCommand(p *locale.Printer) *cobra.Command {
	var o overrides
	c := &cobra.Command{
		Use:   "serve [FILE]",
		Short: p.Text("command.serve.short"),
		Long:  p.Text("command.serve.long"),
		Args:  atMostOne,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.argument(p, args); err != nil {
				return err
			}
			options, err := o.options(c)
			if err != nil {
				return err
			}
			return serve(p, options)
		},
	}
	o.registerEnv(c, p)
	return c
}

// argument takes the config file as zcode-proxy's users give it, as an argument. A word
// that names no file is more likely meant otherwise.
func (o *overrides) argument(p *locale.Printer, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if _, err := os.Stat(args[0]); errors.Is(err, fs.ErrNotExist) {
		return usageError{errors.New(p.Text("command.serve.nofile", "File", strconv.Quote(args[0])))}
	}
	if o.config != "" && o.config != args[0] {
		return usageError{errors.New(p.Text("command.serve.twofiles", "File", args[0], "Other", o.config))}
	}
	o.config = args[0]
	return nil
}

func serve(p *locale.Printer, from settings.Options) error {
	ready := func(baseURL string) { announce(p, baseURL) }
	a, err := app.New(app.Options{Settings: from, Version: version(), Ready: ready})
	if err != nil {
		return err
	}
	ctx, stop := untilStopped(a)
	defer stop()
	return a.Run(ctx)
}

// untilStopped returns a context that the first signal to stop ends. The second one
// cuts the requests that still run.
func untilStopped(a *app.App) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
		<-signals
		a.Abort()
	}()
	return ctx, stop
}

// announce prints where the proxy is, as the only line for programs that wait for
// it; a person at a terminal gets something to try as well.
func announce(p *locale.Printer, baseURL string) {
	fmt.Println(baseURL)
	if term.IsTerminal(int(os.Stdout.Fd())) {
		tryLine(os.Stdout, p, baseURL)
	}
}

// tryLine writes a first command for a person.
func tryLine(w io.Writer, p *locale.Printer, baseURL string) {
	fmt.Fprintf(w, "\n%s\n\n  curl %s/v1/chat/completions -H 'Content-Type: application/json' \\\n"+
		"    -d '{\"model\":\"glm-4.6\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'\n\n", p.Text("command.serve.try"), baseURL)
}
