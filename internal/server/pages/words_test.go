package pages_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWordsAreUsed keeps texts/en.json and those who use it together.
func TestWordsAreUsed(t *testing.T) {
	raw, err := os.ReadFile("texts/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]string
	if err := json.Unmarshal(raw, &texts); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, use := range []struct{ files, pattern, prefix string }{
		{"templates/*.html", `(?:say|before|after) "([^"]+)"`, ""},
		{"assets/*.mjs", `text\("([A-Za-z]+)"`, "say."},
	} {
		for _, key := range matches(t, use.files, use.pattern) {
			if _, ok := texts[use.prefix+key]; !ok {
				t.Errorf("%s say %q, which has no text", use.files, use.prefix+key)
			}
			used[use.prefix+key] = true
		}
	}
	codes := matches(t, "assets/*.mjs", `(?:Refusal|ScramError)\("([A-Za-z]+)"|"(Timeout|Network|Unexpected)"`)
	for _, code := range append(codes, problems...) {
		if _, ok := texts["say."+code]; !ok {
			t.Errorf("no text for %q", code)
		}
		used["say."+code] = true
	}
	for key := range texts {
		if !used[key] && !strings.HasPrefix(key, "failure.") {
			t.Errorf("nothing says %q", key)
		}
	}
}

// problems are the error words that connect and login answer a person with.
var problems = []string{
	"BadUserOrPassword", "ChallengeNotFoundOrExpired", "UserNotRegistered", "UnverifiedUser",
	"TooManyAttempts", "Forbidden", "Unavailable", "BadRequest",
}

func matches(t *testing.T, files, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(files)
	if err != nil || len(names) == 0 {
		t.Fatalf("no files %s: %v", files, err)
	}
	var found []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			found = append(found, strings.Join(m[1:], ""))
		}
	}
	return found
}
