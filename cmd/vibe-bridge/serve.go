package main

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/console"
)

// What all that listens has in common.

func listenHTTP(address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, refusef("http.listen: %w; choose another address, or none to do without", err)
	}
	return listener, nil
}

// consoleTLS reads certificates, for listening and for asking other instances.
func consoleTLS(h config.HTTP) (serve, ask *tls.Config, err error) {
	serve, ask, err = console.TLS(h)
	if err != nil {
		return nil, nil, refuse(err)
	}
	return serve, ask, nil
}

// serve answers until the returned function is called. Times of answers are bounded by the handler.
func serve(listener net.Listener, handler http.Handler, conf *tls.Config, log *slog.Logger) (stop func()) {
	if conf != nil {
		listener = tls.NewListener(listener, conf)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what clients do wrong
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("http server ended", "error", err)
		}
	}()
	return func() {
		server.Close()
		<-done
	}
}

// servePprof answers profiles on a listener of their own, which the configuration has made sure is loopback.
func servePprof(listener net.Listener, log *slog.Logger) (stop func()) {
	if listener == nil {
		return func() {}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	log.Info("profiles", "address", listener.Addr().String())
	return serve(listener, mux, nil, log)
}

// reachedAt is an address as others reach it: one that listens everywhere is reached by the name of the machine.
func reachedAt(listener net.Listener) string {
	address := listener.Addr().String()
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return address
	}
	name, err := os.Hostname()
	if err != nil {
		return address
	}
	return net.JoinHostPort(name, port)
}
