package hubspot

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// record is one record of an object.
type record struct {
	id         string
	properties map[string]string
	archived   bool
}

// Association is a link between two records, by their ids.
type Association struct {
	From   string `json:"from"`
	FromID string `json:"from_id"`
	To     string `json:"to"`
	ToID   string `json:"to_id"`
}

// Records returns what an object holds that is not archived, by record id.
func (s *Server) Records(name string) map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	if o := s.objects[name]; o != nil {
		for id, r := range o.records {
			if !r.archived {
				out[id] = maps.Clone(r.properties)
			}
		}
	}
	return out
}

// Property returns type and field type of a property.
func (s *Server) Property(object, name string) (typ, fieldType string, unique, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[object]; o != nil {
		p, ok := o.properties[name]
		return p.Type, p.FieldType, p.Unique, ok
	}
	return "", "", false, false
}

// RemoveProperty takes a property away, as somebody could in HubSpot's settings.
func (s *Server) RemoveProperty(object, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[object]; o != nil {
		delete(o.properties, name)
	}
}

// Associations returns the links.
func (s *Server) Associations() []Association {
	s.mu.Lock()
	defer s.mu.Unlock()
	links := slices.AppendSeq(make([]Association, 0, len(s.links)), maps.Keys(s.links))
	slices.SortFunc(links, func(a, b Association) int {
		return cmp.Or(strings.Compare(a.FromID, b.FromID), strings.Compare(a.ToID, b.ToID))
	})
	return links
}

// find returns the living record with a value of a unique property, or an id.
func (o *object) find(property, value string) *record {
	if property == "hs_object_id" {
		if r := o.records[value]; r != nil && !r.archived {
			return r
		}
		return nil
	}
	return o.unique[[2]string{property, value}]
}

// set gives a record a value; the empty one is none.
func (o *object) set(r *record, name, value string) {
	if o.properties[name].Unique {
		if old := [2]string{name, r.properties[name]}; o.unique[old] == r {
			delete(o.unique, old)
		}
		if value != "" {
			o.unique[[2]string{name, value}] = r
		}
	}
	if value == "" {
		delete(r.properties, name)
		return
	}
	r.properties[name] = value
}

// archive takes a record away; its unique values are free again.
func (o *object) archive(r *record) {
	r.archived = true
	for name, value := range r.properties {
		if key := [2]string{name, value}; o.unique[key] == r {
			delete(o.unique, key)
		}
	}
}

type input struct {
	ID         string            `json:"id"`
	IDProperty string            `json:"idProperty"`
	TraceID    string            `json:"objectWriteTraceId"`
	Properties map[string]string `json:"properties"`
	// Associations may be given with a create.
	Associations []struct{} `json:"associations"`
}

// write is batch/create and batch/upsert.
func (s *Server) write(o *object, kind string, body []byte) answer {
	var in struct {
		Inputs []input `json:"inputs"`
	}
	if !strict(body, &in) || len(in.Inputs) == 0 {
		return fail(http.StatusBadRequest, "", "Invalid input JSON on line 1, column 1")
	}
	if len(in.Inputs) > maxInputs {
		return fail(http.StatusBadRequest, "VALIDATION_ERROR", "The maximum number of inputs supported in a batch request is 100")
	}
	if a, bad := o.duplicates(in.Inputs); bad {
		return a
	}
	traced := !slices.ContainsFunc(in.Inputs, func(i input) bool { return i.TraceID == "" })
	checked := make([]*apiError, len(in.Inputs))
	for i, one := range in.Inputs {
		e, status := s.refused(one), http.StatusBadRequest
		if e == nil {
			e, status = o.check(kind, one)
		}
		if e == nil {
			continue
		}
		conflict := status == http.StatusConflict
		if !traced || conflict && s.faults.ConflictFailsBatch || !conflict && s.faults.InvalidFailsBatch {
			return answer{status: status, body: *e}
		}
		e.Context.TraceIDs = []string{one.TraceID}
		checked[i] = e
	}
	results, errs := []map[string]any{}, []apiError{}
	for i, one := range in.Inputs {
		if checked[i] != nil {
			errs = append(errs, *checked[i])
			continue
		}
		if s.faults.Silent > 0 {
			s.faults.Silent--
			continue
		}
		results = append(results, s.apply(o, kind, one))
	}
	s.random.Shuffle(len(results), func(i, j int) { results[i], results[j] = results[j], results[i] })
	s.random.Shuffle(len(errs), func(i, j int) { errs[i], errs[j] = errs[j], errs[i] })
	out := map[string]any{"status": "COMPLETE", "results": results}
	if len(errs) > 0 {
		out["errors"], out["numErrors"] = errs, len(errs)
		return answer{status: http.StatusMultiStatus, body: out}
	}
	if kind == "create" {
		return answer{status: http.StatusCreated, body: out}
	}
	return answer{status: http.StatusOK, body: out}
}

