package config_test

import (
	"strings"
	"testing"

	"gateway/internal/config"
)

// TestSyntax refuses what is no plain list, mapping or scalar, and what reads
// differently to different eyes.
func TestSyntax(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"nothing", "", "x.yaml: empty"},
		{"only a comment", "# url: x\n", "x.yaml: empty"},
		{"only a document", "---\n", "x.yaml: empty"},
		{"a text", "url\n", "x.yaml:1: must be a mapping, not text"},
		{"a list", "\n- url\n", "x.yaml:2: must be a mapping, not a list"},
		{"an empty mapping", "{}\n", "x.yaml:1: url: missing"},
		{"a tab", "url: x\nadmins:\n\tgroups: [a]\n", "x.yaml:3: a tab: indent with spaces"},
		{"a control character", "url: a\x01b\n", "x.yaml:1: a control character"},
		{"a hidden change of direction", "url: a\u202eb\n", "x.yaml:1: a control character"},
		{"an escaped control character", "url: \"a\\u0000b\"\n", "x.yaml:1: url: a control character"},
		{"no UTF-8", "url: \xff\n", "x.yaml:1: not valid UTF-8"},
		{"a lone carriage return", "url: a\rlisten: b\n", "x.yaml:1: a control character"},
		{"two documents", "url: a\n---\nurl: b\n", "x.yaml:2: a second document (---): one file holds one configuration"},
		{"an ended document", "url: a\n...\n", "x.yaml:2: an end of document (...): leave it out"},
		{"an anchor", "url: &u a\n", "x.yaml:1: an anchor (&): write the value out"},
		{"an alias", "url: *u\n", "x.yaml:1: an alias (*): write the value out, or put it in quotes"},
		{"a bomb", "a: &a [x]\nb: &b [*a,*a]\n", "x.yaml:1: an anchor (&): write the value out\nx.yaml:2: an anchor (&): write the value out\n" +
			"x.yaml:2: an alias (*): write the value out, or put it in quotes\nx.yaml:2: an alias (*): write the value out, or put it in quotes"},
		{"a merge", "<<: {url: a}\n", "x.yaml:1: a merge key (<<): write the keys out"},
		{"a tag", "url: !!str a\n", "x.yaml:1: a tag (!): values have the type their key asks for"},
		{"a directive", "%YAML 1.1\n---\nurl: a\n", "x.yaml:1: a directive (%): leave it out\nx.yaml:2: a second document (---): one file holds one configuration"},
		{"an explicit key", "? url\n: a\n", "x.yaml:1: an explicit key (?): write key: value"},
		{"a block of text", "url: a\ndata: |\n  b\n", "x.yaml:2: a block of text: write it on one line, in quotes"},
		{"folded text", "url: a\n  b\n", "x.yaml:1: text on several lines: write it on one line"},
		{"folded quotes", "url: 'a\n  b'\n", "x.yaml:1: text on several lines: write it on one line"},
		{"a value below its key", "url:\n  a\n", "x.yaml:1: its value is not on its line"},
		{"a value beside its key", "url:\n'a'\n", "x.yaml:1: its value is not on its line"},
		{"brackets beside their key", "trusted_proxies:\n[a]\n", "x.yaml:1: its value is not on its line"},
		{"a colon below its key", "url # x\n: a\n", "x.yaml:2: a colon without a key on its line"},
		{"a colon that clings in brackets", "admins: {groups: [a], {x:y}}\n", "x.yaml:1: a colon without a space behind it: write the space, or put the text in quotes"},
		{"a group of a provider without quotes", "allow: {groups: [b, corp:staff]}\n", "x.yaml:1: a colon without a space behind it: write the space, or put the text in quotes"},
		{"an item that is only a comment", "admins:\n  groups:\n  - # none\n  url: a\n", "x.yaml:3: its item is not on its line"},
		{"an item that is nothing", "admins:\n-\nurl: a\n", "x.yaml:2: its item is not on its line"},
		{"a dash in brackets", "admins: [- a]\n", "x.yaml:1: a dash in brackets: separate items by commas"},
		{"a comma without an item", "admins: {, a: b}\n", "x.yaml:1: a comma without an item before it"},
		{"brackets that do not match", "admins: [a}]\n", "x.yaml:1: characters that mean something to YAML: put the text in quotes"},
		{"a space that is none", "url: a\u00a0b\n", "x.yaml:1: characters that mean something to YAML: put the text in quotes"},
		{"half an escape", "url: \"\\u12zz56\"\n", "x.yaml:1: an unknown escape: write \\\\ for a backslash"},
		{"an open list", "url: a\ntrusted_proxies: [hunter2\n", "x.yaml:2: not valid YAML: sequence end token ']' not found"},
		{"an open quote", "url: a\ndata: \"hunter2\n", "x.yaml:2: not valid YAML: could not find end character of double-quoted text"},
		{"a colon too many", "url: a\ndata: hunter2: b\n", "x.yaml:2: not valid YAML: mapping value is not allowed in this context"},
		{"a dedent", "apps:\n  wiki:\n    host: a\n   allow: b\n", "x.yaml:4: not valid YAML: value is not allowed in this context"},
		{"brackets without end", strings.Repeat("[", 100_000), "x.yaml:1: not valid YAML: nested deeper than 20"},
		{"dashes without end", strings.Repeat("- ", 100_000), "x.yaml:1: not valid YAML: nested deeper than 20"},
		{"steps without end", steps(100), "x.yaml:81: not valid YAML: nested deeper than 20"},
		{"nested a little too deep", "url: " + strings.Repeat("[", 21) + strings.Repeat("]", 21), "x.yaml:1: url" + strings.Repeat("[0]", 20) + ": nested deeper than 20"},
		{"keys without end", "url:" + strings.Repeat("\n  a:", 60_000), "x.yaml:10002: not valid YAML: more than 10000 keys or items beside each other"},
		{"too large", strings.Repeat("#", 1<<20+1), "x.yaml: larger than 1 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _, err := config.Parse("x.yaml", []byte(tt.file), nil)
			if c != nil || err == nil {
				t.Fatalf("Parse = %v, %v, want complaints", c, err)
			}
			if got := err.Error(); got != tt.want && !strings.HasPrefix(got, tt.want+"\n") {
				t.Errorf("Parse complains\n%s\nwant\n%s", got, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("a complaint repeats a value")
			}
		})
	}
}

// steps nests mappings, each a line and a column further.
func steps(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// TestForms shows that the forms of YAML that are left mean the same.
func TestForms(t *testing.T) {
	for _, file := range []string{
		"url: http://localhost\ndata: /a b\n",
		"url: \"http://localhost\"\ndata: '/a b'\n",
		"{url: 'http://localhost', \"data\": \"/a b\"}",
		"---\n# comment \\\nurl: http://localhost # comment\n\ndata: /a b\n",
		"# comment\r\nurl: http://localhost\r\ndata: /a b\r\n",
		"{\n  url: http://localhost,\n  data: /a b,\n}\n",
		"\uFEFFurl: http://localhost\ndata: \"/a\\x20b\"\n",
		"url: http://LOCALHOST:80\ndata: /a b",
	} {
		c, _, err := config.Parse("x.yaml", []byte(file), nil)
		if err != nil {
			t.Errorf("Parse(%q): %v", file, err)
			continue
		}
		if c.URL.Origin() != "http://localhost" || c.Data != "/a b" {
			t.Errorf("Parse(%q) = url %s, data %q, want http://localhost, /a b", file, c.URL.Origin(), c.Data)
		}
	}
}
