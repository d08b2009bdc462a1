package oidc_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/providers/providertest"
)

func TestEmail(t *testing.T) {
	for _, row := range []struct {
		name            string
		email, verified any
		want            string
		wantVerified    bool
	}{
		{"verified", "a@ex.test", true, "a@ex.test", true},
		{"in capitals", "A@EX.TEST", true, "A@EX.TEST", true},
		{"word missing", "a@ex.test", nil, "a@ex.test", false},
		{"false", "a@ex.test", false, "a@ex.test", false},
		{`"true" is no true`, "a@ex.test", "true", "a@ex.test", false},
		{`"false"`, "a@ex.test", "false", "a@ex.test", false},
		{"1 is no true", "a@ex.test", 1, "a@ex.test", false},
		{"array", "a@ex.test", []bool{true}, "a@ex.test", false},
		{"two at signs", "a@evil.test@ex.test", true, "", false},
		{"two at signs, turned", "a@ex.test@evil.test", true, "", false},
		{"quoted", `"a@evil.test"@ex.test`, true, "", false},
		{"quoted without", `"a"@ex.test`, true, "", false},
		{"line break", "a@ex.test\n", true, "", false},
		{"NUL", "a@ex.test\x00.evil.test", true, "", false},
		{"angle brackets", "<a@ex.test>", true, "", false},
		{"display name", "A <a@ex.test>", true, "", false},
		{"list", "a@evil.test, a@ex.test", true, "", false},
		{"comment", "a(x)@ex.test", true, "", false},
		{"comment behind", "a@evil.test(ex.test)", true, "", false},
		{"no local part", "@ex.test", true, "", false},
		{"no domain", "a@", true, "", false},
		{"no at sign", "a", true, "", false},
		{"address literal", "a@[127.0.0.1]", true, "", false},
		{"trailing space", "a@ex.test ", true, "", false},
		{"too long", strings.Repeat("a", 250) + "@ex.test", true, "", false},
		{"array of one", []string{"a@ex.test"}, true, "", false},
		{"object", map[string]any{"a": 1}, true, "", false},
		{"null", nil, true, "", false},
		{"empty", "", true, "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t)
			s.Bend(providertest.Bend{
				Claims:   func(c map[string]any) { c["email"], c["email_verified"] = row.email, row.verified },
				UserInfo: func(c map[string]any) { delete(c, "email") },
			})
			got, err := providertest.SignIn(t, s, p)
			if err != nil || got.Identity.Email != row.want || got.Identity.EmailVerified != row.wantVerified {
				t.Errorf("%v %v = %q, %v, %v, want %q, %v", row.email, row.verified, got.Identity.Email, got.Identity.EmailVerified, err, row.want, row.wantVerified)
			}
		})
	}
}

// Address and word must come from the same statement.
func TestEmailOfUserInfo(t *testing.T) {
	for _, row := range []struct {
		name           string
		token, info    map[string]any
		want           string
		wantedVerified bool
	}{
		{"only in userinfo", nil, map[string]any{"email": "a@ex.test", "email_verified": true}, "a@ex.test", true},
		{"only in userinfo, unverified", nil, map[string]any{"email": "a@ex.test"}, "a@ex.test", false},
		{"the word alone in userinfo", map[string]any{"email": "a@ex.test"}, map[string]any{"email_verified": true}, "a@ex.test", false},
		{"the word in userinfo, for the same", map[string]any{"email": "a@ex.test"}, map[string]any{"email": "a@ex.test", "email_verified": true}, "a@ex.test", true},
		{"the word in userinfo, for another", map[string]any{"email": "a@ex.test"}, map[string]any{"email": "b@ex.test", "email_verified": true}, "a@ex.test", false},
		{"the token's no stands", map[string]any{"email": "a@ex.test", "email_verified": false}, map[string]any{"email": "a@ex.test", "email_verified": true}, "a@ex.test", false},
		{"what is no address stays none", map[string]any{"email": "a@b@c"}, map[string]any{"email": "a@ex.test", "email_verified": true}, "", false},
		{"the word alone in the token", map[string]any{"email_verified": true}, map[string]any{"email": "a@ex.test"}, "a@ex.test", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t)
			bend := func(c, change map[string]any) {
				delete(c, "email")
				delete(c, "email_verified")
				delete(c, "name") // so that userinfo is asked
				maps.Copy(c, change)
			}
			s.Bend(providertest.Bend{
				Claims:   func(c map[string]any) { bend(c, row.token) },
				UserInfo: func(c map[string]any) { bend(c, row.info) },
			})
			got, err := providertest.SignIn(t, s, p)
			if err != nil || got.Identity.Email != row.want || got.Identity.EmailVerified != row.wantedVerified {
				t.Errorf("= %q, %v, %v, want %q, %v", got.Identity.Email, got.Identity.EmailVerified, err, row.want, row.wantedVerified)
			}
		})
	}
}

