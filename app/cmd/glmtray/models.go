package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"glmtray/app/locale"
	"glmtray/assets"
	"glmtray/proxy/upstream"
)

func modelsCommand(p *locale.Printer) *cobra.Command {
	return &cobra.Command{
		Use:   "models",
		Short: p.Text("command.models.short"),
		Long:  p.Text("command.models.long"),
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			models, err := upstream.ParseModels(assets.Models)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "MODEL\tCONTEXT\tOUTPUT\tIMAGES")
			for _, m := range models {
				if m.Listed {
					fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", m.ID, m.Context, m.MaxOutput, map[bool]string{true: "yes", false: "no"}[m.Vision])
				}
			}
			return w.Flush()
		},
	}
}
