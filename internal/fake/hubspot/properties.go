package hubspot

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxUnique is how many unique properties an object may have, maxText how long a
// text may be, maxInputs how many inputs a batch may have, maxLinks one of
// associations.
const (
	maxUnique = 10
	maxText   = 65536
	maxInputs = 100
	maxLinks  = 2000
)

// property is a definition as the API has it.
type property struct {
	Name      string   `json:"name"`
	Label     string   `json:"label"`
	Group     string   `json:"groupName"`
	Type      string   `json:"type"`
	FieldType string   `json:"fieldType"`
	Unique    bool     `json:"hasUniqueValue"`
	Options   []option `json:"options,omitempty"`
	// ReadOnly properties are HubSpot's own.
	ReadOnly bool `json:"-"`
}

type option struct {
	Label  string `json:"label"`
	Value  string `json:"value"`
	Order  int    `json:"displayOrder"`
	Hidden bool   `json:"hidden"`
}

// object is a type of records.
type object struct {
	group      string
	properties map[string]property
	required   [][]string // of each list one
	records    map[string]*record
	unique     map[[2]string]*record // living ones, by name and value of unique properties
}

func newObject(group string, properties ...property) *object {
	o := &object{group: group, properties: map[string]property{}, records: map[string]*record{}, unique: map[[2]string]*record{}}
	for _, name := range []string{"hs_object_id", "hs_createdate", "hs_lastmodifieddate"} {
		o.properties[name] = property{Name: name, Label: name, Group: group, Type: "string", FieldType: "text", ReadOnly: true}
	}
	for _, p := range properties {
		p.Label, p.Group = p.Name, group
		o.properties[p.Name] = p
	}
	return o
}

func (o *object) needs(required ...[]string) *object {
	o.required = required
	return o
}

func texts(names ...string) (out []property) {
	for _, name := range names {
		out = append(out, property{Name: name, Type: "string", FieldType: "text"})
	}
	return out
}

func choice(name string, values ...string) property {
	p := property{Name: name, Type: "enumeration", FieldType: "select"}
	for i, v := range values {
		p.Options = append(p.Options, option{Label: v, Value: v, Order: i})
	}
	return p
}

func standardObjects() map[string]*object {
	number := func(name string) property { return property{Name: name, Type: "number", FieldType: "number"} }
	moment := func(name string) property { return property{Name: name, Type: "datetime", FieldType: "date"} }
	contact := append(texts("firstname", "lastname", "phone", "company"), property{Name: "email", Type: "string", FieldType: "text", Unique: true})
	company := texts("name", "domain", "phone", "website", "address", "city", "state", "zip", "country", "description")
	deal := append(texts("dealname", "description", "deal_currency_code"), number("amount"), moment("closedate"),
		choice("pipeline", "default"),
		choice("dealstage", "appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent", "closedwon", "closedlost"))
	payment := append(texts("hs_currency_code"), number("hs_initial_amount"), moment("hs_initiated_date"))
	return map[string]*object{
		"contacts":  newObject("contactinformation", contact...),
		"companies": newObject("companyinformation", company...).needs([]string{"name", "domain"}),
		"deals":     newObject("dealinformation", deal...).needs([]string{"dealname"}, []string{"dealstage"}, []string{"pipeline"}),
		"payments":  newObject("commerce_payments", payment...).needs([]string{"hs_initial_amount"}, []string{"hs_initiated_date"}),
		"invoices":  newObject("invoice_information", append(texts("hs_currency"), number("hs_amount_billed"))...).needs([]string{"hs_currency"}),
		"tickets":   newObject("ticketinformation", texts("subject", "content", "hs_pipeline", "hs_pipeline_stage")...).needs([]string{"subject"}, []string{"hs_pipeline_stage"}),
	}
}

func (o *object) listProperties() answer {
	list := slices.SortedFunc(maps.Values(o.properties), func(a, b property) int { return strings.Compare(a.Name, b.Name) })
	return answer{status: http.StatusOK, body: map[string]any{"results": list}}
}

func (o *object) createProperty(body []byte) answer {
	var p property
	if !strict(body, &p) {
		return fail(http.StatusBadRequest, "", "Invalid input JSON on line 1, column 1")
	}
	if status, e := o.add(p); status != 0 {
		return answer{status: status, body: e}
	}
	return answer{status: http.StatusCreated, body: p}
}

