package sessions_test

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"gateway/sessions"
)

func TestConfig(t *testing.T) {
	for _, row := range []struct {
		text string
		want string // words of the complaints, in order
	}{
		{"{}", ""},
		{"{idle: 1h, lifetime: 24h}", ""},
		{"{idle: 15m}", ""},
		{"{lifetime: 2160h}", ""},
		{"{idle: 1m, lifetime: 1m}", ""},
		{"{idle: 24h, lifetime: 24h}", ""},
		{"{idle: 0}", "Idle"}, // no unit: refused by the decoder
		{"{idle: 24, lifetime: 24}", "Idle"},
		{"{idle: 0s, lifetime: 0s}", "idle: lifetime:"},
		{"{idle: -1h}", "idle:"},
		{"{idle: 1ns}", "idle:"},
		{"{idle: 59s}", "idle:"},
		{"{lifetime: 59m}", "lifetime:"},
		{"{lifetime: -1h}", "lifetime:"},
		{"{lifetime: 2161h}", "lifetime:"},
		{"{lifetime: 2562047h}", "lifetime:"}, // 292 years
		{"{idle: 25h}", "lifetime:"},
	} {
		c := sessions.DefaultConfig()
		got := yaml.Unmarshal([]byte(row.text), &c)
		if got == nil {
			got = c.Validate()
		}
		if (got == nil) != (row.want == "") {
			t.Errorf("%s: %v, want %q", row.text, got, row.want)
		}
		for word := range strings.FieldsSeq(row.want) {
			if got != nil && !strings.Contains(got.Error(), word) {
				t.Errorf("%s: %v lacks %q", row.text, got, word)
			}
		}
	}
	if got, want := sessions.DefaultConfig(), (sessions.Config{Idle: time.Hour, Lifetime: 24 * time.Hour}); got != want {
		t.Errorf("DefaultConfig = %v, want %v", got, want)
	}
	if err := (sessions.Config{}).Validate(); err == nil {
		t.Error("the zero Config is valid")
	}
}
