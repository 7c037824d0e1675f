package rootfi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// FieldType is the type that the catalog gives a field. Values are loose in
// practice (amounts come as strings at times): whoever stores them must be ready
// for a value that does not fit.
type FieldType string

// The field types; the same words as in the contract of destinations.
const (
	Boolean   FieldType = "boolean"
	Number    FieldType = "number"
	Timestamp FieldType = "timestamp"
	Text      FieldType = "text"
	JSON      FieldType = "json" // lists and objects
)

// Model is a data model that RootFi documents. Its maps are shared: read them only.
type Model struct {
	Name     string
	Category string // ACCOUNTING, PAYMENTS, ECOMMERCE or CRM
	// Fields that a record may have, with their types. Relations that RootFi only
	// expands on reads are left out.
	Fields map[string]FieldType
	// References names, for fields that hold the platform id of another record of
	// the same company, the model of that record. A field of type json holds a list
	// of ids.
	References map[string]string
}

// Catalog knows RootFi's data models. The zero value is ready for use.
type Catalog struct{}

// Lookup returns a model by its exact name. Models that are not in the catalog
// exist too (CUSTOM_… for one): their records pass all the same.
func (Catalog) Lookup(model string) (Model, bool) {
	m, ok := catalog().models[model]
	return m, ok
}

// Models lists the names of all models, sorted.
func (Catalog) Models() []string {
	return slices.Sorted(maps.Keys(catalog().models))
}

//go:embed catalog.json
var catalogFile []byte

type catalogIndex struct {
	models       map[string]Model
	canonical    map[string]string // upper-case name, plural or singular → name in the catalog
	integrations map[string]bool
}

var catalog = sync.OnceValue(func() *catalogIndex {
	var file struct {
		Integrations []string
		Base         map[string]FieldType
		Models       map[string]struct {
			Category   string
			Base       bool // has the base fields too
			Fields     map[string]FieldType
			References map[string]string
		}
	}
	if err := json.Unmarshal(catalogFile, &file); err != nil {
		panic(fmt.Sprintf("embedded catalog.json: %v", err)) // a broken build, not an input
	}
	index := &catalogIndex{
		models:       make(map[string]Model, len(file.Models)),
		canonical:    make(map[string]string, 2*len(file.Models)),
		integrations: make(map[string]bool, len(file.Integrations)),
	}
	for name, m := range file.Models {
		if m.Base {
			maps.Copy(m.Fields, file.Base)
		}
		index.models[name] = Model{Name: name, Category: m.Category, Fields: m.Fields, References: m.References}
		index.canonical[singular(name)] = name
	}
	for name := range file.Models {
		index.canonical[name] = name
	}
	for _, name := range file.Integrations {
		index.integrations[name] = true
	}
	return index
})

// singular is the name that v4 gives a model: INVOICE for INVOICES.
func singular(plural string) string {
	switch {
	case strings.HasSuffix(plural, "IES"):
		return strings.TrimSuffix(plural, "IES") + "Y"
	case strings.HasSuffix(plural, "SSES"):
		return strings.TrimSuffix(plural, "ES")
	}
	return strings.TrimSuffix(plural, "S")
}

// modelName gives a model the one name that it has in all generations, so that a
// record keeps its key when RootFi's account moves to v4 (INVOICE, and perhaps
// invoice, for INVOICES). Names that the catalog does not know stay as sent.
func modelName(sent string) string {
	index := catalog()
	if name, ok := index.canonical[sent]; ok {
		return name
	}
	if name, ok := index.canonical[strings.ToUpper(sent)]; ok {
		return name
	}
	return sent
}

// integrationName does the same for integrations, whose case differs in v4.
func integrationName(sent string) string {
	index := catalog()
	if index.integrations[sent] {
		return sent
	}
	if upper := strings.ToUpper(sent); index.integrations[upper] {
		return upper
	}
	return sent
}