func (o *object) duplicates(inputs []input) (answer, bool) {
	seen := map[[2]string]bool{}
	var twice []string
	for _, one := range inputs {
		k := [2]string{one.IDProperty, one.ID}
		if one.ID != "" && seen[k] {
			twice = append(twice, one.ID)
		}
		seen[k] = true
	}
	if len(twice) == 0 {
		return answer{}, false
	}
	a := fail(http.StatusBadRequest, "VALIDATION_ERROR", fmt.Sprintf("Duplicate IDs found in batch input: [%s]. IDs must be unique", strings.Join(twice, ", ")))
	body := a.body.(apiError)
	body.Context.IDs = twice
	a.body = body
	return a, true
}

// check says what is wrong with an input.
func (o *object) check(kind string, one input) (*apiError, int) {
	bad := func(message string) (*apiError, int) {
		return &apiError{Status: "error", Category: "VALIDATION_ERROR", Message: message}, http.StatusBadRequest
	}
	var existing *record
	if kind == "upsert" {
		if p := o.properties[one.IDProperty]; !p.Unique || one.ID == "" {
			return bad("idProperty must be a unique property and id its value")
		}
		existing = o.find(one.IDProperty, one.ID)
	}
	for _, name := range slices.Sorted(maps.Keys(one.Properties)) {
		value := one.Properties[name]
		p, ok := o.properties[name]
		if !ok {
			e := unknownProperty(name)
			return &e, http.StatusBadRequest
		}
		if _, e := p.accept(value); e != nil {
			return e, http.StatusBadRequest
		}
		if !p.Unique || value == "" {
			continue
		}
		if other := o.find(name, value); other != nil && other != existing {
			return &apiError{Status: "error", Category: "CONFLICT", Message: "Record already exists. Existing ID: " + other.id}, http.StatusConflict
		}
	}
	if existing == nil {
		for _, names := range o.required {
			if !slices.ContainsFunc(names, func(n string) bool { return one.Properties[n] != "" }) {
				return bad("Error creating record. Some required properties were not set: " + strings.Join(names, ", "))
			}
		}
	}
	return nil, 0
}

func (s *Server) apply(o *object, kind string, one input) map[string]any {
	var r *record
	if kind == "upsert" {
		r = o.find(one.IDProperty, one.ID)
	}
	isNew := r == nil
	if isNew {
		s.nextID++
		r = &record{id: strconv.FormatInt(s.nextID, 10), properties: map[string]string{}}
		r.properties["hs_object_id"] = r.id
		o.records[r.id] = r
	}
	if kind == "upsert" {
		o.set(r, one.IDProperty, one.ID)
	}
	for name, value := range one.Properties {
		kept, _ := o.properties[name].accept(value) // checked before
		o.set(r, name, kept)
	}
	result := map[string]any{"id": r.id, "properties": map[string]string{"hs_object_id": r.id}, "archived": false}
	if kind == "upsert" {
		result["new"] = isNew
	}
	if one.TraceID != "" {
		result["objectWriteTraceId"] = one.TraceID
	}
	return result
}

