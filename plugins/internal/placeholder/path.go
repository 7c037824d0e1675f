package placeholder

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Path turns a record into the path of its file or object.
type Path struct {
	folders []Template // the last one is the name
}

// ParsePath reads a template such as "{source}/{object}.jsonl".
func ParsePath(template string, extra ...string) (Path, error) {
	var p Path
	for folder := range strings.SplitSeq(template, "/") {
		if folder == "" || strings.HasPrefix(folder, ".") {
			return Path{}, fmt.Errorf("%q: no part of the path may be empty or begin with a dot", template)
		}
		t, err := Parse(folder, "\\:*?\"<>|\x00", extra...)
		if err != nil {
			return Path{}, err
		}
		p.folders = append(p.folders, t)
	}
	return p, nil
}

// Uses reports whether the path holds one of the placeholders.
func (p Path) Uses(names ...string) bool {
	return slices.ContainsFunc(p.folders, func(t Template) bool { return t.Uses(names...) })
}

// Of returns the path of a record, with slashes. Values cannot add folders or
// leave the directory.
func (p Path) Of(object string, r *destination.Record, extra Extra) string {
	parts := make([]string, len(p.folders))
	for i, t := range p.folders {
		parts[i] = shorten(t.Expand(object, r, extra, sanitise))
	}
	return strings.Join(parts, "/")
}

// sanitise makes a value fit for a part of a file name. Whatever is not plain
// becomes %XX, so that two values never end in one name; an empty value becomes
// "%", which no other value does.
func sanitise(value string) string {
	if value == "" {
		return "%"
	}
	var b strings.Builder
	for i := range len(value) {
		switch c := value[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// maxName leaves room for the suffixes of temporary and side files within the
// 255 bytes that file systems allow.
const maxName = 200

func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:maxName-33] + "~" + hex.EncodeToString(sum[:16])
}