func (o *object) createProperties(body []byte) answer {
	var in struct {
		Inputs []property `json:"inputs"`
	}
	if !strict(body, &in) || len(in.Inputs) == 0 {
		return fail(http.StatusBadRequest, "", "Invalid input JSON on line 1, column 1")
	}
	if len(in.Inputs) > maxInputs {
		return fail(http.StatusBadRequest, "VALIDATION_ERROR", "The maximum number of inputs supported in a batch request is 100")
	}
	results, errs := []property{}, []apiError{}
	for _, p := range in.Inputs {
		if status, e := o.add(p); status != 0 {
			errs = append(errs, e)
			continue
		}
		results = append(results, p)
	}
	if len(errs) > 0 {
		return answer{status: http.StatusMultiStatus, body: map[string]any{"status": "COMPLETE", "results": results, "errors": errs, "numErrors": len(errs)}}
	}
	return answer{status: http.StatusCreated, body: map[string]any{"status": "COMPLETE", "results": results}}
}

var (
	nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)
	// fieldTypes are those that go with a type.
	fieldTypes = map[string][]string{
		"string": {"text", "textarea", "phonenumber", "html", "file"}, "number": {"number"}, "date": {"date"}, "datetime": {"date"},
		"enumeration": {"booleancheckbox", "checkbox", "radio", "select"}, "bool": {"booleancheckbox"}, "phone_number": {"phonenumber"},
	}
)

// add makes a property, or says why not.
func (o *object) add(p property) (int, apiError) {
	bad := func(message string) (int, apiError) {
		return http.StatusBadRequest, apiError{Status: "error", Category: "VALIDATION_ERROR", Message: message}
	}
	unique := 0
	for _, other := range o.properties {
		if other.Unique {
			unique++
		}
	}
	switch {
	case !nameForm.MatchString(p.Name):
		return bad("Property name " + strconv.Quote(p.Name) + " is not valid")
	case p.Label == "" || p.Group != o.group:
		return bad("label and an existing groupName are required")
	case !slices.Contains(fieldTypes[p.Type], p.FieldType):
		return bad("fieldType " + p.FieldType + " does not go with type " + p.Type)
	case p.Type == "enumeration" && len(p.Options) == 0:
		return bad("an enumeration needs options")
	case p.Unique && unique >= maxUnique:
		return bad("the object has the maximum number of unique properties")
	}
	if _, there := o.properties[p.Name]; there {
		return http.StatusConflict, apiError{Status: "error", Category: "OBJECT_ALREADY_EXISTS", Message: "A property named '" + p.Name + "' already exists."}
	}
	o.properties[p.Name] = p
	return 0, apiError{}
}

var numberForm = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// accept returns the value as it is kept, or what is wrong with it. "" clears.
func (p property) accept(value string) (string, *apiError) {
	refuse := func(code string) (string, *apiError) {
		e := invalid(code, p.Name, "a value was not valid for the property")
		return "", &e
	}
	if p.ReadOnly {
		return refuse("READ_ONLY_VALUE")
	}
	if value == "" {
		return "", nil
	}
	switch p.Type {
	case "number":
		if _, ok := new(big.Rat).SetString(value); !ok || !numberForm.MatchString(value) {
			return refuse("INVALID_DOUBLE")
		}
	case "enumeration", "bool":
		if p.Type == "bool" && value != "true" && value != "false" ||
			p.Type == "enumeration" && !slices.ContainsFunc(p.Options, func(o option) bool { return o.Value == value }) {
			return refuse("INVALID_OPTION")
		}
	case "datetime":
		if ms, err := strconv.ParseInt(value, 10, 64); err == nil {
			return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z"), nil
		}
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return refuse("INVALID_DATE")
		}
		return t.UTC().Format("2006-01-02T15:04:05.000Z"), nil
	case "date":
		if _, err := time.Parse(time.DateOnly, value); err != nil {
			return refuse("INVALID_DATE")
		}
	default:
		if utf8.RuneCountInString(value) > maxText {
			return refuse("VALUE_TOO_LONG")
		}
	}
	return value, nil
}

// strict reads a body that must be of exactly this form.
func strict(body []byte, into any) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into) == nil
}
