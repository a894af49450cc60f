package egress

import (
	"net"
	"net/netip"
)

// refusedPrefixes are the parts of the public ranges that lead back inside, to
// nowhere, or through a translator to an address of the sender's choice (IANA
// special-purpose registries, RFC 6890).
var refusedPrefixes = func() (out []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
		"2001::/23",     // IETF protocols, Teredo among them
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4: holds an IPv4 address
		"3fff::/20",     // documentation
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

// globalIPv6 is the only part of IPv6 that is routed; outside it are loopback,
// mapped and translated IPv4 (::ffff:0:0/96, 64:ff9b::/96), unique local,
// link-local, multicast.
var globalIPv6 = netip.MustParsePrefix("2000::/3")

// publicAddress reports whether a is an ordinary public address.
func publicAddress(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" || a.Is6() && !globalIPv6.Contains(a) {
		return false
	}
	for _, p := range refusedPrefixes {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// OwnAddress reports whether target is one of the listeners. A listener on the
// unspecified address is at every address of this machine.
func OwnAddress(target netip.AddrPort, listeners []netip.AddrPort) bool {
	for _, l := range listeners {
		if l.Port() != target.Port() {
			continue
		}
		if l.Addr().Unmap() == target.Addr() {
			return true
		}
		if l.Addr().IsUnspecified() && localAddress(target.Addr()) {
			return true
		}
	}
	return false
}

// localAddress reports whether a belongs to an interface of this machine; when
// the interfaces cannot be read, it does.
func localAddress(a netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, ia := range addrs {
		if p, err := netip.ParsePrefix(ia.String()); err == nil && p.Addr().Unmap().WithZone("") == a {
			return true
		}
	}
	return false
}
