package canonical

// ParseMethod returns raw if it is a method (RFC 9110, section 9.1) that may pass the gateway.
func ParseMethod(raw string) (string, error) {
	return "", refuse(ErrMethod, "not written yet")
}
