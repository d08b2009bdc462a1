package scram

// SetNonce fixes the client's nonce, for published vectors.
func (c *Client) SetNonce(nonce string) { c.nonce = nonce }
