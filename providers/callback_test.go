package providers_test

import (
	"errors"
	"strings"
	"testing"

	"gateway/providers"
)

func TestParseCallback(t *testing.T) {
	for _, row := range []struct {
		query string
		want  error
	}{
		{"state=s&code=c", nil},
		{"state=s&code=c&iss=https%3A%2F%2Fid.example&session_state=x&scope=openid", nil},
		{"state=s&error=access_denied&error_description=no", nil},
		{"", providers.ErrNoRequest},
		{"code=c", providers.ErrNoRequest},
		{"state=&code=c", providers.ErrNoRequest},
		{"state=s", providers.ErrNoRequest},
		{"state=s&code=", providers.ErrNoRequest},
		{"state=s&code=c&code=d", providers.ErrNoRequest},
		{"state=s&state=s&code=c", providers.ErrNoRequest},
		{"state=s&code=c&iss=a&iss=b", providers.ErrNoRequest},
		{"state=s&error=a&error=a", providers.ErrNoRequest},
		{"state=s&code=c&error=access_denied", providers.ErrNoRequest},
		{"state=s;code=c", providers.ErrNoRequest},
		{"state=s&code=%zz", providers.ErrNoRequest},
		{"state=s&code=" + strings.Repeat("c", 100<<10), providers.ErrNoRequest},
		{"state=" + strings.Repeat("s", 100<<10) + "&code=c", providers.ErrNoRequest},
		{"state=s&code=c&iss=" + strings.Repeat("s", 100<<10), providers.ErrNoRequest},
	} {
		if _, err := providers.ParseCallback(row.query); !errors.Is(err, row.want) {
			t.Errorf("ParseCallback(%.60s) = %v, want %v", row.query, err, row.want)
		}
	}
	cb, err := providers.ParseCallback("state=s&code=c&iss=")
	if err != nil || !cb.IssuerPresent || cb.Issuer != "" {
		t.Errorf("empty iss = %+v, %v, want it present", cb, err)
	}
}
