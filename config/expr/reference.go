package expr

//go:generate go test -count=1 -run ^TestReferenceIsCurrent$ . -update

import (
	"bytes"
	"slices"
	"strings"
)

// Reference returns the reference page of functions, in Markdown.
func Reference() []byte {
	var b bytes.Buffer
	b.WriteString(referenceIntro)
	cell := strings.NewReplacer("|", `\|`, "<", "&lt;", "->", "→")
	all := Functions()
	slices.SortFunc(all, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	b.WriteString("| function | |\n| --- | --- |\n")
	for _, f := range all {
		b.WriteString("| `" + strings.ReplaceAll(f.Signature, "|", `\|`) + "` | " + cell.Replace(f.Doc))
		for _, e := range f.Examples {
			b.WriteString(" <br> `" + strings.ReplaceAll(e[0], "|", `\|`) + "` is `" + e[1] + "`")
		}
		b.WriteString(" |\n")
	}
	b.WriteString(referenceEnd)
	return b.Bytes()
}

const referenceIntro = `<!-- Made from the functions in config/expr by "make generate". Do not edit. -->

# Functions of expressions

Expressions are [CEL](https://cel.dev). What is different in Sluice is in [mapping](../mapping.md#expressions). A test
evaluates every example of this page, over an invoice with the number INV-7, due on 2026-01-31, without a memo, of the
contact Acme.

`

const referenceEnd = `
From CEL and its extensions: ` + "`size`, `contains`, `startsWith`, `endsWith`, `matches`, `has`, `all`, `exists`, `exists_one`, `map`, `filter`" + `,
the conversions ` + "`string`, `int`, `bool`, `timestamp`, `duration`, `dyn`, `type`" + `, the parts of a timestamp
(` + "`getFullYear`, `getMonth`" + ` and so on), text (` + "`charAt`, `indexOf`, `lastIndexOf`, `join`, `lowerAscii`, `upperAscii`, `replace`, `split`, `substring`, `trim`, `reverse`, `quote`" + `),
lists (` + "`distinct`, `flatten`, `slice`, `sort`, `reverse`" + `) and ` + "`base64.encode`, `base64.decode`" + `.
`
