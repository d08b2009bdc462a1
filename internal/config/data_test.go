package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"gateway/internal/config"
)

// Who looks for a gateway that runs finds its data folder through a
// configuration that is wrong elsewhere, and never a folder that nobody meant.
func TestDataOf(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	below := filepath.Join(folder, "kept")
	for name, c := range map[string]struct {
		file    string
		environ []string
		want    string
	}{
		"right":                        {"url: https://auth.example.com\ndata: kept\n", nil, below},
		"a slip elsewhere":             {"url: 7\ndata: kept\napps: {wiki: {hots: x}}\n", nil, below},
		"an unknown key beside it":     {"dta: other\ndata: kept\n", nil, below},
		"the default":                  {"url: https://auth.example.com\napps: {wiki: {hots: x}}\n", nil, "/var/lib/gateway"},
		"the environment":              {"data: other\n", []string{"GATEWAY_DATA=kept"}, below},
		"the environment, no YAML":     {"data: [", []string{"GATEWAY_DATA=/kept"}, "/kept"},
		"a variable":                   {"data: \"${WHERE}\"\n", []string{"WHERE=/kept"}, "/kept"},
		"misspelt":                     {"dta: kept\n", nil, ""},
		"given twice":                  {"data: kept\ndata: other\n", nil, ""},
		"a list":                       {"data: [kept]\n", nil, ""},
		"nothing":                      {"data:\n", nil, ""},
		"a variable that is not there": {"data: \"${WHERE}\"\n", nil, ""},
		"no YAML":                      {"data: kept\n\tapps: {\n", nil, ""},
		"no mapping":                   {"- data\n", nil, ""},
		"empty":                        {"", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(folder, t.Name()[len("TestDataOf/"):]+".yaml")
			if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			got, known := config.DataOf(file, c.environ)
			if got != c.want || known != (c.want != "") {
				t.Errorf("DataOf = %q, %v, want %q", got, known, c.want)
			}
		})
	}
	if got, known := config.DataOf(filepath.Join(folder, "none.yaml"), []string{"GATEWAY_DATA=kept"}); known {
		t.Errorf("DataOf of a file that is not there = %q", got)
	}
}
