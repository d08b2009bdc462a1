package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gateway/internal/config"
)

// write makes a file of a mode and returns its path.
func write(t *testing.T, folder, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func withSecret(line string) string {
	return "url: http://localhost\nproviders:\n  corp: {issuer: https://id.example, client_id: a, " + line + "}\n"
}

func TestSecretFiles(t *testing.T) {
	for _, tt := range []struct {
		name, content, want, complaint string
	}{
		{"plain", "s3cret", "s3cret", ""},
		{"with a newline", "s3cret\n", "s3cret", ""},
		{"with Windows' newline", "s3cret\r\n", "s3cret", ""},
		{"with spaces", " s3cret \n", " s3cret ", ""},
		{"with dollars", "a$b${HOME}\n", "a$b${HOME}", ""},
		{"empty", "", "", "the file is empty"},
		{"only a newline", "\n", "", "the file is empty"},
		{"two lines", "a\nb\n", "", "the file holds more than one line, or a control character"},
		{"two newlines", "a\n\n", "", "the file holds more than one line, or a control character"},
		{"large", strings.Repeat("a", 64<<10+1), "", "the file is larger than 64 KiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			write(t, folder, "corp", tt.content, 0o600)
			file := write(t, folder, "gateway.yaml", withSecret("client_secret_file: corp"), 0o600)
			c, warnings, err := config.Load(file, nil)
			switch {
			case tt.complaint != "":
				want := file + ":3: providers.corp.client_secret_file: " + tt.complaint
				if err == nil || err.Error() != want {
					t.Errorf("Load: %v, want %s", err, want)
				}
			case err != nil || len(warnings) > 0:
				t.Errorf("Load: %v, %v", warnings, err)
			case c.Providers["corp"].ClientSecret.Reveal() != tt.want:
				t.Errorf("secret is %q, want %q", c.Providers["corp"].ClientSecret.Reveal(), tt.want)
			}
		})
	}
}

// TestOpenFiles warns of secrets that everybody may read.
func TestOpenFiles(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		file       os.FileMode
		secret     os.FileMode
		want       string
	}{
		{"closed", "client_secret_file: corp", 0o640, 0o440, ""},
		{"open configuration without secrets", "client_secret_file: corp", 0o644, 0o400, ""},
		{"open configuration with a variable", "client_secret: \"${S}\"", 0o644, 0o400, ""},
		{"open secret", "client_secret_file: corp", 0o600, 0o644, ":3: providers.corp.client_secret_file: everybody on this machine may read that file: chmod o-r"},
		{"open configuration", "client_secret: x", 0o644, 0o400, ":3: providers.corp.client_secret: stands in a file that everybody on this machine may read: chmod o-r, or use client_secret_file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			write(t, folder, "corp", "s3cret", tt.secret)
			file := write(t, folder, "gateway.yaml", withSecret(tt.line), tt.file)
			_, warnings, err := config.Load(file, []string{"S=x"})
			if err != nil {
				t.Fatal(err)
			}
			var got string
			for _, w := range warnings {
				got += strings.TrimPrefix(w.String(), file)
			}
			if got != tt.want {
				t.Errorf("warnings %q, want %q", got, tt.want)
			}
		})
	}
}

// TestLoad says why a file cannot be read.
func TestLoad(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none.yaml"), t.TempDir()} {
		if c, _, err := config.Load(path, nil); c != nil || err == nil {
			t.Errorf("Load(%s) = %v, %v, want an error", path, c, err)
		}
	}
}
