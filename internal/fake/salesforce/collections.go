package salesforce

import (
	"encoding/json"
	"net/http"
	"strings"
)

// maxCollection is how many records one collection may hold.
const maxCollection = 200

// collection reads the body of a collection.
func (s *Server) collection(c *call) (list []map[string]json.RawMessage, ok bool) {
	var body struct {
		AllOrNone bool                         `json:"allOrNone"`
		Records   []map[string]json.RawMessage `json:"records"`
	}
	if err := json.Unmarshal(c.body, &body); err != nil {
		c.refuse(http.StatusBadRequest, problem("JSON_PARSER_ERROR", "The HTTP entity body is not JSON"))
		return nil, false
	}
	if c.records = len(body.Records); c.records == 0 || c.records > maxCollection {
		c.refuse(http.StatusBadRequest, problem("EXCEEDED_MAX_SIZE_REQUEST", "record limit reached. cannot submit more than 200 records into this call"))
		return nil, false
	}
	if body.AllOrNone {
		c.refuse(http.StatusBadRequest, problem("NOT_SUPPORTED", "this fake has no allOrNone"))
		return nil, false
	}
	return body.Records, true
}

// objectOf is the type in a record's attributes.
func objectOf(members map[string]json.RawMessage) string {
	var attributes struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(members["attributes"], &attributes) // no type is refused as one that is unknown
	return attributes.Type
}

func (s *Server) upsertCollection(c *call) {
	object, external := c.r.PathValue("object"), c.r.PathValue("external")
	if !s.object(c, object) {
		return
	}
	if !s.options.Schema[object][external].ExternalID {
		c.refuse(http.StatusNotFound, problem("NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+external))
		return
	}
	list, ok := s.collection(c)
	if !ok {
		return
	}
	read := make([]map[string]*string, len(list))
	problems := make([]*apiError, len(list))
	for i, members := range list {
		if _, ok := members["Id"]; ok || objectOf(members) != object {
			c.refuse(http.StatusBadRequest, problem("INVALID_FIELD", "records need attributes.type "+object+" and no Id"))
			return
		}
		var malformed bool
		if read[i], problems[i], malformed = s.fromJSON(object, members); malformed {
			c.refuse(http.StatusBadRequest, problems[i])
			return
		}
	}
	results := make([]any, len(list))
	seen := map[string]bool{}
	for i := range list {
		if problems[i] == nil && read[i][external] != nil {
			if seen[*read[i][external]] {
				problems[i] = problem("DUPLICATE_VALUE", "Duplicate external id specified: "+*read[i][external], external)
			}
			seen[*read[i][external]] = true
		}
		var id string
		var created bool
		if problems[i] == nil {
			id, created, problems[i] = s.upsert(object, external, read[i])
		}
		results[i] = result(id, created, problems[i])
	}
	answer(c.w, http.StatusOK, results)
}

func (s *Server) updateCollection(c *call) {
	list, ok := s.collection(c)
	if !ok {
		return
	}
	results := make([]any, len(list))
	for i, members := range list {
		var id string
		_ = json.Unmarshal(members["id"], &id) // no id is one that is unknown
		delete(members, "id")
		object := objectOf(members)
		old, ok := s.records[object][id]
		if !ok {
			results[i] = result("", false, problem("ENTITY_IS_DELETED", "entity is deleted"))
			continue
		}
		values, err, malformed := s.fromJSON(object, members)
		if malformed {
			c.refuse(http.StatusBadRequest, err)
			return
		}
		if err == nil {
			id, err = s.save(object, old, values)
		}
		results[i] = result(id, false, err)
	}
	answer(c.w, http.StatusOK, results)
}

func (s *Server) deleteCollection(c *call) {
	ids := strings.Split(c.r.URL.Query().Get("ids"), ",")
	if c.records = len(ids); len(ids) > maxCollection {
		c.refuse(http.StatusBadRequest, problem("EXCEEDED_MAX_SIZE_REQUEST", "record limit reached. cannot submit more than 200 records into this call"))
		return
	}
	results := make([]any, len(ids))
	for i, id := range ids {
		results[i] = result(id, false, s.remove(id))
	}
	answer(c.w, http.StatusOK, results)
}

func result(id string, created bool, err *apiError) any {
	if err != nil {
		return map[string]any{"success": false, "errors": []any{err.encode("statusCode")}}
	}
	return map[string]any{"id": id, "success": true, "errors": []any{}, "created": created}
}
