//go:build slim

package embedded

import (
	"errors"
	"testing"
)

func TestSlimBuildSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s, err := Start(t.Context(), Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if s != nil || !errors.Is(err, ErrLeftOut) {
		t.Errorf("start = %v, %v, want ErrLeftOut", s, err)
	}
}
