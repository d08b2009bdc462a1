package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gateway/internal/secret"
)

// However it is shown, only Reveal tells.
func TestNothingShowsIt(t *testing.T) {
	s := secret.New("hunter2")
	inside := struct {
		Name   string
		Secret secret.Text
		At     *secret.Text
	}{"n", s, &s}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", slog.Any("secret", s), slog.Any("inside", inside), slog.Any("list", []secret.Text{s}))
	encoded, err := json.Marshal(map[string]any{"s": s, "inside": inside})
	if err != nil {
		t.Fatal(err)
	}
	const wrong = "%[1]d %[2]U" // a slip of the pen shows nothing either
	for _, shown := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s), fmt.Sprintf("%v %+v %#v", inside, inside, inside), fmt.Sprintf(wrong, s, s),
		fmt.Sprint([]secret.Text{s}), s.String(), logged.String(), string(encoded),
	} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("it shows: %s", shown)
		}
	}
	if s.Reveal() != "hunter2" {
		t.Errorf("Reveal = %q", s.Reveal())
	}
}

func TestEqual(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{"x", "x", true},
		{"x", "y", false},
		{"x", "", false},
		{"", "x", false},
		{"", "", false},
		{"x", "xx", false},
	} {
		if got := secret.New(row.a).Equal(secret.New(row.b)); got != row.want {
			t.Errorf("%q Equal %q = %v, want %v", row.a, row.b, got, row.want)
		}
	}
}
