package localauth_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"gateway/localauth"
)

func TestCanonicalLogin(t *testing.T) {
	for _, row := range []struct{ raw, want string }{
		{"alice", "alice"},
		{"Alice", "alice"},
		{"ALICE", "alice"},
		{"ａｌｉｃｅ", "alice"}, // full width
		{"alice.b-c_d+e", "alice.b-c_d+e"},
		{"o'brien", "o'brien"},
		{"42", "42"},
		{"=,", "=,"},
		{"José", "josé"},
		{"Jose\u0301", "josé"},
		{"Straße", "straße"},
		{"Σίσυφος", "σίσυφος"},
		{"Алиса", "алиса"},
		{"алиса42", "алиса42"},
		{"山田", "山田"},
		{"山田たろうタロウ", "山田たろうタロウ"},
		{"김철수金", "김철수金"},
		{"אבג", "אבג"},
		{strings.Repeat("x", 64), strings.Repeat("x", 64)},
		{strings.Repeat("é", 64), strings.Repeat("é", 64)},

		{"", ""},
		{" ", ""},
		{" alice", ""},
		{"alice ", ""},
		{"al ice", ""},
		{"al\u00a0ice", ""},
		{"al\u3000ice", ""},
		{"alice\x00", ""},
		{"alice\n", ""},
		{"alice\x7f", ""},
		{"al\u200bice", ""}, // zero width space
		{"al\u200dice", ""}, // zero width joiner
		{"\ufeffalice", ""},
		{"al\u202eice", ""},
		{"al\u00adice", ""},
		{"alice@example.com", ""},
		{"corp:alice", ""},
		{"alice＠x", ""}, // full-width, folded
		{"a：b", ""},
		{"ﬀ", ""},
		{"x²", ""},
		{"аlice", ""}, // Cyrillic а
		{"aliсe", ""}, // Cyrillic с
		{"alicε", ""},
		{"山田taro", ""},
		{"김たろう", ""},
		{"אבגabc", ""},
		{"\u0301alice", ""},
		{"\U0001f600", ""},
		{"alice\ufffd", ""},
		{"alice\xff", ""},
		{"\u0378", ""},
		{"\ue000", ""},
		{strings.Repeat("x", 65), ""},
		{strings.Repeat("x", 1<<20), ""},
	} {
		got, err := localauth.CanonicalLogin(row.raw)
		if got != row.want || (row.want == "") != errors.Is(err, localauth.ErrLogin) {
			t.Errorf("CanonicalLogin(%.40q) = %q, %v, want %q", row.raw, got, err, row.want)
		}
	}
}

func FuzzCanonicalLogin(f *testing.F) {
	for _, s := range []string{"alice", "ＡＬＩＣＥ", "José", "аlice", "山田たろう", "İ", "ﷺ", "ẞ", "a\u0345", "\u1e9b\u0323", "אב1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		login, err := localauth.CanonicalLogin(raw)
		if err != nil {
			if !errors.Is(err, localauth.ErrLogin) || login != "" {
				t.Fatalf("CanonicalLogin(%q) = %q, %v, want ErrLogin", raw, login, err)
			}
			return
		}
		if again, err := localauth.CanonicalLogin(login); err != nil || again != login {
			t.Errorf("CanonicalLogin(%q) = %q, %v, want itself", login, again, err)
		}
		if login == "" || utf8.RuneCountInString(login) > 64 || !utf8.ValidString(login) || strings.ContainsAny(login, ":@ \x00") {
			t.Errorf("CanonicalLogin(%q) = %q", raw, login)
		}
	})
}
