package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"gateway/internal/secret"
)

// fileSuffix makes the key of a secret the key of a file that holds it.
const fileSuffix = "_file"

// maxSecret bounds a secret's file, in bytes.
const maxSecret = 64 << 10

// secrets notes the secrets of an object that stand in files of their own.
func (d *decoder) secrets(n *node, s *shape, v reflect.Value, path string) {
	for _, f := range s.fields {
		if f.shape.typ != reflect.TypeFor[secret.Text]() {
			continue
		}
		inline, file := n.at(f.key), n.at(f.key+fileSuffix)
		switch {
		case inline != nil && file != nil:
			d.complain(inline.place, join(path, inline.key), "given twice: also as %s", file.key)
		case file != nil:
			d.files = append(d.files, pending{file.place, join(path, file.key), v.FieldByIndex(s.field(file.key).index), v.FieldByIndex(f.index)})
		case inline != nil && d.open && !inline.value.literal && !strings.Contains(inline.value.text, "${"):
			d.warn(inline.place, join(path, f.key), "stands in a file that everybody on this machine may read: chmod o-r, or use %s", f.key+fileSuffix)
		}
	}
}

// readSecrets reads the files of secrets. It comes after the rooms have seen
// what was written, so that they can tell a secret from its file.
func (d *decoder) readSecrets() {
	for _, p := range d.files {
		name := d.locate(p.file.String())
		if name == "" {
			continue // and has its complaint
		}
		content, shared, err := readSecret(name)
		if err != nil {
			d.complain(p.place, p.path, "%v", err)
			continue
		}
		if shared {
			d.warn(p.place, p.path, "everybody on this machine may read that file: chmod o-r")
		}
		p.file.SetString(name)
		d.secretFiles = append(d.secretFiles, name)
		p.into.Set(reflect.ValueOf(secret.New(content)))
	}
	for _, r := range d.rows {
		r.table.SetMapIndex(r.id, r.value)
	}
}

// locate makes a path relative to the folder of the configuration file.
func (d *decoder) locate(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(d.file), path)
}

// readSecret returns what a file holds, without the newline at its end, and
// whether everybody may read it. Only regular files count, since a pipe would
// have nothing to say at the next reload.
func readSecret(path string) (content string, shared bool, err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", false, unreadable(err)
	case !info.Mode().IsRegular():
		return "", false, errors.New("is no regular file")
	}
	file, err := os.Open(path) //nolint:gosec // G304: the administrator names the file
	if err != nil {
		return "", false, unreadable(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return "", false, unreadable(err)
	}
	content = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case len(data) > maxSecret:
		return "", false, fmt.Errorf("the file is larger than %d KiB", maxSecret>>10)
	case content == "":
		return "", false, errors.New("the file is empty")
	case strings.ContainsFunc(content, control):
		return "", false, errors.New("the file holds more than one line, or a control character")
	}
	return content, open(info), nil
}

// open reports whether everybody may read a file.
func open(info fs.FileInfo) bool { return info.Mode().Perm()&0o004 != 0 }

// unreadable says why a file cannot be read, without its name, which the
// complaint's place already leads to.
func unreadable(err error) error {
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		err = cause.Err
	}
	return fmt.Errorf("the file cannot be read: %w", err)
}
