package netfault_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/netfault"
)

func TestAWireSuffersAndHeals(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
	}))
	defer s.Close()
	w, err := netfault.NewWire("test", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	address := w.Address()
	const well, soon = 20 * time.Second, 300 * time.Millisecond
	get := func(patience time.Duration) error {
		c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := c.Get("http://" + w.Address())
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	if err := get(well); err != nil {
		t.Fatal(err)
	}
	for how, amount := range map[string]int64{"down": 0, "timeout": 100, "reset_peer": 0, "limit_data": 50, "latency": 5000} {
		if err := w.Suffer(how, amount); err != nil {
			t.Fatal(err)
		}
		if err := get(soon); err == nil {
			t.Errorf("%s: the answer came whole and in time", how)
		}
		if err := w.Heal(); err != nil {
			t.Fatal(err)
		}
		if err := get(well); err != nil {
			t.Errorf("%s: healed, and %v", how, err)
		}
	}
	if w.Address() != address {
		t.Errorf("the wire moved from %s to %s", address, w.Address())
	}
}

// A process that is being started has a copy of the wire's socket for a moment,
// so that its port is still in use when it heals.
func TestAWireHealsWhileProcessesAreStarted(t *testing.T) {
	w, err := netfault.NewWire("test", "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	defer close(stop)
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := exec.Command(os.Args[0], "-test.run=^$").Run(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 300 {
		if err := w.Heal(); err != nil {
			t.Fatal(err)
		}
	}
}
