package config_test

import (
	"fmt"
	"strings"
	"testing"

	"gateway/internal/config"
)

// many writes a file of n apps with ten rules each, on lines of their own or in
// brackets.
func many(n int, block bool) []byte {
	var b strings.Builder
	b.WriteString("url: https://auth.example.com\nauthz: {listen: \"127.0.0.1:8082\"}\ntrusted_proxies: [127.0.0.1/32]\napps:\n")
	for i := range n {
		fmt.Fprintf(&b, "  app%d:\n    host: app%d.example.com\n    rules:\n", i, i)
		for j := range 9 {
			if block {
				fmt.Fprintf(&b, "      - paths: [/s%d/**]\n        allow:\n          groups: [ops, staff]\n", j)
			} else {
				fmt.Fprintf(&b, "      - {paths: [/s%d/**], allow: {groups: [ops, staff]}}\n", j)
			}
		}
		b.WriteString("      - {allow: signed-in}\n")
	}
	return []byte(b.String())
}

// BenchmarkParse is a file of 1,000 apps with ten rules each.
func BenchmarkParse(b *testing.B) {
	for name, block := range map[string]bool{"brackets": false, "lines": true} {
		file := many(1000, block)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := config.Parse("x.yaml", file, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
