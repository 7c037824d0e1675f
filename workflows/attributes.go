package workflows

import (
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
)

// The search attributes of a workflow. Stored; never rename. SQL visibility
// stores have room for three keyword lists in all, so operations, of which
// there are three, are one keyword ("CREATE", "CREATE+UPDATE", …).
var (
	AttributeSource     = temporal.NewSearchAttributeKeyKeyword("SluiceSource")
	AttributeModels     = temporal.NewSearchAttributeKeyKeywordList("SluiceModels")
	AttributeCompanies  = temporal.NewSearchAttributeKeyKeywordList("SluiceCompanies")
	AttributeEvents     = temporal.NewSearchAttributeKeyKeywordList("SluiceEventIds")
	AttributeOperations = temporal.NewSearchAttributeKeyKeyword("SluiceOperations")
	AttributeOutcome    = temporal.NewSearchAttributeKeyKeyword("SluiceOutcome")
)

// SearchAttributes lists them for registration with a server.
func SearchAttributes() map[string]enumspb.IndexedValueType {
	out := make(map[string]enumspb.IndexedValueType)
	for _, k := range []temporal.SearchAttributeKey{
		AttributeSource, AttributeModels, AttributeCompanies,
		AttributeEvents, AttributeOperations, AttributeOutcome,
	} {
		out[k.GetName()] = k.GetValueType()
	}
	return out
}
