package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/cases"
	"gateway/internal/config"
)

func policyTest(o *options) *cobra.Command {
	var verbose, asJSON bool
	var junit string
	c := &cobra.Command{
		Use: "test FILE...", Short: "Try the policy on files of cases", Args: cobra.MinimumNArgs(1),
		Example: "  gateway policy test cases.yaml\n  gateway policy test --junit report.xml cases/*.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			files, err := readAllCases(args)
			if err != nil {
				return err
			}
			cfg, err := load(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			guard, err := guardOf(cfg)
			if err != nil {
				return err
			}
			return withPeople(c, cfg, func(p *people) error {
				run := cases.Runner{Policy: guard, User: p.principal, Now: time.Now()} //nolint:forbidigo // the moment of the command
				report := run.Try(files...)
				if junit != "" {
					if err := os.WriteFile(junit, report.JUnit(), 0o644); err != nil { //nolint:gosec // G306: a report is for whoever runs the checks
						return err
					}
				}
				if asJSON {
					err = indented(c.OutOrStdout(), report)
				} else {
					err = report.Write(c.OutOrStdout(), verbose)
				}
				if err == nil && report.Failed > 0 {
					return fmt.Errorf("%d of %d cases failed", report.Failed, len(report.Results))
				}
				return err
			})
		},
	}
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the cases that hold, too")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&junit, "junit", "", "write a report in JUnit's XML to this `FILE`, too")
	return c
}

func readAllCases(paths []string) ([]cases.File, error) {
	files := make([]cases.File, 0, len(paths))
	for _, path := range paths {
		f, err := readCases(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// readCases reads a file of cases and says everything that is wrong with it.
func readCases(path string) (cases.File, error) {
	var f cases.File
	data, err := os.ReadFile(path) //nolint:gosec // G304: the administrator names the file
	if err != nil {
		return f, err
	}
	where, err := config.Read(path, data, &f)
	if err != nil {
		return f, badUsage{fmt.Errorf("cases:\n%w", err)}
	}
	f.Path = path
	for i := range f.Cases {
		f.Cases[i].Line = where(fmt.Sprintf("cases[%d]", i)).Line
	}
	if err := f.Resolve(); err != nil {
		return f, badUsage{fmt.Errorf("cases:\n%w", placed(err, where))}
	}
	return f, nil
}

// placed puts the line before each complaint.
func placed(err error, where func(string) config.Place) error {
	var all []error
	for _, e := range apart(err) {
		if c, ok := errors.AsType[*cases.Complaint](e); ok {
			e = fmt.Errorf("%s: %w", where(c.Path), c)
		}
		all = append(all, e)
	}
	return errors.Join(all...)
}

// apart returns the errors that were joined.
func apart(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
