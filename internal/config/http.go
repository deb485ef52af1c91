package config

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

func (v *validator) http(h HTTP) {
	if h.Listen != "" && !isListenAddress(h.Listen) {
		v.add("http.listen", `%s: want host:port such as 127.0.0.1:9477, or "" for none`, quote(h.Listen))
	}
	if h.Advertise != "" && !isBaseURL(h.Advertise) {
		v.add("http.advertise", `%s: want a URL without a path, such as http://vibe-bridge-0.vibe-bridge:9477`, quote(h.Advertise))
	}
	if (h.TLSCertFile == "") != (h.TLSKeyFile == "") {
		v.add("http.tls_cert_file", "%s, and http.tls_key_file is %s: want both, or neither", quote(h.TLSCertFile), quote(h.TLSKeyFile))
	}
	if h.ClientCAFile != "" && h.TLSCertFile == "" {
		v.add("http.client_ca_file", "%s: client certificates need HTTPS: set http.tls_cert_file as well", quote(h.ClientCAFile))
	}
	if h.PprofListen != "" && (!isListenAddress(h.PprofListen) || !IsLoopback(h.PprofListen)) {
		v.add("http.pprof_listen", `%s: want a loopback address such as 127.0.0.1:9479, or "" for none: profiles show what is in memory`, quote(h.PprofListen))
	}
	files := map[string]string{}
	for _, f := range []struct{ key, path string }{
		{"http.view_token_file", h.ViewTokenFile}, {"http.act_token_file", h.ActTokenFile},
		{"http.personal_token_file", h.PersonalTokenFile}, {"http.metrics_token_file", h.MetricsTokenFile},
	} {
		if other := files[f.path]; f.path != "" && other != "" {
			v.add(f.key, "%s: %s has the same: each right wants a token of its own", quote(f.path), other)
		}
		files[f.path] = f.key
	}
}

func isBaseURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
}

// IsLoopback tells whether only this machine reaches a host:port.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// AdvertisedURL is where other instances reach this one, "" when nothing listens. address is what Listen has become.
func (h HTTP) AdvertisedURL(address string) string {
	if h.Listen == "" {
		return ""
	}
	scheme := "http://"
	if h.TLSCertFile != "" {
		scheme = "https://"
	}
	return strings.TrimSuffix(cmp.Or(h.Advertise, scheme+address), "/")
}
