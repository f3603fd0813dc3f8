package webpush

import "net/netip"

// kind is what an address is good for.
type kind uint8

const (
	public  kind = iota
	private      // this machine, its networks and its provider's: for allow_private
	never        // nobody has a push service there
)

// special are the blocks of the IANA special-purpose registries (RFC 6890 and its
// successors) that lie in what is public otherwise.
var special = map[kind][]netip.Prefix{
	private: prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "fc00::/7", "::1/128"),
	never: prefixes(
		"0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
		"2001::/23", "2001:db8::/32", "3fff::/20",
	),
}

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052 §2.1
	sixto4 = netip.MustParsePrefix("2002::/16")    // RFC 3056 §2
	global = netip.MustParsePrefix("2000::/3")     // all that IANA has given out
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// kindOf judges an address. One that holds an IPv4 address, to be reached through
// a translator or tunnel, is what that one is.
func kindOf(ip netip.Addr) kind {
	ip = ip.Unmap()
	if ip.Zone() != "" {
		return never // link-local
	}
	for k, list := range special {
		for _, p := range list {
			if p.Contains(ip) {
				return k
			}
		}
	}
	if ip.Is4() {
		return public
	}
	b := ip.As16()
	switch {
	case nat64.Contains(ip):
		return kindOf(netip.AddrFrom4([4]byte(b[12:16])))
	case sixto4.Contains(ip):
		return kindOf(netip.AddrFrom4([4]byte(b[2:6])))
	case global.Contains(ip):
		return public
	}
	return never
}
