package config_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"gateway/internal/config"
)

// TestURL takes origins and nothing else.
func TestURL(t *testing.T) {
	for _, tt := range []struct{ raw, want string }{
		{"https://auth.example.com", "https://auth.example.com"},
		{"https://auth.example.com:443", "https://auth.example.com"},
		{"https://auth.example.com:8443", "https://auth.example.com:8443"},
		{"HTTPS://Auth.Example.COM", "https://auth.example.com"},
		{"https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},
		{"https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"},
		{"http://localhost", "http://localhost"},
		{"http://auth.localhost:8080", "http://auth.localhost:8080"},
		{"http://127.0.0.1:80", "http://127.0.0.1"},
		{"http://[::1]:8080", "http://[::1]:8080"},
		{"http://auth.example.com", ""},
		{"http://10.0.0.1", ""},
		{"http://localhost.example.com", ""},
		{"https://auth.example.com/", ""},
		{"https://auth.example.com/gateway", ""},
		{"https://auth.example.com?", ""},
		{"https://auth.example.com#", ""},
		{"https://alice@auth.example.com", ""},
		{"https://auth.example.com:", ""},
		{"https://auth.example.com:0", ""},
		{"https://auth.example.com:65536", ""},
		{"https://bücher.example", ""},
		{"https://0x7f.1", ""},
		{"https://*.example.com", ""},
		{"https://", ""},
		{"auth.example.com", ""},
		{"//auth.example.com", ""},
		{"ftp://auth.example.com", ""},
		{"https:auth.example.com", ""},
	} {
		file := fmt.Sprintf("url: %q\ntrusted_proxies: [10.0.0.1]\n", tt.raw)
		c, _, err := config.Parse("x.yaml", []byte(file), nil)
		switch {
		case tt.want == "" && err == nil:
			t.Errorf("url %s is taken as %s", tt.raw, c.URL.Origin())
		case tt.want != "" && err != nil:
			t.Errorf("url %s: %v", tt.raw, err)
		case tt.want != "" && c.URL.Origin() != tt.want:
			t.Errorf("url %s: got %s, want %s", tt.raw, c.URL.Origin(), tt.want)
		}
	}
}

func TestAppOrigin(t *testing.T) {
	for _, tt := range []struct {
		url  config.URL
		want string
	}{
		{config.URL{Scheme: "https", Host: "auth.example.com"}, "https://wiki.example.com"},
		{config.URL{Scheme: "https", Host: "auth.example.com", Port: "8443"}, "https://wiki.example.com:8443"},
	} {
		if got := tt.url.AppOrigin("wiki.example.com"); got != tt.want {
			t.Errorf("%v.AppOrigin = %s, want %s", tt.url, got, tt.want)
		}
	}
}

// TestDurations takes lengths of time with a unit, within the bounds of sessions.
func TestDurations(t *testing.T) {
	for value, ok := range map[string]bool{
		"30m": true, "1h30m": true, "90s": true, "1.5h": true, "24h": true,
		"0": false, "0s": false, "24": false, "\"24\"": false, "-1h": false, "+1h": false, "1ns": false, "1d": false, "1 h": false, "h": false,
		"25h": false, "2562047h": false, "9999999h": false, "99999999999999999999h": false, "1e3s": false, "~": false, "infinity": false,
	} {
		_, _, err := config.Parse("x.yaml", []byte("url: http://localhost\nsessions: {idle: "+value+"}\n"), nil)
		if (err == nil) != ok {
			t.Errorf("idle %s: %v, want ok %t", value, err, ok)
		}
	}
}

// TestTrustedProxies trusts those who are named, never everybody.
func TestTrustedProxies(t *testing.T) {
	for _, tt := range []struct {
		entry, want string
	}{
		{"10.0.0.2/32", "10.0.0.2/32"},
		{"10.0.0.2", "10.0.0.2/32"},
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"\"fd00::/8\"", "fd00::/8"},
		{"\"2001:db8::1\"", "2001:db8::1/128"},
		{"0.0.0.0/0", ""},
		{"\"::/0\"", ""},
		{"0.0.0.0/1", ""},
		{"\"::/1\"", ""},
		{"\"::ffff:0:0/96\"", ""},
		{"\"::ffff:10.0.0.1\"", ""},
		{"\"fe80::1%eth0\"", ""},
		{"10.0.0.1/8", ""},
		{"10.0.0.0/08", ""},
		{"010.0.0.1", ""},
		{"10.1", ""},
		{"localhost", ""},
		{"\"*\"", ""},
		{"all", ""},
	} {
		c, _, err := config.Parse("x.yaml", []byte("url: http://localhost\ntrusted_proxies: ["+tt.entry+"]\n"), nil)
		switch {
		case tt.want == "" && err == nil:
			t.Errorf("%s is taken as %v", tt.entry, c.TrustedProxies)
		case tt.want != "" && err != nil:
			t.Errorf("%s: %v", tt.entry, err)
		case tt.want != "" && (len(c.TrustedProxies.Prefixes) != 1 || c.TrustedProxies.Prefixes[0] != netip.MustParsePrefix(tt.want) || c.TrustedProxies.Unix):
			t.Errorf("%s: got %v, want %s", tt.entry, c.TrustedProxies, tt.want)
		}
	}
}

// TestAddresses takes places to listen at, and keeps listeners apart.
func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		listen, management string
		ok                 bool
	}{
		{":8080", "127.0.0.1:8081", true},
		{"127.0.0.1:8080", "127.0.0.2:8080", true},
		{"[::1]:8080", "127.0.0.1:8080", true},
		{"gateway:8080", "localhost:8080", true},
		{":8080", ":8081", true},
		{":8080", "127.0.0.1:8080", false},
		{"127.0.0.1:8080", "0.0.0.0:8080", false},
		{"[::]:8080", "[::1]:8080", false},
		{"localhost:8080", "127.0.0.1:8080", false},
		{"Gateway:8080", "gateway:8080", false},
		{"8080", ":8081", false},
		{":0", ":8081", false},
		{":08080", ":8081", false},
		{":http", ":8081", false},
		{":65536", ":8081", false},
		{"a b:8080", ":8081", false},
		{"::1:8080", ":8081", false},
	} {
		file := fmt.Sprintf("url: http://localhost\nlisten: %q\nmanagement: %q\n", tt.listen, tt.management)
		if _, _, err := config.Parse("x.yaml", []byte(file), nil); (err == nil) != tt.ok {
			t.Errorf("listen %s, management %s: %v, want ok %t", tt.listen, tt.management, err, tt.ok)
		}
	}
}

// TestComplaint tells programs where a complaint belongs.
func TestComplaint(t *testing.T) {
	_, _, err := config.Parse("x.yaml", []byte("url: http://localhost\n\nlisten: x\n"), nil)
	var complaint *config.Complaint
	if !errors.As(err, &complaint) {
		t.Fatalf("%v holds no Complaint", err)
	}
	if want := (config.Place{File: "x.yaml", Line: 3}); complaint.Place != want || complaint.Path != "listen" {
		t.Errorf("complaint at %v about %s, want %v about listen", complaint.Place, complaint.Path, want)
	}
}

// TestPolicy hands the apps to the policy with their names, in order.
func TestPolicy(t *testing.T) {
	c, _, err := config.Parse("x.yaml", []byte(enough), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, app := range c.Policy().Apps {
		got = append(got, app.Name+" "+app.Host)
	}
	if want := "[a-b ab.example.com a_b a-b.example.com wiki wiki.example.com]"; fmt.Sprint(got) != want {
		t.Errorf("Policy().Apps = %v, want %s", got, want)
	}
}
