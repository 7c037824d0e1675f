package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/hubspot"
	"github.com/sluicehq/sluice/plugins/destination"
)

func TestPropertiesAreMade(t *testing.T) {
	d, account := open(t, fake.Options{}, map[string]any{"property_types": map[string]string{"margin": "number", "since": "date"}})
	b := batch("companies", company("a", 1, `{"name":"A","total":12.50,"active":true,"seen_at":"2026-02-28T23:59:59.123456+05:30","tags":["x"],"note":"n","margin":0.25,"since":"2024-02-29"}`))
	b.Types = map[string]destination.FieldType{
		"total": destination.TypeNumber, "active": destination.TypeBoolean, "seen_at": destination.TypeTimestamp, "tags": destination.TypeJSON,
		"note": destination.TypeText,
	}
	want(t, write(t, d, b), delivered)
	for name, wanted := range map[string]kind{
		"total": {"number", "number"}, "active": {"enumeration", "booleancheckbox"}, "seen_at": {"datetime", "date"}, "tags": {"string", "textarea"},
		"note": {"string", "text"}, "margin": {"number", "number"}, "since": {"date", "date"}, "sluice_version": {"string", "text"},
	} {
		if typ, fieldType, unique, ok := account.Property("companies", name); !ok || unique || (kind{typ, fieldType}) != wanted {
			t.Errorf("property %s is %s/%s, want %v", name, typ, fieldType, wanted)
		}
	}
	if _, _, unique, ok := account.Property("companies", "rootfi_key"); !ok || !unique {
		t.Error("rootfi_key is not a unique property")
	}
	have := byKey(t, account, "companies")["a"]
	for name, wanted := range map[string]string{
		"total": "12.50", "active": "true", "seen_at": "2026-02-28T18:29:59.123Z", "tags": `["x"]`, "margin": "0.25", "since": "2024-02-29", "sluice_version": "1",
	} {
		if have[name] != wanted {
			t.Errorf("%s is %q, want %q", name, have[name], wanted)
		}
	}
	// The key comes with the others.
	var made []string
	for _, c := range account.Calls() {
		if strings.Contains(c.Path, "/properties/") && c.Method == "POST" {
			made = append(made, c.Path)
		}
	}
	if !slices.Equal(made, []string{"/crm/properties/2026-09/companies/batch/create"}) {
		t.Errorf("made by %v", made)
	}
}

func TestFixedProperties(t *testing.T) {
	d, account := open(t, fake.Options{}, map[string]any{"properties": "fixed"})
	results := write(t, d, companies(1))
	want(t, results, destination.Misconfigured)
	if !strings.Contains(results[0].Message, "rootfi_key") {
		t.Errorf("%q does not name the property", results[0].Message)
	}
	if n := len(account.Records("companies")); n != 0 {
		t.Errorf("%d companies", n)
	}
	// With the properties of another run, one that is missing is the record's problem.
	maker, account := open(t, fake.Options{}, nil)
	want(t, write(t, maker, companies(1)), delivered)
	fixed, _ := open(t, fake.Options{}, map[string]any{"properties": "fixed", "base_url": maker.client.options.BaseURL})
	results = write(t, fixed, batch("companies", company("x", 1, `{"name":"X"}`), company("y", 1, `{"name":"Y","region":"west"}`)))
	want(t, results, delivered, refused)
	if results[1].Code != codeUnknownProperty || len(account.Records("companies")) != 2 {
		t.Errorf("%s, %v", results[1].Code, account.Records("companies"))
	}
}

func TestKeys(t *testing.T) {
	d, account := open(t, fake.Options{}, nil)
	for _, key := range []string{"email", "hs_object_id"} {
		b := batch("contacts", company("a", 1, `{"lastname":"A"}`))
		b.KeyFields = []string{key}
		_, err := d.Write(t.Context(), b)
		if r := d.client.result(err); err == nil || r.Kind != destination.Misconfigured {
			t.Errorf("key %s: %v", key, err)
		}
	}
	b := batch("companies", company("a", 1, `{"city":"Goa"}`))
	b.KeyFields = []string{"name"}
	results := write(t, d, b)
	want(t, results, destination.Misconfigured)
	if !strings.Contains(results[0].Message, "not unique") {
		t.Errorf("message %q", results[0].Message)
	}
	if _, _, _, ok := account.Property("companies", "sluice_version"); ok {
		t.Error("properties were made for a key that cannot be one")
	}
	if n := len(account.Records("companies")) + len(account.Records("contacts")); n != 0 {
		t.Errorf("%d records", n)
	}
	want(t, write(t, d, batch("companies", company("", 1, `{"name":"A"}`))), refused)
}

