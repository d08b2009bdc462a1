package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	maxAnswer = 256 << 10 // bytes of an answer
	patience  = 30 * time.Second
)

// exchange is one request and where its answer goes.
type exchange struct {
	method, path string
	in           any // nil: no body
	cookies      []*http.Cookie
	bearer       Secret
	out          any
}

// send makes a request and returns the cookies that the answer sets, those of a
// refusal too. The error is a *Problem for any answer but success, ErrWaiting for 202.
func (c *Client) send(ctx context.Context, x exchange) ([]*http.Cookie, error) {
	req, err := c.request(ctx, x)
	if err != nil {
		return nil, err
	}
	resp, err := c.bare().Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach the portal: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
		return resp.Cookies(), problem(resp, body)
	}
	if !is(resp, "application/json") {
		return nil, errors.New("the answer is not JSON: is this a gateway?")
	}
	if err := json.Unmarshal(body, x.out); err != nil {
		return nil, fmt.Errorf("the answer is malformed: %w", err)
	}
	if resp.StatusCode == http.StatusAccepted {
		return nil, ErrWaiting
	}
	return resp.Cookies(), nil
}

func (c *Client) request(ctx context.Context, x exchange) (*http.Request, error) {
	portal, err := parsePortal(c.Portal)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if x.in != nil {
		b, err := json.Marshal(x.in)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, x.method, portal.JoinPath("/.gateway", x.path).String(), body)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "gateway-client")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !x.bearer.Empty() {
		req.Header.Set("Authorization", "Bearer "+x.bearer.Reveal())
	}
	for _, k := range x.cookies {
		req.AddCookie(&http.Cookie{Name: k.Name, Value: k.Value}) //nolint:gosec // G124: a request's cookie has no attributes
	}
	return req, nil
}

// bare is the HTTP client without its Jar: send says itself which cookies travel.
func (c *Client) bare() *http.Client {
	h := c.HTTP
	if h == nil {
		c.once.Do(func() { c.own = &http.Client{Transport: transport(), Timeout: patience} })
		h = c.own
	}
	bare := *h
	bare.Jar = nil
	bare.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &bare
}

// jarred are the cookies that a request sends which wants a cookie.
func (c *Client) jarred(want Want) []*http.Cookie {
	if want != WantCookie || c.HTTP == nil || c.HTTP.Jar == nil {
		return nil
	}
	portal, err := parsePortal(c.Portal)
	if err != nil {
		return nil // send says so
	}
	return c.HTTP.Jar.Cookies(portal)
}

// keep puts what an answer set into the Jar.
func (c *Client) keep(want Want, set []*http.Cookie) {
	if want != WantCookie || len(set) == 0 || c.HTTP == nil || c.HTTP.Jar == nil {
		return
	}
	if portal, err := parsePortal(c.Portal); err == nil { // else nothing was sent
		c.HTTP.Jar.SetCookies(portal, set)
	}
}
