// Command bare is the least that an HTTP server can do: what the gateway's
// figures are multiples of.
package main

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

func main() {
	var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	if len(os.Args) == 3 { // bare ADDRESS UPSTREAM: the bare reverse proxy
		upstream, err := url.Parse(os.Args[2])
		if err != nil {
			slog.Error("bare", slog.Any("cause", err))
			os.Exit(1)
		}
		handler = &httputil.ReverseProxy{Rewrite: func(pr *httputil.ProxyRequest) { pr.SetURL(upstream) }}
	}
	server := &http.Server{Addr: os.Args[1], Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	slog.Error("bare", slog.Any("cause", server.ListenAndServe()))
	os.Exit(1)
}
