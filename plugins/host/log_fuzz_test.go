package host

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

// FuzzLineLogger writes any output of a plugin, in two pieces: no panic, every
// entry is one line of JSON, and nothing of what a panic says is kept.
func FuzzLineLogger(f *testing.F) {
	f.Add([]byte(`{"@level":"warn","@message":"m","a":{"b":1.50}}`+"\nplain\n"), 3)
	f.Add([]byte("x\npanic: main.E{\n\tCard: SECRET}\n\ngoroutine 1 [running]:\n"), 20)
	f.Add([]byte("panic: SECRET\n{\"@message\":\"SECRET\"}"), 8)
	f.Fuzz(func(t *testing.T, output []byte, cut int) {
		var out bytes.Buffer
		l := newLineLogger(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		cut = max(0, min(cut, len(output)))
		for _, piece := range [][]byte{output[:cut], output[cut:], []byte("\npanic: SECRET4111\n\tSECRET4111\n\ngoroutine 1:\n")} {
			if n, err := l.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("write: %d, %v", n, err)
			}
		}
		l.end()
		for line := range strings.Lines(out.String()) {
			if !json.Valid([]byte(line)) {
				t.Fatalf("logged %q", line)
			}
		}
		if !bytes.Contains(output, []byte("SECRET4111")) && strings.Contains(out.String(), "SECRET4111") {
			t.Fatalf("logged what the panic says: %s", out.String())
		}
	})
}
