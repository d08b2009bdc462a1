package backup_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gateway/internal/backup"
	"gateway/internal/secret"
)

var made = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func whole(t *testing.T, store string) []byte {
	t.Helper()
	var b bytes.Buffer
	m := backup.Manifest{Made: made, Program: "v1", URL: "https://auth.example.com", Store: "gateway.db", Keys: "0123456789abcdef"}
	if err := backup.Write(&b, m, strings.NewReader(store)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func take(t *testing.T, file []byte) (backup.Manifest, string, error) {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	m, err := backup.Read(f, folder, "gateway.db")
	store, _ := os.ReadFile(filepath.Join(folder, "gateway.db"))
	return m, string(store), err
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	for _, store := range []string{"", "x", strings.Repeat("page", 5000)} {
		m, got, err := take(t, whole(t, store))
		if err != nil || got != store {
			t.Fatalf("Read: %d bytes, %v; want %d", len(got), err, len(store))
		}
		if m.Made != made || m.URL != "https://auth.example.com" || m.Keys != "0123456789abcdef" || m.Format != 1 {
			t.Errorf("manifest %+v", m)
		}
	}
}

// Whatever is cut off, changed or added anywhere is found.
func TestDamageIsFound(t *testing.T) {
	file := whole(t, "the store")
	for n := 0; n < len(file); n += 5 {
		if _, _, err := take(t, file[:n]); err == nil {
			t.Fatalf("cut after %d of %d bytes: taken", n, len(file))
		}
		changed := bytes.Clone(file)
		changed[n] ^= 1
		if _, _, err := take(t, changed); err == nil {
			t.Fatalf("byte %d changed: taken", n)
		}
	}
	for story, more := range map[string][]byte{"a byte": {0}, "another backup": file, "a block": make([]byte, 512)} {
		if _, _, err := take(t, append(bytes.Clone(file), more...)); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%s behind it: %v, want ErrDamaged", story, err)
		}
	}
}

// What is no backup at all is none, and takes no room.
func TestOtherFiles(t *testing.T) {
	of := func(headers ...tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			_, _ = io.CopyN(w, bytes.NewReader(make([]byte, h.Size)), h.Size)
		}
		_ = w.Close()
		return b.Bytes()
	}
	newer := bytes.Replace(whole(t, "x"), []byte(`"format": 1`), []byte(`"format": 2`), 1)
	for story, file := range map[string][]byte{
		"nothing":          nil,
		"text":             []byte("hello"),
		"another archive":  of(tar.Header{Name: "../gateway.db", Mode: 0o600, Size: 3}),
		"a manifest alone": of(tar.Header{Name: "manifest.json", Mode: 0o600, Size: 2}),
		"a huge manifest":  of(tar.Header{Name: "manifest.json", Mode: 0o600, Size: 1 << 20}),
		"a newer one":      newer,
	} {
		if _, store, err := take(t, file); !errors.Is(err, backup.ErrDamaged) || store != "" {
			t.Errorf("%s: %v, store %q", story, err, store)
		}
	}
	if _, _, err := take(t, newer); !strings.Contains(err.Error(), "newer gateway") {
		t.Errorf("a newer one: %v", err)
	}
}

func TestKeys(t *testing.T) {
	k := backup.Keys{Pepper: bytes.Repeat([]byte{1}, 32), Salt: bytes.Repeat([]byte{2}, 32)}
	file, err := k.Seal(secret.New("correct horse battery"), made)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file, []byte("AQEBAQEB")) {
		t.Error("the pepper can be read")
	}
	got, err := backup.OpenKeys(file, secret.New("correct horse battery"))
	if err != nil || !bytes.Equal(got.Pepper, k.Pepper) || !bytes.Equal(got.Salt, k.Salt) || got.ID() != k.ID() {
		t.Fatalf("OpenKeys = %v", err)
	}
	if _, err := backup.OpenKeys(file, secret.New("correct horse batterz")); !errors.Is(err, backup.ErrPassphrase) {
		t.Errorf("another passphrase: %v, want ErrPassphrase", err)
	}
	for story, change := range map[string][2]string{
		"fewer iterations": {"1000000", "1000"}, "too many": {"1000000", "100000000"}, "other iterations": {"1000000", "1000001"},
		"another format": {`"format": 1`, `"format": 2`}, "an unknown field": {`"format"`, `"x": 1, "format"`}, "other keys": {k.ID(), "0000000000000000"},
	} {
		if _, err := backup.OpenKeys(bytes.Replace(file, []byte(change[0]), []byte(change[1]), 1), secret.New("correct horse battery")); err == nil {
			t.Errorf("%s: opened", story)
		}
	}
	if _, err := k.Seal(secret.New("fifteen letters"), made); err == nil {
		t.Error("a short passphrase is taken")
	}
	if _, err := (backup.Keys{Pepper: k.Pepper}).Seal(secret.New("correct horse battery"), made); err == nil {
		t.Error("half of the keys are sealed")
	}
	if other := (backup.Keys{Pepper: k.Salt, Salt: k.Pepper}); other.ID() == k.ID() {
		t.Error("other keys have the same id")
	}
}
