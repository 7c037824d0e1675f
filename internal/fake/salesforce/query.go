package salesforce

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
)

// selection is the only query there is: fields of one object by a list of texts.
var selection = regexp.MustCompile(`(?s)^SELECT ([\w, ]+) FROM (\w+) WHERE (\w+) IN \((.*)\)$`)

func (s *Server) query(c *call) {
	status, body := s.selected(c.r.URL.Query().Get("q"))
	answer(c.w, status, body)
}

// selected is the answer to a query.
func (s *Server) selected(soql string) (status int, body any) {
	m := selection.FindStringSubmatch(soql)
	if m == nil {
		return http.StatusBadRequest, []any{problem("MALFORMED_QUERY", "unexpected token").encode("errorCode")}
	}
	object, where := m[2], m[3]
	if _, ok := s.options.Schema[object]; !ok {
		return http.StatusBadRequest, []any{problem("INVALID_TYPE", "sObject type '"+object+"' is not supported.").encode("errorCode")}
	}
	names := strings.Split(strings.ReplaceAll(m[1], " ", ""), ",")
	for _, name := range append([]string{where}, names...) {
		if _, ok := s.options.Schema[object][name]; !ok && name != "Id" {
			return http.StatusBadRequest, []any{problem("INVALID_FIELD", "No such column '"+name+"' on entity '"+object+"'.").encode("errorCode")}
		}
	}
	wanted, ok := texts(m[4])
	if !ok {
		return http.StatusBadRequest, []any{problem("MALFORMED_QUERY", "unexpected token in the list").encode("errorCode")}
	}
	records := []any{}
	for _, value := range wanted {
		r := s.find(object, where, value)
		if r == nil {
			continue
		}
		row := map[string]any{"attributes": map[string]string{"type": object}}
		for _, name := range names {
			text, ok := r[name]
			switch kind := s.options.Schema[object][name].Kind; {
			case !ok:
				row[name] = nil
			case kind == Number, kind == Checkbox:
				row[name] = json.RawMessage(text)
			default:
				row[name] = text
			}
		}
		records = append(records, row)
	}
	return http.StatusOK, map[string]any{"totalSize": len(records), "done": true, "records": records}
}

// escapes of SOQL texts.
var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f', '\'': '\'', '"': '"', '\\': '\\'}

// texts reads a list of quoted texts.
func texts(list string) (out []string, ok bool) {
	for {
		if !strings.HasPrefix(list, "'") {
			return nil, false
		}
		var text strings.Builder
		i := 1
		for ; i < len(list) && list[i] != '\''; i++ {
			switch c := list[i]; {
			case c == '\\' && i+1 < len(list):
				i++
				e, known := escapes[list[i]]
				if !known {
					return nil, false
				}
				text.WriteByte(e)
			case c == '\n' || c == '\r' || c == '\\':
				return nil, false
			default:
				text.WriteByte(c)
			}
		}
		if i == len(list) {
			return nil, false
		}
		out = append(out, text.String())
		if list = list[i+1:]; list == "" {
			return out, true
		}
		if list, ok = strings.CutPrefix(list, ","); !ok {
			return nil, false
		}
	}
}
