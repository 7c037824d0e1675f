package salesforce

import (
	"maps"
	"net/http"
	"slices"
)

// list answers with the objects, of which real orgs have hundreds.
func (s *Server) list(c *call) {
	objects := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.options.Schema)) {
		objects = append(objects, map[string]any{"name": name, "label": name, "createable": true, "updateable": true})
	}
	answer(c.w, http.StatusOK, map[string]any{"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})
}

// describe answers with the fields of an object.
func (s *Server) describe(c *call) {
	name := c.r.PathValue("object")
	if !s.object(c, name) {
		return
	}
	fields := []map[string]any{{"name": "Id", "type": "id", "relationshipName": nil, "externalId": false, "nillable": false}}
	for _, field := range slices.Sorted(maps.Keys(s.options.Schema[name])) {
		f := s.options.Schema[name][field]
		d := map[string]any{
			"name": field, "type": f.Kind.String(), "relationshipName": nil, "externalId": f.ExternalID, "nillable": !f.Required && f.Kind != Checkbox,
		}
		if f.Relationship != "" {
			d["relationshipName"], d["referenceTo"] = f.Relationship, []string{f.To}
		}
		fields = append(fields, d)
	}
	answer(c.w, http.StatusOK, map[string]any{"name": name, "label": name, "fields": fields})
}

// String is the name of the type in a description.
func (k Kind) String() string {
	return [...]string{Text: "string", Number: "double", Checkbox: "boolean", Date: "date", DateTime: "datetime", Reference: "reference"}[k]
}
