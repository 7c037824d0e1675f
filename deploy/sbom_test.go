package deploy

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
)

// Every binary has a bill of materials that names all modules linked into it.
func TestBillOfMaterials(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "bin")
	if err := os.CopyFS(bin, os.DirFS(filepath.Join(buildImage(t).out, "bin"))); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "scripts", "sbom.sh"))
	cmd.Env = append(os.Environ(), "BIN="+bin)
	output(t, cmd)
	binaries, err := filepath.Glob(filepath.Join(bin, "plugins", "*"))
	if err != nil || len(binaries) == 0 {
		t.Fatalf("%d plugins, %v", len(binaries), err)
	}
	for _, binary := range append(binaries, filepath.Join(bin, "sluice")) {
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(filepath.Join(bin, "sbom", filepath.Base(binary)+".cdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var bom cyclonedx.BOM
		if err := cyclonedx.NewBOMDecoder(f, cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
			t.Fatal(err)
		}
		versions := map[string]string{}
		for _, c := range *bom.Components {
			versions[c.Name] = c.Version
		}
		if versions["std"] == "" {
			t.Errorf("%s: the standard library is missing", binary)
		}
		for _, m := range info.Deps {
			if versions[m.Path] != m.Version {
				t.Errorf("%s: %s is %q in the bill, and %s is linked", binary, m.Path, versions[m.Path], m.Version)
			}
		}
		if bom.Metadata.Timestamp != "" || bom.SerialNumber != "" {
			t.Errorf("%s: a time or a number that is another each time", binary)
		}
	}
}
