package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
)

// span is a flag for a length of time, written as in the configuration, where
// days have no unit of their own either: a day may last 23 hours.
type span struct{ length *time.Duration }

// spanFlag adds the flag.
func spanFlag(c *cobra.Command, into *time.Duration, name string, standard time.Duration, usage string) {
	*into = standard
	c.Flags().Var(span{into}, name, usage)
}

// String is the length, and empty for none.
func (s span) String() string {
	if s.length == nil || *s.length == 0 {
		return ""
	}
	return s.length.String()
}

// Set reads the length.
func (s span) Set(text string) error {
	length, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("must be a duration with its unit, like 90s, 15m or 24h; 30 days are 720h")
	}
	*s.length = length
	return nil
}

// Type is what help calls it.
func (span) Type() string { return "duration" }
