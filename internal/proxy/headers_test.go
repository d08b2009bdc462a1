package proxy_test

import (
	"strings"
	"testing"

	"gateway/internal/proxy"
)

func TestHeaders(t *testing.T) {
	for _, row := range []struct {
		story string
		say   proxy.Headers
		want  proxy.Names
		wrong string // the keys that are wrong
	}{
		{"nothing said", proxy.Headers{}, proxy.Names{User: "Remote-User", Email: "Remote-Email", Name: "Remote-Name", Groups: "Remote-Groups"}, ""},
		{"another gateway's", proxy.Headers{Preset: "authentik", UserIs: "user_id"}, proxy.Names{User: "X-Authentik-Username", Email: "X-Authentik-Email", Name: "X-Authentik-Name", Groups: "X-Authentik-Groups", UserIs: "user_id"}, ""},
		{"one of its own, in any case", proxy.Headers{User: "x-webAUTH-user"}, proxy.Names{User: "X-Webauth-User", Email: "Remote-Email", Name: "Remote-Name", Groups: "Remote-Groups"}, ""},
		{"names changed about", proxy.Headers{User: "Remote-Email", Email: "Remote-User"}, proxy.Names{User: "Remote-Email", Email: "Remote-User", Name: "Remote-Name", Groups: "Remote-Groups"}, ""},
		{"no preset", proxy.Headers{Preset: "Remote"}, proxy.Names{}, "preset"},
		{"what clients may send", proxy.Headers{User: "Authorization", Email: "X-Anything", Name: "Cookie", Groups: "X-Forwarded-For"}, proxy.Names{}, "user email name groups"},
		{"what is ours", proxy.Headers{User: "X-Gateway-Jwt-Assertion"}, proxy.Names{}, "user"},
		{"odd spellings", proxy.Headers{User: "Remote_User", Email: "Remote.Email"}, proxy.Names{}, "user email"},
		{"one name twice", proxy.Headers{User: "Remote-Groups"}, proxy.Names{}, "groups"},
		{"a carrier of nothing", proxy.Headers{UserIs: "name"}, proxy.Names{}, "user_is"},
	} {
		got, err := row.say.Resolve()
		var wrong []string
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				key, _, _ := strings.Cut(line, ":")
				wrong = append(wrong, key)
			}
		}
		if said := strings.Join(wrong, " "); said != row.wrong {
			t.Errorf("%s: complains about %q, want %q", row.story, said, row.wrong)
		}
		if row.wrong == "" && got != row.want {
			t.Errorf("%s: %+v, want %+v", row.story, got, row.want)
		}
	}
	for _, preset := range []string{"remote", "oauth2-proxy", "auth-request", "authentik", "pomerium", "webauth"} {
		names, err := proxy.Headers{Preset: preset}.Resolve()
		if err != nil {
			t.Errorf("%s: %v", preset, err)
		}
		for _, name := range []string{names.User, names.Email, names.Name, names.Groups} {
			if !proxy.Managed(name) {
				t.Errorf("%s: clients can send %q", preset, name)
			}
		}
	}
}
