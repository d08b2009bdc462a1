package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/config"
	"gateway/internal/datadir"
	"gateway/internal/store/sqlite"
)

// administrator speaks to the gateway: over its socket where one is running,
// else to rooms that it wires itself as the owner of the data folder. Either
// way the same handler answers.
type administrator struct {
	data      string // the folder
	transport http.RoundTripper
	close     func() error
}

// administer runs a command as the administrator.
func administer(c *cobra.Command, o *options, do func(context.Context, *administrator) error) error {
	cfg, err := load(o, c.ErrOrStderr())
	if err != nil {
		return administerRunning(c, o, err, do)
	}
	return administerOf(c, cfg, do)
}

// administerRunning is administer while the configuration on the disk is wrong
// and a gateway goes on with the one from before: a slip of the pen keeps nobody
// from shutting somebody out. Without such a gateway it says what is wrong.
func administerRunning(c *cobra.Command, o *options, wrong error, do func(context.Context, *administrator) error) error {
	data, known := o.dataOf()
	if !known {
		return wrong
	}
	socket := adminSocket(data)
	conn, err := dial(c.Context(), socket)
	if err != nil {
		return wrong
	}
	tellWrong(c.ErrOrStderr(), data)
	a := &administrator{data: data, transport: overSocket(socket), close: conn.Close}
	return errors.Join(do(c.Context(), a), a.close())
}

// administerOf is administer for who has read the configuration.
func administerOf(c *cobra.Command, cfg *config.Config, do func(context.Context, *administrator) error) error {
	if err := begun(c, cfg.Data); err != nil {
		return err
	}
	quiet := cfg.Log // a command says itself what it was answered
	quiet.Level = max(quiet.Level, slog.LevelWarn)
	a, err := reach(c.Context(), cfg, logsTo(c.ErrOrStderr(), quiet))
	if err != nil {
		return err
	}
	return errors.Join(do(c.Context(), a), a.close())
}

// begins marks commands that may be the first thing ever done in a data folder.
const begins = "begins"

// begun refuses to make a data folder for a command that asks about what is in
// it: there the path is wrong more often than the gateway is new.
func begun(c *cobra.Command, data string) error {
	if _, first := c.Annotations[begins]; first {
		return nil
	}
	if _, err := os.Stat(filepath.Join(data, sqlite.FileName)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data folder %s holds nothing yet: is data in the configuration right? Else start the gateway, or add somebody by gateway user add", data)
	}
	return nil
}

// reachTime is how long a command waits for who holds the data folder and does
// not answer: another command, or a gateway that starts or stops.
const reachTime = 15 * time.Second

// reach finds the running gateway, or stands in for it.
func reach(ctx context.Context, cfg *config.Config, logs *logs) (*administrator, error) {
	socket := adminSocket(cfg.Data)
	patience, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		h, err := build(ctx, cfg, logs)
		switch {
		case err == nil:
			return &administrator{data: cfg.Data, transport: inProcess{h.at(listenAdmin)}, close: h.close}, nil
		case !errors.Is(err, datadir.ErrLocked):
			return nil, err
		}
		conn, refused := dial(patience, socket)
		if refused == nil {
			return &administrator{data: cfg.Data, transport: overSocket(socket), close: func() error { return nil }}, conn.Close()
		}
		select {
		case <-again.C:
		case <-patience.Done():
			return nil, fmt.Errorf("data folder %s is in use, but nobody answers on its socket: %w", cfg.Data, refused)
		}
	}
}

func dial(ctx context.Context, socket string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", socket)
}

// overSocket reaches the running gateway.
func overSocket(path string) http.RoundTripper {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) }}
}

// alone reports whether no gateway runs, and the command stands in for it.
func (a *administrator) alone() bool {
	_, own := a.transport.(inProcess)
	return own
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

// notThere says that what a command is about does not exist.
type notThere struct{ detail string }

func (e notThere) Error() string { return e.detail }

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
		return fmt.Errorf("the gateway does not answer on its socket: %w", err)
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
		if resp.StatusCode == http.StatusNotFound {
			return notThere{problem.Detail}
		}
		return errors.New(problem.Detail)
	}
	return json.Unmarshal(raw, answer)
}
