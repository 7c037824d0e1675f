package main

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
)

func TestGuard(t *testing.T) {
	for name, tt := range map[string]struct {
		allow   []string
		refused []string
		public  []string
	}{
		"by itself": {
			refused: []string{
				"127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "0.1.2.3", "::", "10.0.0.1", "172.16.0.1", "172.31.255.255",
				"192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1",
				"224.0.0.1", "255.255.255.255", "240.0.0.1", "168.63.129.16", "192.0.2.1", "203.0.113.9",
				"fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1", "2001::1",
				"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
				"2002:7f00:1::", "2002:a00:1::1", "::ffff:0:127.0.0.1",
			},
			public: []string{"8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"},
		},
		"with networks allowed": {
			allow:   []string{"127.0.0.0/8", "10.1.2.3", "fd00::/8"},
			refused: []string{"10.1.2.4", "::1", "169.254.169.254", "64:ff9b::a01:204"},
			public:  []string{"127.0.0.1", "::ffff:127.0.0.1", "10.1.2.3", "fd12::1", "64:ff9b::a01:203"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := newGuard(tt.allow)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range tt.refused {
				if _, ok := errors.AsType[*refusedError](g.check(netip.MustParseAddr(a))); !ok {
					t.Errorf("%s was not refused", a)
				}
			}
			for _, a := range tt.public {
				if err := g.check(netip.MustParseAddr(a)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestPrivateAddressesAreRefusedAfterNameResolution(t *testing.T) {
	e := newEndpoint(t, nil)
	port := e.URL[strings.LastIndex(e.URL, ":")+1:]
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0"} {
		d := open(t, map[string]any{"url": "http://" + host + ":" + port, "allow_networks": []string{}})
		got := write(t, d, batch(destination.ModeRecords, upsert("1", 1, `{}`), upsert("2", 1, `{}`)))
		for _, r := range got {
			// Some resolvers do not know the odd spellings; then there is no address.
			if r.Code == httpanswer.CodeDNS && host != "127.0.0.1" {
				continue
			}
			if r.Kind != destination.Misconfigured || r.Code != codeAddress || !strings.Contains(r.Message, "allow_networks") {
				t.Errorf("%s: %+v", host, r)
			}
		}
		if f, ok := errors.AsType[*destination.Failure](d.Check(t.Context())); !ok || f.Kind != destination.Misconfigured && f.Code != httpanswer.CodeDNS {
			t.Errorf("check of %s: %v", host, f)
		}
	}
	if n := len(e.got()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

func TestTheEnvironmentChoosesNoProxy(t *testing.T) {
	proxy := newEndpoint(t, nil)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	d := open(t, map[string]any{"url": "http://nowhere.invalid/"})
	if r := write(t, d, batch(destination.ModeRecords, upsert("1", 1, `{}`)))[0]; r.Code != httpanswer.CodeDNS {
		t.Errorf("%+v", r)
	}
	d = open(t, map[string]any{"url": "http://nowhere.invalid/", "proxy": proxy.URL})
	if r := write(t, d, batch(destination.ModeRecords, upsert("1", 1, `{}`)))[0]; r.Kind != destination.Delivered {
		t.Errorf("%+v", r)
	}
	d = open(t, map[string]any{"url": "http://nowhere.invalid/", "proxy": proxy.URL, "allow_networks": []string{}})
	if r := write(t, d, batch(destination.ModeRecords, upsert("1", 1, `{}`)))[0]; r.Code != codeAddress {
		t.Errorf("%+v", r)
	}
	if n := len(proxy.got()); n != 1 {
		t.Errorf("%d requests at the proxy", n)
	}
}

func TestCheckSendsNoRequest(t *testing.T) {
	e := newEndpoint(t, nil)
	if err := open(t, map[string]any{"url": e.URL}).Check(t.Context()); err != nil {
		t.Error(err)
	}
	secure := newSecure(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request came") }))
	d := open(t, map[string]any{"url": secure.URL})
	if f, ok := errors.AsType[*destination.Failure](d.Check(t.Context())); !ok || f.Code != httpanswer.CodeTLS {
		t.Errorf("check of an untrusted certificate: %v", f)
	}
	d.client = newClient(d.client.options, secure.Client().Transport.(*http.Transport).TLSClientConfig)
	if err := d.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if n := len(e.got()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
