package config

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"gateway/internal/canonical"
)

// Address is where a listener waits: host:port or :port, as net.Listen takes it.
type Address string

// parseAddress reads the address of a listener.
func parseAddress(raw string) (any, error) {
	host, number, err := net.SplitHostPort(raw)
	switch {
	case err != nil:
		return nil, errors.New(`must be host:port or ":port"`)
	case !port(number):
		return nil, errors.New("its port must be a number from 1 to 65535")
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		if _, err := canonical.ParseHost(host); err != nil || strings.Contains(host, ":") {
			return nil, errors.New("its host is no name or address")
		}
	}
	return Address(raw), nil
}

// port reports whether a text is a port, written in its one way.
func port(number string) bool {
	n, err := strconv.ParseUint(number, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == number
}

// overlaps reports whether two listeners would wait at the same place. No
// address or the unspecified one is every address.
func (a Address) overlaps(b Address) bool {
	hostA, portA := a.split()
	hostB, portB := b.split()
	return portA == portB && (hostA == hostB || hostA == "" || hostB == "")
}

// split returns host and port, the host of every address as "".
func (a Address) split() (host, port string) {
	host, port, _ = net.SplitHostPort(string(a))
	if host == "localhost" {
		return "127.0.0.1", port
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return strings.ToLower(host), port
	case addr.IsUnspecified():
		return "", port
	}
	return addr.Unmap().String(), port
}
