package client

import "gateway/internal/secret"

// Secret is a password or a token. Whatever prints, logs or encodes it shows
// [secret]; only Reveal tells.
type Secret = secret.Text

// NewSecret returns value as a Secret.
func NewSecret(value string) Secret { return secret.New(value) }
