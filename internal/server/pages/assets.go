package pages

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"sync"
)

// AssetPath is where pages look for assets, on the portal and on app hosts.
const AssetPath = "/.gateway/assets/"

// asset is a file as it is served: its name carries a hash of its content, so
// that it can be cached for good.
type asset struct {
	name        string // with the hash
	content     []byte
	contentType string
}

// Asset returns the asset of a hashed name, the part of its URL after
// AssetPath. The content is shared and must not be changed.
func Asset(name string) (content []byte, contentType string, ok bool) {
	a, err := assets()
	if err != nil {
		return nil, "", false
	}
	found, ok := a.byName[name]
	return found.content, found.contentType, ok
}

// assetPath returns the path of an asset by its plain name.
func assetPath(file string) (string, error) {
	a, err := assets()
	if err != nil {
		return "", err
	}
	found, ok := a.byFile[file]
	if !ok {
		return "", fmt.Errorf("no asset %q", file)
	}
	return AssetPath + found.name, nil
}

// inOrder lists the assets so that each comes after those it refers to as
// "./name".
var inOrder = [...]string{"mark.svg", "gateway.css", "times.mjs", "scram.mjs", "conversation.mjs", "form.mjs", "sign-in.mjs", "choose.mjs", "waiting.mjs"}

type shelf struct{ byName, byFile map[string]asset }

var assets = sync.OnceValues(func() (shelf, error) {
	s := shelf{byName: map[string]asset{}, byFile: map[string]asset{}}
	for _, file := range inOrder {
		raw, err := files.ReadFile("assets/" + file)
		if err != nil {
			return shelf{}, fmt.Errorf("pages: %w", err)
		}
		text := string(raw)
		for other, a := range s.byFile {
			text = strings.ReplaceAll(text, `"./`+other+`"`, `"./`+a.name+`"`)
		}
		a := asset{name: hashed(file, text), content: []byte(text), contentType: contentType(file)}
		s.byFile[file], s.byName[a.name] = a, a
	}
	return s, nil
})

// hashed puts 64 bits of the content's hash into the name.
func hashed(file, content string) string {
	sum := sha256.Sum256([]byte(content))
	ext := path.Ext(file)
	return strings.TrimSuffix(file, ext) + "." + hex.EncodeToString(sum[:8]) + ext
}

func contentType(file string) string {
	switch path.Ext(file) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".mjs":
		return "text/javascript; charset=utf-8"
	default:
		return "image/svg+xml"
	}
}
