package server

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"daypass/internal/identity"
)

const maxUserAgent = 256

// newRequestID is 16 upper-case hexadecimal digits, as S3's.
func newRequestID() string {
	var b [8]byte
	rand.Read(b[:])
	var text [16]byte
	hex.Encode(text[:], b[:])
	for i, c := range text {
		if c >= 'a' {
			text[i] = c - 'a' + 'A'
		}
	}
	return string(text[:])
}

// proxies are the addresses whose forwarded headers count.
type proxies []netip.Prefix

func parseProxies(list []string) (proxies, error) {
	var out proxies
	for _, s := range list {
		p, err := parsePrefix(s)
		if err != nil {
			return nil, invalid("trusted_proxies: " + s + " is neither an address nor a network")
		}
		out = append(out, p)
	}
	return out, nil
}

func (p proxies) trusts(ip netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// facts judges where a request came from. Forwarded headers count only when
// the peer is a listed proxy; of X-Forwarded-For the rightmost address that is
// not itself a proxy. X-Forwarded-Host then replaces r.Host.
func (p proxies) facts(r *http.Request, id string) identity.RequestFacts {
	f := identity.RequestFacts{ID: id, Secure: r.TLS != nil, UserAgent: cut(r.UserAgent(), maxUserAgent), Referer: cut(r.Referer(), maxUserAgent)}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	f.SourceIP = host
	if len(p) == 0 {
		return f
	}
	peer, err := netip.ParseAddr(host)
	if err != nil || !p.trusts(peer.Unmap()) {
		return f
	}
	f.SourceIP = p.client(r.Header.Values("X-Forwarded-For"), peer.Unmap()).String()
	if proto := last(r.Header.Values("X-Forwarded-Proto")); proto != "" {
		f.Secure = proto == "https"
	}
	if forwarded := last(r.Header.Values("X-Forwarded-Host")); forwarded != "" {
		r.Host = forwarded
	}
	return f
}

func (p proxies) client(forwarded []string, peer netip.Addr) netip.Addr {
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	found := peer
	for i := len(hops) - 1; i >= 0; i-- {
		ip, err := parseHop(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		found = ip
		if !p.trusts(ip) {
			break
		}
	}
	return found
}

// parseHop takes an address with or without port.
func parseHop(s string) (netip.Addr, error) {
	if pair, err := netip.ParseAddrPort(s); err == nil {
		return pair.Addr().Unmap(), nil
	}
	ip, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return ip.Unmap(), err
}

// last is the last element of a list header: what the nearest proxy wrote.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	v := values[len(values)-1]
	return strings.TrimSpace(v[strings.LastIndexByte(v, ',')+1:])
}
