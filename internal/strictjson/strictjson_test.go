package strictjson_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"gateway/internal/hostiletest"
	"gateway/internal/strictjson"
)

type body struct {
	User string   `json:"user"`
	Want string   `json:"want"`
	List []string `json:"list"`
	In   struct {
		A int `json:"a"`
	} `json:"in"`
}

func TestDecode(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       error
	}{
		{"whole", `{"user":"alice","want":"token","list":["a"],"in":{"a":1}}`, nil},
		{"empty object", `{}`, nil},
		{"nothing", ``, io.EOF},
		{"space only", " \n", io.EOF},
		{"unknown field", `{"user":"alice","admin":true}`, strictjson.ErrSyntax},
		{"twice", `{"user":"alice","user":"bob"}`, strictjson.ErrSyntax},
		{"twice inside", `{"in":{"a":1,"a":2}}`, strictjson.ErrSyntax},
		{"other case", `{"USER":"alice"}`, strictjson.ErrSyntax},
		{"folding letter", `{"uſer":"alice"}`, strictjson.ErrSyntax},
		{"wrong type", `{"user":1}`, strictjson.ErrSyntax},
		{"number overflow", `{"in":{"a":1e999}}`, strictjson.ErrSyntax},
		{"array", `["user"]`, strictjson.ErrSyntax},
		{"string", `"user"`, strictjson.ErrSyntax},
		{"two values", `{"user":"a"}{"user":"b"}`, strictjson.ErrSyntax},
		{"tail", `{"user":"a"} x`, strictjson.ErrSyntax},
		{"cut", `{"user":"a"`, strictjson.ErrSyntax},
		{"cut array", `{"list":["a"`, strictjson.ErrSyntax},
		{"not UTF-8", "{\"user\":\"\xff\"}", strictjson.ErrSyntax},
		{"deep", `{"list":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, strictjson.ErrSyntax},
		{"large", `{"user":"` + strings.Repeat("a", 5000) + `"}`, strictjson.ErrTooLarge},
	} {
		t.Run(row.name, func(t *testing.T) {
			var b body
			if got := strictjson.Decode(strings.NewReader(row.text), 4096, &b); !errors.Is(got, row.want) {
				t.Errorf("Decode(%.60q) = %v, want %v", row.text, got, row.want)
			}
		})
	}
}

func TestHostileBodies(t *testing.T) {
	for _, text := range hostiletest.Lines(t, "bodies") {
		var b body
		if err := strictjson.Decode(strings.NewReader(text), 4096, &b); !errors.Is(err, strictjson.ErrSyntax) {
			t.Errorf("Decode(%q) = %v, want ErrSyntax", text, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"user":"alice","in":{"a":1},"list":[1,{}]}`))
	f.Add([]byte(`{"user":"alice","USER":"bob"}`))
	for _, body := range hostiletest.Lines(f, "bodies") {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var b body
		if err := strictjson.Unmarshal(raw, &b); err != nil && !errors.Is(err, strictjson.ErrSyntax) {
			t.Errorf("Unmarshal(%q) = %v, want nil or ErrSyntax", raw, err)
		}
	})
}
