package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"gateway/internal/server"
	"gateway/policy"
)

func policyObserved(o *options) *cobra.Command {
	var app string
	var asJSON bool
	c := &cobra.Command{
		Use: "observed", Short: "List what would be decided otherwise if what is only observed counted", Args: cobra.NoArgs,
		Long: "List what would be decided otherwise if what is only observed counted: who would lose (-), who would gain (+), and who\n" +
			"would be refused in another way (~). It is what the running gateway remembers since it started, or since something\n" +
			"changed in its configuration that the app's decisions depend on.",
		RunE: func(c *cobra.Command, _ []string) error {
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				if a.alone() {
					return errNothingRuns
				}
				var found server.AdminObserved
				if err := a.call(ctx, http.MethodGet, "/observed", nil, &found); err != nil {
					return err
				}
				if app != "" {
					found.Apps = slices.DeleteFunc(found.Apps, func(one server.AdminObservedApp) bool { return one.App != app })
				}
				if asJSON {
					return printJSON(c.OutOrStdout(), found)
				}
				return writeObserved(c.OutOrStdout(), found)
			})
		},
	}
	c.Flags().StringVar(&app, "app", "", "only this app's")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

var errNothingRuns = errors.New("no gateway runs on this data folder: only a running one knows what was asked of it")

func writeObserved(out io.Writer, found server.AdminObserved) error {
	if f := found.File; f != nil {
		if err := writeFile(out, *f); err != nil || len(f.Wrong) > 0 {
			return err
		}
	}
	if len(found.Apps) == 0 {
		_, err := fmt.Fprintln(out, "nothing is observed")
		return err
	}
	for _, app := range found.Apps {
		name := cmp.Or(app.App, "hosts that no app has")
		if _, err := fmt.Fprintf(out, "%s: %d of %d requests since %s would be decided otherwise\n", printable(name), app.Differ, app.Asked, instant(app.Since)); err != nil {
			return err
		}
		rows := make([]row, 0, len(app.Differences))
		for _, d := range app.Differences {
			rows = append(rows, row{
				sign(d.Is.Effect, d.Would.Effect) + " " + cmp.Or(d.Login, d.UserID, "nobody"), whatFor(d), byRule(d.Is), "would be " + byRule(d.Would) + ", " + string(d.Would.Reason),
				often(d.Times), instant(d.First), "to " + instant(d.Last),
			})
		}
		if err := table(out, rows); err != nil {
			return err
		}
	}
	return incomplete(out, found)
}

// writeFile says which file is observed, or why it is not.
func writeFile(out io.Writer, f server.AdminObservedFile) error {
	lines := []string{"observed is " + f.Path}
	if len(f.Wrong) > 0 {
		lines = append([]string{"not observed, since it is wrong: " + f.Path}, f.Wrong...)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(out, printable(line)); err != nil {
			return err
		}
	}
	return nil
}

// incomplete says what the lists lack.
func incomplete(out io.Writer, found server.AdminObserved) error {
	for _, lack := range []struct {
		of   uint64
		what string
	}{
		{found.Lost, "differences were forgotten, since too many others came up"},
		{found.Skipped, "requests were not decided beside, since too many came at once"},
	} {
		if lack.of == 0 {
			continue
		}
		if _, err := fmt.Fprintf(out, "%d %s\n", lack.of, lack.what); err != nil {
			return err
		}
	}
	return nil
}

// sign says what somebody whose answer becomes another one does: lose, gain, or
// neither.
func sign(is, would policy.Effect) string {
	switch {
	case is == policy.Allow:
		return "-"
	case would == policy.Allow:
		return "+"
	}
	return "~"
}

func often(times uint64) string {
	if times == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", times)
}

func whatFor(d server.AdminDifference) string {
	if d.Method == "" {
		return "many other paths"
	}
	return d.Method + " " + d.Host + d.Path
}

func byRule(d policy.Decision) string { return d.Effect.String() + " by " + cmp.Or(d.Rule, "no rule") }
