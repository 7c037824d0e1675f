package rawjson_test

import (
	"encoding/json"
	"testing"

	"github.com/sluicehq/sluice/plugins/internal/rawjson"
)

func FuzzValid(f *testing.F) {
	for _, s := range []string{``, `"`, `""`, `"a"`, `"a" `, `"a""b"`, `"\"`, `"\\"`, "\"\n\"", `"ü"`, "\"\xff\"", `1.50`, `null`, `[1`, `{"a":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := rawjson.Valid(b), json.Valid(b); got != want {
			t.Errorf("%q: got %v, encoding/json says %v", b, got, want)
		}
	})
}

func BenchmarkValid(b *testing.B) {
	value := []byte(`"a value of some length"`)
	for b.Loop() {
		if !rawjson.Valid(value) {
			b.Fatal("is not valid")
		}
	}
}
