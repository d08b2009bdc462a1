package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// row is one line of human output.
type row []string

// listing is a command that shows something: as a table, or with --json.
func listing(o *options, use, short string, args cobra.PositionalArgs, ask func(context.Context, *administrator, []string) (any, []row, error)) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(c *cobra.Command, args []string) error {
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				found, rows, err := ask(ctx, a, args)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(c.OutOrStdout(), found)
				}
				return table(c.OutOrStdout(), rows)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func table(out io.Writer, rows []row) error {
	var lines bytes.Buffer
	w := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		for i, cell := range r {
			r[i] = printable(cell)
		}
		if _, err := fmt.Fprintln(w, strings.Join(r, "\t")); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(lines.String()) { // empty cells at the end leave their padding
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// printable keeps what a stranger chose from driving the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// instant is a moment as machines and log lines write it: RFC 3339, UTC.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }
