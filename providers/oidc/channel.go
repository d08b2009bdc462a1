package oidc

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Bounds of the back channel to one provider.
const (
	defaultTimeout = 10 * time.Second
	maxConcurrent  = 10
	maxBody        = 1 << 20  // bytes of an answer
	maxHeader      = 64 << 10 // bytes of its header
)

// errUnsound says that the provider answered what no provider should.
var errUnsound = errors.New("unsound answer")

// channel is the way to the provider's own endpoints. Each answer ends within
// the timeout and within maxBody and is not compressed; a success must be a
// sound JSON object. At most maxConcurrent requests are under way, and none is
// repeated.
type channel struct {
	base    http.RoundTripper
	timeout time.Duration
	slots   chan struct{}
	watch   func(ctx context.Context, began time.Time, err error) // nil: nobody wants to know
}

// newClient returns the client whose every request goes through a channel. It
// follows no redirect: a request carries the code and our secret.
func newClient(c Config, d *dialer) *http.Client {
	base := c.Transport
	if base == nil {
		base = &http.Transport{ // Proxy stays nil: the environment does not choose our way
			DialContext:            d.dial,
			TLSClientConfig:        &tls.Config{RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			MaxConnsPerHost:        maxConcurrent,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: maxHeader,
		}
	}
	return &http.Client{
		Transport:     &channel{base: base, timeout: c.timeout(), slots: make(chan struct{}, maxConcurrent), watch: c.Watch},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// CloseIdleConnections lets go of connections that nobody uses.
func (c *channel) CloseIdleConnections() {
	if base, ok := c.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// RoundTrip returns an answer that has been read to its end.
func (c *channel) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if c.watch != nil {
		began := time.Now() //nolint:forbidigo // a duration, not a time that is kept
		defer func() { c.watch(r.Context(), began, err) }()
	}
	return c.ask(r)
}

func (c *channel) ask(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), c.timeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for one of %d requests: %w", maxConcurrent, ctx.Err())
	}
	once := r.Clone(ctx)
	once.GetBody = nil // a code is spent once
	once.Header.Set("Accept", "application/json")
	resp, err := c.base.RoundTrip(once)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("%w: more than %d bytes", errUnsound, maxBody)
	}
	if resp.StatusCode/100 == 2 {
		if _, err := parseObject(body); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnsound, err)
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
