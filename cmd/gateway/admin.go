package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/datadir"
)

// administrator speaks to the gateway: over its socket where one is running,
// else to rooms that it wires itself as the owner of the data folder. Either
// way the same handler answers.
type administrator struct {
	transport http.RoundTripper
	close     func() error
}

// administer runs a command as the administrator.
func administer(c *cobra.Command, o *options, do func(context.Context, *administrator) error) error {
	cfg, err := load(o, c.ErrOrStderr())
	if err != nil {
		return err
	}
	h, err := build(c.Context(), cfg, logger(cfg, c.ErrOrStderr()))
	var a *administrator
	switch {
	case errors.Is(err, datadir.ErrLocked):
		socket := (&house{config: cfg}).adminSocket()
		a = &administrator{transport: overSocket(socket), close: func() error { return nil }}
	case err != nil:
		return err
	default:
		a = &administrator{transport: inProcess{h.server.AdminHandler()}, close: h.close}
	}
	return errors.Join(do(c.Context(), a), a.close())
}

// overSocket reaches the running gateway.
func overSocket(path string) http.RoundTripper {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
}

// inProcess calls the handler itself.
type inProcess struct{ handler http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &recorder{header: make(http.Header), status: http.StatusOK}
	p.handler.ServeHTTP(w, r)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: r,
	}, nil
}

// recorder keeps an answer in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }

// call sends one request and decodes its answer, or returns the problem it is.
func (a *administrator) call(ctx context.Context, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var sent io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://gateway"+path, sent)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("the gateway holds the data folder but does not answer on its socket: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		var problem struct {
			Detail string `json:"detail"`
		}
		if json.Unmarshal(raw, &problem) != nil || problem.Detail == "" {
			return fmt.Errorf("the gateway answered %s", resp.Status)
		}
		return errors.New(problem.Detail)
	}
	return json.Unmarshal(raw, answer)
}
