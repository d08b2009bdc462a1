package pages

import (
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// texts holds every sentence by its key. "{}" in a text is where a value goes.
type texts map[string]string

// catalogue reads the texts once.
var catalogue = sync.OnceValues(func() (texts, error) {
	raw, err := files.ReadFile("texts/en.json")
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	var t texts
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, fmt.Errorf("pages: texts/en.json: %w", err)
	}
	return t, nil
})

// message is a text that the sign-in script shows; Code is what it goes by.
type message struct{ Code, Text string }

const spoken = "say." // prefix of the keys of messages

func (t texts) funcs() template.FuncMap {
	return template.FuncMap{
		"say":      t.say,
		"before":   func(key string) (string, error) { text, _, err := t.around(key); return text, err },
		"after":    func(key string) (string, error) { _, text, err := t.around(key); return text, err },
		"messages": t.messages,
		"failure":  t.failure,
		"asset":    assetPath,
		"href":     href,
		"here":     here,
		"host":     host,
		"short":    short,
		"initial":  initial,
		"machine":  func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"utc":      func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") },
	}
}

// say returns a text without a place for a value.
func (t texts) say(key string) (string, error) {
	text, ok := t[key]
	if !ok {
		return "", fmt.Errorf("no text %q", key)
	}
	return text, nil
}

// around returns what stands before and after the value in a text.
func (t texts) around(key string) (before, after string, err error) {
	text, err := t.say(key)
	if err != nil {
		return "", "", err
	}
	before, after, ok := strings.Cut(text, "{}")
	if !ok {
		return "", "", fmt.Errorf("text %q has no place for a value", key)
	}
	return before, after, nil
}

// failure returns the headline of an error page.
func (t texts) failure(status int) string {
	if text, ok := t["failure."+strconv.Itoa(status)]; ok {
		return text
	}
	return t["failure.other"]
}

// messages returns what the script may have to say, in a stable order.
func (t texts) messages() []message {
	var all []message
	for key, text := range t {
		if code, ok := strings.CutPrefix(key, spoken); ok {
			all = append(all, message{Code: code, Text: text})
		}
	}
	slices.SortFunc(all, func(a, b message) int { return strings.Compare(a.Code, b.Code) })
	return all
}
