package webpush

import (
	"net/netip"
	"testing"
)

func TestAddresses(t *testing.T) {
	for want, list := range map[kind][]string{
		public: {"1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "169.253.0.1", "223.255.255.255",
			"2606:4700::1111", "2001:200::1", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"},
		private: {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
			"::1", "fc00::1", "fd12:3456::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "2002:a00:1::"},
		never: {"0.0.0.0", "0.1.2.3", "169.254.169.254", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
			"224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
			"::ffff:0.0.0.0", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "100::1", "2001::1", "2001:20::1", "2001:db8::1", "3fff::1", "5f00::1", "4000::1", "2002:a9fe:a9fe::1"},
	} {
		for _, s := range list {
			if got := kindOf(netip.MustParseAddr(s)); got != want {
				t.Errorf("%s: %d, want %d", s, got, want)
			}
		}
	}
}

// FuzzAddress: however an IPv4 address is wrapped, it is judged as itself.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"\x7f\x00\x00\x01", "\x0a\x00\x00\x01", "\xa9\xfe\xa9\xfe", "\x01\x01\x01\x01", "\x64\x40\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 4 {
			return
		}
		plain := netip.AddrFrom4([4]byte(b))
		want := kindOf(plain)
		mapped := netip.AddrFrom16(plain.As16())
		for _, prefix := range [][]byte{{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}, {0x20, 0x02}} {
			var wrapped [16]byte
			copy(wrapped[copy(wrapped[:], prefix):], b)
			if got := kindOf(netip.AddrFrom16(wrapped)); got != want {
				t.Errorf("%v: %d, but %v is %d", netip.AddrFrom16(wrapped), got, plain, want)
			}
		}
		if got := kindOf(mapped); got != want {
			t.Errorf("%v: %d, but %v is %d", mapped, got, plain, want)
		}
		if (plain.IsLoopback() || plain.IsPrivate()) && want != private || (plain.IsMulticast() || plain.IsUnspecified() || plain.IsLinkLocalUnicast()) && want != never {
			t.Errorf("%v is %d", plain, want)
		}
	})
}
