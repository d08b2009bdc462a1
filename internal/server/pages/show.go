package pages

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const longest = 120 // characters shown of a value that strangers choose

// href returns a link that is a path on this host or an absolute http(s) URL,
// and "" for anything else, so that no javascript: or data: is ever offered.
func href(raw string) string {
	if local(raw) {
		return raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return raw
}

// here returns a path on this host, "/" for anything else.
func here(raw string) string {
	if !local(raw) {
		return "/"
	}
	return raw
}

// local reports whether browsers take raw for a path on this host.
func local(raw string) bool {
	if !strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "//") || strings.ContainsRune(raw, '\\') {
		return false
	}
	return strings.IndexFunc(raw, unicode.IsControl) < 0
}

// host returns the host of a URL, or raw itself where it is not one.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return short(raw)
	}
	return short(u.Host)
}

// short cuts a text to what fits on a page.
func short(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) <= longest {
		return s
	}
	return string([]rune(s)[:longest-1]) + "…"
}

// initial returns the first letter or digit of a name, in upper case.
func initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "·"
}