func TestUserInfo(t *testing.T) {
	for _, row := range []struct {
		name string
		bend func(c map[string]any)
		http http.HandlerFunc
		want error
		told string // the name userinfo alone knows
	}{
		{"honest", nil, nil, nil, "Jane Doe"},
		{"about somebody else", func(c map[string]any) { c["sub"] = "root" }, nil, providers.ErrRefused, ""},
		{"about nobody", func(c map[string]any) { delete(c, "sub") }, nil, providers.ErrRefused, ""},
		{"about a number", func(c map[string]any) { c["sub"] = 1 }, nil, providers.ErrRefused, ""},
		{"down", nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, nil, ""},
		{"forbidden", nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, nil, ""},
		{"HTML", nil, func(w http.ResponseWriter, _ *http.Request) { write(w, "<html>") }, nil, ""},
		{"signed", nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwt")
			write(w, b64(`{"alg":"none"}`)+"."+b64(`{"sub":"248289761001","name":"Mallory"}`)+".")
		}, nil, ""},
		{"redirect", nil, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/evil", http.StatusFound) }, nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t)
			s.Bend(providertest.Bend{
				Claims:   func(c map[string]any) { delete(c, "name") },
				UserInfo: row.bend,
				HTTP: func(w http.ResponseWriter, r *http.Request) bool {
					if row.http == nil || r.URL.Path != providertest.UserInfo {
						return false
					}
					row.http(w, r)
					return true
				},
			})
			got, err := providertest.SignIn(t, s, p)
			if !errors.Is(err, row.want) || got.Identity.Name != row.told {
				t.Errorf("SignIn = %q, %v, want %q, %v", got.Identity.Name, err, row.told, row.want)
			}
			if n := s.Count("/evil"); n != 0 {
				t.Errorf("followed the redirect %d times", n)
			}
		})
	}
}

func TestUserInfoIsAskedOnlyWhenSomethingIsMissing(t *testing.T) {
	s, p := offline(t)
	if _, err := providertest.SignIn(t, s, p); err != nil {
		t.Fatal(err)
	}
	if got := s.Count(providertest.UserInfo); got != 0 {
		t.Errorf("asked %d times, want 0", got)
	}
	s.Bend(providertest.Bend{Claims: func(c map[string]any) { delete(c, "groups") }})
	got, err := providertest.SignIn(t, s, p)
	if err != nil || len(got.Identity.Groups) != 1 || s.Count(providertest.UserInfo) != 1 {
		t.Errorf("groups = %q, %v after %d requests, want corp:staff after 1", got.Identity.Groups, err, s.Count(providertest.UserInfo))
	}
}

func TestGroups(t *testing.T) {
	for _, row := range []struct {
		name   string
		groups any
		want   []string
	}{
		{"carry the origin", []string{"staff", "dev"}, []string{"corp:dev", "corp:staff"}},
		{"one string", "staff", []string{"corp:staff"}},
		{"twice", []string{"staff", "staff"}, []string{"corp:staff"}},
		{"mapped", []string{"Admins", "staff"}, []string{"corp:staff", "ops"}},
		{"mapped from a name with commas", []string{"CN=Ops,DC=corp"}, []string{"ops"}},
		{"ours cannot be named", []string{"ops"}, []string{"corp:ops"}},
		{"another origin's neither", []string{"google:ops"}, []string{"corp:google:ops"}},
		{"invalid ones are left out", []any{"", " x", "a,b", "a\nb", strings.Repeat("x", 255), 7, nil, []string{"y"}, "good"}, []string{"corp:good"}},
		{"object", map[string]any{"staff": true}, nil},
		{"true", true, nil},
		{"null", nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t, func(c *oidc.Config) { c.GroupMap = map[string]string{"Admins": "ops", "CN=Ops,DC=corp": "ops"} })
			s.Bend(providertest.Bend{
				Claims:   func(c map[string]any) { c["groups"] = row.groups },
				UserInfo: func(c map[string]any) { delete(c, "groups") },
			})
			got, err := providertest.SignIn(t, s, p)
			if err != nil || len(got.Identity.Groups)+len(row.want) > 0 && !reflect.DeepEqual(got.Identity.Groups, row.want) {
				t.Errorf("groups = %q, %v, want %q", got.Identity.Groups, err, row.want)
			}
		})
	}
}

func TestGroupsAreBounded(t *testing.T) {
	s, p := offline(t)
	many := make([]string, 5000) // more than fit into a token: userinfo tells
	for i := range many {
		many[i] = fmt.Sprintf("g%04d", i)
	}
	s.Bend(providertest.Bend{
		Claims:   func(c map[string]any) { delete(c, "groups") },
		UserInfo: func(c map[string]any) { c["groups"] = many },
	})
	got, err := providertest.SignIn(t, s, p)
	if err != nil || len(got.Identity.Groups) != 2000 {
		t.Errorf("%d groups, %v, want 2000", len(got.Identity.Groups), err)
	}
}

func TestNames(t *testing.T) {
	for _, row := range []struct {
		name, claim   string
		value         any
		login, called string
	}{
		{"no login claim", "", nil, "", "Jane Doe"},
		{"login claim", "preferred_username", "jane", "jane", "Jane Doe"},
		{"login claim is a number", "preferred_username", 1, "", "Jane Doe"},
		{"login claim missing", "upn", nil, "", "Jane Doe"},
		{"login with a line break", "preferred_username", "ja\nne", "", "Jane Doe"},
		{"login too long", "preferred_username", strings.Repeat("a", 256), "", "Jane Doe"},
		{"name with a line break", "name", "Jane\r\nDoe", "", ""},
		{"name with space around", "name", " Jane ", "Jane", "Jane"},
		{"name is an object", "name", map[string]any{}, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t, func(c *oidc.Config) { c.LoginClaim = row.claim })
			bend := func(c map[string]any) {
				if row.claim != "" {
					c[row.claim] = row.value
				}
			}
			s.Bend(providertest.Bend{Claims: bend, UserInfo: bend})
			got, err := providertest.SignIn(t, s, p)
			if err != nil || got.Identity.Username != row.login || got.Identity.Name != row.called {
				t.Errorf("= %q, %q, %v, want %q, %q", got.Identity.Username, got.Identity.Name, err, row.login, row.called)
			}
		})
	}
}
