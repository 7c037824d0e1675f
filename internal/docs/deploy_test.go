package docs

import (
	"os"
	"testing"
)

// The unit that is shown is the one that is shipped, and that the tests of the
// deployment files look at.
func TestUnitIsTheOneThatIsShipped(t *testing.T) {
	want, err := os.ReadFile(root + "/deploy/systemd/sluice.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range pageAt(t, "docs/operating.md").blocks {
		if b.language == "ini" {
			if b.text != string(want) {
				t.Error("docs/operating.md shows another unit than deploy/systemd/sluice.service: copy that one")
			}
			return
		}
	}
	t.Error("docs/operating.md does not show the unit")
}
