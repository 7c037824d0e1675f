package host

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

const unsaid = "ERROR panic: (what it says is not logged, it may quote records)|"

func TestLineLogger(t *testing.T) {
	for name, tt := range map[string]struct {
		in   []string
		want string
	}{
		"plain":              {[]string{"a\nb\r\n\n"}, "INFO a|INFO b|"},
		"in pieces":          {[]string{"a", "b\nc", "", "d\n"}, "INFO ab|INFO cd|"},
		"unended":            {[]string{"a"}, "INFO a|"},
		"entry":              {[]string{`{"@level":"warn","@message":"m","@module":"x","@timestamp":"t","b":1.50,"a":{"c":"d"}}` + "\n"}, "WARN m a=map[c:d] b=1.50|"},
		"trace":              {[]string{`{"@level":"trace","@message":"m"}` + "\n"}, "DEBUG m|"},
		"unknown level":      {[]string{`{"@level":7,"@message":"m"}` + "\n"}, "INFO m|"},
		"message of no text": {[]string{`{"@message":5,"@timestamp":6}` + "\n"}, `INFO {"@message":5,"@timestamp":6}|`},
		"broken object":      {[]string{"{\"@message\n"}, `INFO {"@message|`},
		"panic":              {[]string{"before\npanic: x\n\ngoroutine 1:\nmain.go\n"}, "INFO before|" + unsaid + "ERROR goroutine 1:|ERROR main.go|"},
		"panic of lines":     {[]string{"panic: main.Bad{\n\tCard: 4111}\n\n\tpanic: 4111 again\n{\"@message\":\"4111\"}\ngoroutine 1:\n"}, unsaid + "ERROR goroutine 1:|"},
		"panic of Go":        {[]string{"panic: runtime error: invalid memory address\n[signal SIGSEGV]\n\ngoroutine 1:\n"}, "ERROR panic: runtime error: invalid memory address|ERROR [signal SIGSEGV]|ERROR goroutine 1:|"},
		"panic in a call":    {[]string{"panic in write: string\ngoroutine 1:\n"}, "ERROR panic in write: string|ERROR goroutine 1:|"},
		"fatal error":        {[]string{"fatal error: concurrent map writes\n\ngoroutine 1:\n"}, "ERROR fatal error: concurrent map writes|ERROR goroutine 1:|"},
		"too long":           {[]string{strings.Repeat("x", maxLogLine), "more\nnext\n"}, "INFO " + strings.Repeat("x", maxLogLine) + "|INFO next|"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			l := newLineLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
				Level: slog.LevelDebug,
				ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
					if a.Key == slog.TimeKey {
						return slog.Attr{}
					}
					return a
				},
			})))
			for _, s := range tt.in {
				if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
					t.Fatalf("write: %d, %v", n, err)
				}
			}
			l.end()
			got := strings.NewReplacer("level=", "", "msg=", "", "\n", "|", `"`, "", `\`, "").Replace(out.String())
			if want := strings.ReplaceAll(tt.want, `"`, ""); got != want {
				t.Errorf("got %.200q, want %.200q", got, want)
			}
		})
	}
}
