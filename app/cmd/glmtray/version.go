package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"glmtray/app/locale"
)

// release is set when a release is built: -ldflags "-X main.release=1.2.3".
var release string

// version returns the release, or what the build knows of its commit.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "dev-" + s.Value[:12]
			}
		}
	}
	return "dev"
}

func versionCommand(p *locale.Printer) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: p.Text("command.version.short"),
		Args:  noArguments,
		Run: func(*cobra.Command, []string) {
			fmt.Printf("glmtray %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}