// read is batch/read.
func (s *Server) read(o *object, body []byte) answer {
	var in struct {
		IDProperty string   `json:"idProperty"`
		Inputs     []input  `json:"inputs"`
		Properties []string `json:"properties"`
		History    []string `json:"propertiesWithHistory"`
	}
	if !strict(body, &in) || len(in.Inputs) == 0 {
		return fail(http.StatusBadRequest, "", "Invalid input JSON on line 1, column 1")
	}
	if len(in.Inputs) > maxInputs {
		return fail(http.StatusBadRequest, "VALIDATION_ERROR", "The maximum number of inputs supported in a batch request is 100")
	}
	if a, bad := o.duplicates(in.Inputs); bad {
		return a
	}
	if in.IDProperty == "" {
		in.IDProperty = "hs_object_id"
	} else if !o.properties[in.IDProperty].Unique {
		return fail(http.StatusBadRequest, "VALIDATION_ERROR", "idProperty "+in.IDProperty+" is not a unique property")
	}
	results, missing := []map[string]any{}, []string{}
	for _, one := range in.Inputs {
		r := o.find(in.IDProperty, one.ID)
		if r == nil {
			missing = append(missing, one.ID)
			continue
		}
		properties := map[string]any{"hs_object_id": r.id}
		for _, name := range in.Properties {
			if v, ok := r.properties[name]; ok {
				properties[name] = v
			} else if _, defined := o.properties[name]; defined {
				properties[name] = nil
			}
		}
		results = append(results, map[string]any{"id": r.id, "properties": properties, "archived": false})
	}
	s.random.Shuffle(len(results), func(i, j int) { results[i], results[j] = results[j], results[i] })
	out := map[string]any{"status": "COMPLETE", "results": results}
	if len(missing) == 0 {
		return answer{status: http.StatusOK, body: out}
	}
	out["numErrors"] = 1
	out["errors"] = []apiError{{
		Status: "error", Category: "OBJECT_NOT_FOUND", Context: errorContext{IDs: missing},
		Message: "Could not get some objects, they may be deleted or not exist. Check that ids are valid.",
	}}
	return answer{status: http.StatusMultiStatus, body: out}
}

// archive is batch/archive. An unknown id is no error.
func (s *Server) archive(o *object, body []byte) answer {
	var in struct {
		Inputs []input `json:"inputs"`
	}
	if !strict(body, &in) || len(in.Inputs) == 0 || len(in.Inputs) > maxInputs {
		return fail(http.StatusBadRequest, "VALIDATION_ERROR", "a batch has 1 to 100 inputs")
	}
	for _, one := range in.Inputs {
		if r := o.records[one.ID]; r != nil {
			o.archive(r)
		}
	}
	return answer{status: http.StatusNoContent}
}

// associate makes links with the default label.
func (s *Server) associate(from, to string, body []byte) answer {
	type end struct {
		ID string `json:"id"`
	}
	var in struct {
		Inputs []struct {
			From end `json:"from"`
			To   end `json:"to"`
		} `json:"inputs"`
	}
	if !strict(body, &in) || len(in.Inputs) == 0 || len(in.Inputs) > maxLinks {
		return fail(http.StatusBadRequest, "VALIDATION_ERROR", "a batch has 1 to 2000 inputs")
	}
	there := func(object, id string) bool {
		r := s.objects[object].records[id]
		return r != nil && !r.archived
	}
	var refused *answer
	var good []Association
	for _, one := range in.Inputs {
		switch {
		case !there(from, one.From.ID), !there(to, one.To.ID):
			refused = new(fail(http.StatusNotFound, "OBJECT_NOT_FOUND", "one or more of the records do not exist"))
		case slices.Contains(s.faults.BadLinks, one.To.ID):
			refused = new(fail(http.StatusBadRequest, "VALIDATION_ERROR", "one or more of the associations are not valid"))
		default:
			good = append(good, Association{From: from, FromID: one.From.ID, To: to, ToID: one.To.ID})
		}
	}
	if refused != nil && !s.faults.MixedLinks {
		return *refused
	}
	for _, link := range good {
		s.links[link] = struct{}{}
	}
	if refused != nil {
		return answer{status: http.StatusMultiStatus, body: map[string]any{"status": "COMPLETE", "results": []any{}, "numErrors": 1, "errors": []any{refused.body}}}
	}
	return answer{status: http.StatusOK, body: map[string]any{"status": "COMPLETE", "results": []any{}}}
}
