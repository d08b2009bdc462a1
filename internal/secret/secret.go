// Package secret keeps secrets out of logs, messages and encodings.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Text is a secret string. Whatever prints, logs or encodes it shows
// [secret]; only Reveal tells.
type Text struct{ value string }

const mask = "[secret]"

// New returns value as a secret.
func New(value string) Text { return Text{value} }

// Reveal returns the secret itself. The line that calls it sends it where it belongs.
func (t Text) Reveal() string { return t.value }

// Empty reports whether there is no secret.
func (t Text) Empty() bool { return t.value == "" }

// Equal reports whether both are the same secret, in time that does not depend
// on their content. Two empty secrets are never equal.
func (t Text) Equal(u Text) bool {
	return t.value != "" && subtle.ConstantTimeCompare([]byte(t.value), []byte(u.value)) == 1
}

// String hides the secret from who asks for text.
func (t Text) String() string { return mask }

// Format hides the secret from fmt, whatever the verb.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(mask)) }

// LogValue hides the secret from slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText hides the secret from encoders.
func (t Text) MarshalText() ([]byte, error) { return []byte(mask), nil }
