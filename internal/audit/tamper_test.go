package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gateway/internal/audit"
)

// volume is a book of 3 files, as folder content.
func volume(t *testing.T) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	b := open(t, dir, true, audit.Options{FileSize: 1500})
	for _, name := range []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"} {
		write(t, b, signIn(name), refusal)
	}
	closed(t, b)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, e := range entries {
		if all[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func lay(t *testing.T, content map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Whoever has no key leaves a trace, whatever they do; and a gateway that goes
// on with such a book does not cover it up.
func TestTampering(t *testing.T) {
	const first, second, last = "00000001.jsonl", "00000002.jsonl", "00000003.jsonl"
	lines := func(text []byte) [][]byte {
		return bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	}
	end := func(all [][]byte) []byte {
		text := bytes.Join(all, nil)
		if len(text) > 0 && text[len(text)-1] != '\n' {
			text = append(text, '\n')
		}
		return text
	}
	older := volume(t)
	if len(older) != 4 || len(lines(older[last])) < 2 {
		t.Fatalf("the book has %d files", len(older)-1)
	}
	for _, row := range []struct {
		story string
		do    func(v map[string][]byte)
		want  string // of the first break
	}{
		{"a name is changed", func(v map[string][]byte) { v[first] = bytes.Replace(v[first], []byte("alice"), []byte("mallo"), 1) }, "was changed"},
		{"a space is put in", func(v map[string][]byte) {
			v[first] = bytes.Replace(v[first], []byte(`{"seq":3,`), []byte(`{"seq":3, `), 1)
		}, "was changed"},
		{"a MAC is changed", func(v map[string][]byte) {
			l := lines(v[second])
			l[2][len(l[2])-5] ^= 1
			v[second] = end(l)
		}, ""},
		{"the last line is changed", func(v map[string][]byte) { v[last] = bytes.Replace(v[last], []byte("judy"), []byte("jude"), 1) }, "was changed"},
		{"a line is deleted", func(v map[string][]byte) { v[second] = end(slices.Delete(lines(v[second]), 2, 3)) }, "are missing"},
		{"the first line is deleted", func(v map[string][]byte) { v[first] = end(lines(v[first])[1:]) }, "are missing"},
		{"a line is deleted and the next renumbered", func(v map[string][]byte) {
			l := slices.Delete(lines(v[first]), 1, 2)
			l[1] = bytes.Replace(l[1], []byte(`"seq":3`), []byte(`"seq":2`), 1)
			v[first] = end(l)
		}, "was changed"},
		{"two lines change places", func(v map[string][]byte) {
			l := lines(v[second])
			l[2], l[3] = l[3], l[2]
			v[second] = end(l)
		}, "are missing"},
		{"a line is put in twice", func(v map[string][]byte) {
			l := lines(v[second])
			v[second] = end(slices.Insert(l, 3, l[2]))
		}, "was moved or put in"},
		{"a line of another book", func(v map[string][]byte) {
			l := lines(v[second])
			l[2] = lines(older[second])[2]
			v[second] = end(l)
		}, "was changed or put in"},
		{"another text is put in", func(v map[string][]byte) {
			v[second] = end(slices.Insert(lines(v[second]), 2, []byte("# nothing to see here\n")))
		}, "is no line of the book"},
		{"the last line is cut off", func(v map[string][]byte) {
			l := lines(v[last])
			v[last] = end(l[:len(l)-1])
		}, "lines are missing"},
		{"the newest file is gone", func(v map[string][]byte) { delete(v, last) }, "lines are missing"},
		{"the oldest file is gone", func(v map[string][]byte) { delete(v, first) }, "are missing"},
		{"a file in the middle is gone", func(v map[string][]byte) { delete(v, second) }, "are missing"},
		{"files change names", func(v map[string][]byte) { v[first], v[second] = v[second], v[first] }, "are missing"},
		{"a file is emptied", func(v map[string][]byte) { v[second] = nil }, "are missing"},
		{"the head is gone", func(v map[string][]byte) { delete(v, "head") }, "missing"},
		{"the head is changed", func(v map[string][]byte) {
			v["head"] = bytes.Replace(v["head"], []byte(`"seq":2`), []byte(`"seq":1`), 1)
		}, "missing"},
		{"the end and the head are cut off", func(v map[string][]byte) {
			delete(v, last)
			delete(v, "head")
		}, "missing"},
		{"everything is gone", func(v map[string][]byte) { clear(v) }, ""},
	} {
		t.Run(row.story, func(t *testing.T) {
			v := volume(t)
			row.do(v)
			dir := lay(t, v)
			r, err := audit.Verify(dir, key)
			if err != nil {
				t.Fatal(err)
			}
			if len(v) > 0 && (len(r.Breaks) == 0 || !strings.Contains(r.Breaks[0].Says, row.want)) {
				t.Errorf("breaks %+v, want %q", r.Breaks, row.want)
			}
			b := open(t, dir, false, audit.Options{FileSize: 1500})
			write(t, b, signIn("mallory"))
			closed(t, b)
			if r, err = audit.Verify(dir, key); err != nil || len(r.Breaks) == 0 {
				t.Errorf("after the gateway went on: %+v, %v", r, err)
			}
		})
	}
	if r, err := audit.Verify(lay(t, volume(t)), []byte("another key of thirty-two bytes.")); err != nil || len(r.Breaks) == 0 {
		t.Errorf("another key: %+v, %v", r, err)
	}
}
