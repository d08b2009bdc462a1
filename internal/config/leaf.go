package config

import (
	"errors"
	"log/slog"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gateway/internal/secret"
	"gateway/policy"
)

// leaf reads and prints one kind of scalar.
type leaf struct {
	word    string                    // what it is, for people
	parse   func(string) (any, error) // errors say what is right and never repeat the value
	print   func(any) string
	number  bool     // it stands without quotes
	words   []string // all values there are, if they are few
	pattern string   // what values look like, for editors; empty: anything
}

// leaves are the scalars by type.
var leaves = map[reflect.Type]leaf{
	reflect.TypeFor[string]():        {word: "text", parse: func(s string) (any, error) { return s, nil }, print: plain},
	reflect.TypeFor[secret.Text]():   {word: "secret", parse: func(s string) (any, error) { return secret.New(s), nil }, print: printed[secret.Text]},
	reflect.TypeFor[int]():           {word: "whole number", parse: parseCount, print: printCount, number: true},
	reflect.TypeFor[time.Duration](): {word: "duration", parse: parseDuration, print: printDuration, pattern: durationPattern},
	reflect.TypeFor[URL]():           {word: "address", parse: parseURL, print: printURL, pattern: `^https?://[^/?#@]+$`},
	reflect.TypeFor[*url.URL]():      {word: "address", parse: parseUpstream, print: printed[*url.URL], pattern: `^(https?|h2c)://[^/?#@]+/?$`},
	reflect.TypeFor[WebOrigin]():     {word: "origin", parse: parseWebOrigin, print: plain, pattern: `^https?://[^/?#@*]+$`},
	reflect.TypeFor[Address]():       {word: "host:port", parse: parseAddress, print: plain, pattern: `^.*:[0-9]{1,5}$`},
	reflect.TypeFor[slog.Level]():    {word: "word", parse: parseLevel, print: printLevel, words: levels},
	reflect.TypeFor[Format]():        {word: "word", parse: parseFormat, print: plain, words: []string{string(JSON), string(Text)}},
	reflect.TypeFor[policy.Tokens](): {word: "word", parse: parseTokens, print: plain, words: []string{string(policy.AllowTokens), string(policy.RefuseTokens)}},
	reflect.TypeFor[Registration]():  {word: "word", parse: parseRegistration, print: plain, words: []string{string(Closed), string(Invite)}},
}

// plain prints strings of any name.
func plain(v any) string { return reflect.ValueOf(v).String() }

// printed prints what knows how to print itself.
func printed[T interface{ String() string }](v any) string {
	t, _ := v.(T)
	return t.String()
}

const durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`

var durations = regexp.MustCompile(durationPattern)

// parseDuration reads a length of time with its unit. Nothing that ends is
// ever and nothing lasts not at all, so zero is refused, and so is what does
// not fit (292 years).
func parseDuration(s string) (any, error) {
	if !durations.MatchString(s) {
		return nil, errors.New("must be a duration with its unit, like 90s, 15m or 24h; 30 days are 720h")
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return nil, errors.New("longer than can be counted")
	case d == 0:
		return nil, errors.New("must be longer than nothing")
	}
	return d, nil
}

// printDuration drops the zeros that Duration.String appends: 1h, not 1h0m0s.
func printDuration(v any) string {
	s := printed[time.Duration](v)
	if short, ok := strings.CutSuffix(s, "m0s"); ok {
		s = short + "m"
	}
	if short, ok := strings.CutSuffix(s, "h0m"); ok {
		s = short + "h"
	}
	return s
}

func printURL(v any) string {
	u, _ := v.(URL)
	return u.Origin()
}

var levels = []string{"debug", "info", "warn", "error"}

func parseLevel(s string) (any, error) {
	var level slog.Level
	for _, word := range levels {
		if s == word && level.UnmarshalText([]byte(word)) == nil {
			return level, nil
		}
	}
	return nil, errors.New("must be one of " + strings.Join(levels, ", "))
}

func printLevel(v any) string { return strings.ToLower(printed[slog.Level](v)) }

func parseFormat(s string) (any, error) {
	if f := Format(s); f == JSON || f == Text {
		return f, nil
	}
	return nil, errors.New("must be json or text")
}

func parseRegistration(s string) (any, error) {
	switch s {
	case string(Closed), string(Invite):
		return Registration(s), nil
	case "open", "approval":
		return nil, errors.New("not supported by this version; closed and invite are")
	}
	return nil, errors.New("must be closed or invite")
}

func parseTokens(s string) (any, error) {
	if t := policy.Tokens(s); t == policy.AllowTokens || t == policy.RefuseTokens {
		return t, nil
	}
	return nil, errors.New("must be allow or refuse")
}

var counts = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)

// parseCount reads how many of something there are. None would say nothing, so
// it is refused.
func parseCount(s string) (any, error) {
	if !counts.MatchString(s) {
		return nil, errors.New("must be a whole number, 1 or more")
	}
	return strconv.Atoi(s)
}

func printCount(v any) string {
	n, _ := v.(int)
	return strconv.Itoa(n)
}