// HubSpot has ten unique properties per object: it makes the other properties and
// says, asked for the key alone, why not this one.
func TestNoRoomForTheKey(t *testing.T) {
	d, account := open(t, fake.Options{}, nil)
	for i := range 10 {
		b := companies(1)
		b.KeyFields = []string{fmt.Sprintf("key%d", i)}
		want(t, write(t, d, b), delivered)
	}
	b := batch("companies", company("a", 1, `{"name":"A","region":"west"}`))
	b.KeyFields = []string{"one_more"}
	results := write(t, d, b)
	want(t, results, destination.Misconfigured)
	if r := results[0]; r.Code != codeKey || !strings.Contains(r.Message, "one_more") || !strings.Contains(r.Message, "maximum number of unique properties") {
		t.Errorf("%s: %s", r.Code, r.Message)
	}
	if _, _, _, ok := account.Property("companies", "region"); !ok {
		t.Error("the other properties were not made")
	}
}

func TestKeysOfSeveralFieldsDoNotMeet(t *testing.T) {
	d, account := open(t, fake.Options{}, nil)
	b := batch("companies", company("", 1, `{"name":"A"}`), company("", 1, `{"name":"B"}`))
	b.KeyFields = []string{"_company_id", "_platform_id"}
	b.Records[0].Key, b.Records[1].Key = []string{"a:b", "c"}, []string{"a", "b:c"}
	want(t, write(t, d, b), delivered)
	if n := len(account.Records("companies")); n != 2 {
		t.Errorf("%d companies, want 2", n)
	}
}

func TestOtherModes(t *testing.T) {
	d, _ := open(t, fake.Options{}, nil)
	b := companies(1)
	b.Mode = destination.ModeChanges
	if _, err := d.Write(t.Context(), b); d.client.result(err).Kind != destination.Misconfigured {
		t.Errorf("changes: %v", err)
	}
}

func TestDryRunShowsNoSecret(t *testing.T) {
	d, account := open(t, fake.Options{}, nil)
	lines, err := d.DryRun(t.Context(), batch("companies", company("a", 1, `{"name":"A"}`), removal("b", 1)))
	text := strings.Join(lines, "\n")
	if err != nil || len(lines) != 2 || strings.Contains(text, token) || len(account.Calls()) != 0 {
		t.Errorf("%v, %d calls: %s", err, len(account.Calls()), text)
	}
	for _, part := range []string{"POST /crm/objects/2026-09/companies/batch/upsert", `"idProperty":"rootfi_key"`, `"name":"A"`, "archive", `"id":"b"`} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in %s", part, text)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"12.50": "12.50", "1.5e3": "1500", "1E-7": "0.0000001", "-2.50e1": "-25.0", "0.10": "0.10", "1e0": "1",
		"12345678901234567890123456789012345678": "12345678901234567890123456789012345678",
	} {
		if got, err := plain(in); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"1e401", "1e-401", "1e99999999999999999999"} {
		if got, err := plain(in); err == nil {
			t.Errorf("%s: %d digits", in, len(got))
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte(`"2026-02-28"`), "date")
	f.Add([]byte(`1.5e3`), "number")
	f.Add([]byte(`{"a":[1,null]}`), "string")
	f.Fuzz(func(t *testing.T, value []byte, propertyType string) {
		text, err := encode(value, propertyType)
		if err == nil && !json.Valid(value) && !json.Valid(firstValue(value)) {
			t.Errorf("%q became %q", value, text)
		}
	})
}

// firstValue is what a decoder takes of the text.
func firstValue(text []byte) []byte {
	d := json.NewDecoder(strings.NewReader(string(text)))
	var raw json.RawMessage
	_ = d.Decode(&raw) // an error leaves it empty
	return raw
}

func TestSettings(t *testing.T) {
	for name, test := range map[string]struct{ raw, want string }{
		"nothing":         {`{}`, "token"},
		"both":            {`{"token":"t","client_id":"c","client_secret":"s","refresh_token":"r"}`, "not both"},
		"half an app":     {`{"client_id":"c","client_secret":"s"}`, "refresh_token"},
		"line break":      {`{"token":"secret-token\n"}`, "line break"},
		"http":            {`{"token":"t","base_url":"http://api.example.com"}`, "https://"},
		"user in the URL": {`{"token":"t","base_url":"https://u:secret-token@example.com"}`, "without user"},
		"old version":     {`{"token":"t","api_version":"v3"}`, "2026-09"},
		"key":             {`{"token":"t","key_property":"RootFi"}`, "key_property"},
		"properties":      {`{"token":"t","properties":"maybe"}`, "create or fixed"},
		"type":            {`{"token":"t","property_types":{"x":"money"}}`, "property_types"},
		"association":     {`{"token":"t","associations":[{"from":"deals","property":"x","to":"companies","to_property":"../x"}]}`, "associations: number 1"},
		"timeout":         {`{"token":"t","timeout":"soon"}`, "30s"},
		"rate":            {`{"token":"t","requests_per_second":-1}`, "requests_per_second"},
		"unknown":         {`{"token":"t","tokens":"t"}`, "tokens"},
	} {
		_, err := parseSettings(json.RawMessage(test.raw))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
