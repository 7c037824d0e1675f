package expr

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/sluicehq/sluice/internal/rootfi"
)

// modelPrefix begins the names of the types that stand for data models.
const modelPrefix = "model."

var kindsByModel = sync.OnceValue(func() map[string]map[string]string {
	out := make(map[string]map[string]string)
	for _, model := range models() {
		m, _ := rootfi.Catalog{}.Lookup(model)
		out[model] = make(map[string]string, len(m.Fields))
		for name, t := range m.Fields {
			out[model][name] = string(t)
		}
	}
	return out
})

// fieldKinds is what the catalog says of a model's fields; nil of one that it
// does not know.
func fieldKinds(model string) map[string]string { return kindsByModel()[model] }

// FieldTypes is what the catalog says of a model's fields, in the words of the
// contract of destinations; nil of a model that it does not know. Read it only.
func FieldTypes(model string) map[string]string { return fieldKinds(model) }

func models() []string { return rootfi.Catalog{}.Models() }

// KnownModels lists the models of the catalog that fit a pattern, if it is not
// one that fits all.
func KnownModels(match func(string) bool) []string {
	return slices.DeleteFunc(models(), func(m string) bool { return !match(m) })
}

// References returns the fields of a model that hold the platform id of a record
// of another one, by field.
func References(model string) map[string]string {
	m, _ := rootfi.Catalog{}.Lookup(model)
	return maps.Clone(m.References)
}

func modelType(model string) *cel.Type {
	if fieldKinds(model) == nil {
		return cel.DynType
	}
	return cel.ObjectType(modelPrefix + model)
}

// catalogProvider tells CEL the fields of data models. One that is not known is
// of any type: records may have more than the catalog says.
type catalogProvider struct{ *types.Registry }

func (p *catalogProvider) FindStructType(name string) (*types.Type, bool) {
	if model, ok := strings.CutPrefix(name, modelPrefix); ok && fieldKinds(model) != nil || name == eventType.TypeName() || name == keyType.TypeName() {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Registry.FindStructType(name)
}

func (p *catalogProvider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if name == eventType.TypeName() || name == keyType.TypeName() {
		return envelopeField(name, field)
	}
	model, ok := strings.CutPrefix(name, modelPrefix)
	if !ok {
		return p.Registry.FindStructFieldType(name, field)
	}
	t := types.DynType
	switch fieldKinds(model)[field] {
	case "boolean":
		t = types.BoolType
	case "number":
		t = decimalType
	case "text", "timestamp":
		t = types.StringType
	}
	return &types.FieldType{Type: t}, true
}
