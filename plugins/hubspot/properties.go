package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/sluicehq/sluice/plugins/destination"
)

// definition is a property as HubSpot describes it.
type definition struct {
	Name      string   `json:"name"`
	Label     string   `json:"label"`
	GroupName string   `json:"groupName"`
	Type      string   `json:"type"`
	FieldType string   `json:"fieldType"`
	Unique    bool     `json:"hasUniqueValue"`
	Options   []option `json:"options,omitempty"`
}

type option struct {
	Label  string `json:"label"`
	Value  string `json:"value"`
	Order  int    `json:"displayOrder"`
	Hidden bool   `json:"hidden"`
}

// schemas knows the properties of objects and makes what is missing.
type schemas struct {
	client *client

	mu      sync.Mutex
	objects map[string]*schema
}

// schema is one object's. Who works on it holds the turn, which, unlike a mutex,
// can be waited for until the context ends.
type schema struct {
	turn        chan struct{}
	definitions map[string]definition // nil: not read yet
}

func newSchemas(c *client) *schemas {
	return &schemas{client: c, objects: map[string]*schema{}}
}

func (s *schemas) of(object string) *schema {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[object]
	if o == nil {
		o = &schema{turn: make(chan struct{}, 1)}
		s.objects[object] = o
	}
	return o
}

// take waits for the object's turn and returns it with its definitions read.
func (s *schemas) take(ctx context.Context, object string) (*schema, error) {
	o := s.of(object)
	select {
	case o.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if o.definitions == nil {
		if err := s.load(ctx, object, o); err != nil {
			o.release()
			return nil, err
		}
	}
	return o, nil
}

func (o *schema) release() { <-o.turn }

// forget makes the next prepare read the properties again.
func (s *schemas) forget(object string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, object)
}

// prepare makes sure that the key is a unique property and that the wanted
// properties are there. It returns HubSpot's types of those that are.
func (s *schemas) prepare(ctx context.Context, object, key string, wanted map[string]kind) (map[string]string, error) {
	o, err := s.take(ctx, object)
	if err != nil {
		return nil, err
	}
	defer o.release()
	if d, ok := o.definitions[key]; ok && !d.Unique { // before anything is made for it
		return nil, notUnique(object, key)
	}
	if s.client.options.Properties == propertiesCreate {
		if err := s.makeMissing(ctx, object, key, o, wanted); err != nil {
			return nil, err
		}
	}
	if err := s.makeKey(ctx, object, key, o); err != nil {
		return nil, err
	}
	types := map[string]string{}
	for name := range wanted {
		if d, ok := o.definitions[name]; ok {
			types[name] = d.Type
		}
	}
	return types, nil
}

func (s *schemas) load(ctx context.Context, object string, o *schema) error {
	var list struct {
		Results []definition `json:"results"`
	}
	err := s.client.call(ctx, http.MethodGet, s.client.propertyPath(object, ""), nil, &list)
	if e := asAPIError(err); isBad(err) || e != nil && e.status == http.StatusNotFound {
		return &destination.Failure{
			Kind: destination.Misconfigured, Code: codeObject,
			Err: fmt.Errorf("HubSpot has no object %q that this token may see: set object in the route, e.g. companies (%w)", object, err),
		}
	}
	if err != nil {
		return err
	}
	o.definitions = make(map[string]definition, len(list.Results))
	for _, d := range list.Results {
		o.definitions[d.Name] = d
	}
	return nil
}

// makeKey makes the unique property, if the others did not take it along or HubSpot
// did not make it with them: alone, the answer says why.
func (s *schemas) makeKey(ctx context.Context, object, key string, o *schema) error {
	misconfigured := func(text string, args ...any) error {
		return &destination.Failure{Kind: destination.Misconfigured, Code: codeKey, Err: fmt.Errorf(text, args...)}
	}
	if _, ok := o.definitions[key]; !ok && s.client.options.Properties == propertiesCreate {
		d := o.defineKey(key)
		err := s.client.call(ctx, http.MethodPost, s.client.propertyPath(object, ""), d, nil)
		e := asAPIError(err)
		switch {
		case err == nil:
			o.definitions[key] = d
		case e != nil && e.status == http.StatusConflict:
			// Somebody else has made it, maybe not unique.
			if err := s.load(ctx, object, o); err != nil {
				return err
			}
		case isBad(err):
			return misconfigured("HubSpot does not take %s as a unique property of %s: %w", key, object, err)
		default:
			return err
		}
	}
	switch d, ok := o.definitions[key]; {
	case !ok:
		return misconfigured("%s has no property %s: make it, as single-line text with unique values", object, key)
	case !d.Unique:
		return notUnique(object, key)
	}
	return nil
}

func notUnique(object, key string) error {
	return &destination.Failure{
		Kind: destination.Misconfigured, Code: codeKey,
		Err: fmt.Errorf("property %s of %s is not unique, and HubSpot cannot change that: use another name for the key, or delete the property", key, object),
	}
}

// makeMissing makes the properties of records, and the key with them if that is
// missing too: it saves a call. What HubSpot does not take shows when a record has
// it.
func (s *schemas) makeMissing(ctx context.Context, object, key string, o *schema, wanted map[string]kind) error {
	var missing []definition
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if _, ok := o.definitions[name]; !ok && name != key {
			missing = append(missing, o.define(name, wanted[name]))
		}
	}
	if _, ok := o.definitions[key]; !ok && len(missing) > 0 {
		missing = append([]definition{o.defineKey(key)}, missing...)
	}
	for chunk := range slices.Chunk(missing, maxInputs) {
		var made struct {
			Results []definition `json:"results"`
		}
		err := s.client.call(ctx, http.MethodPost, s.client.propertyPath(object, "/batch/create"), batchInput[definition]{chunk}, &made)
		if err != nil && !isBad(err) {
			return err
		}
		for _, d := range made.Results {
			o.definitions[d.Name] = d
		}
	}
	if !slices.ContainsFunc(missing, func(d definition) bool { return o.definitions[d.Name].Name == "" }) {
		return nil
	}
	return s.load(ctx, object, o)
}

// defineKey is the definition of the unique property.
func (o *schema) defineKey(name string) definition {
	d := o.define(name, kinds["text"])
	d.Unique = true
	return d
}

// define is the definition of a new property, in the group of HubSpot's own id,
// which every object has.
func (o *schema) define(name string, k kind) definition {
	d := definition{Name: name, Label: name, GroupName: o.definitions["hs_object_id"].GroupName, Type: k.Type, FieldType: k.FieldType}
	if k == kinds["boolean"] {
		d.Options = []option{{Label: "True", Value: "true"}, {Label: "False", Value: "false", Order: 1}}
	}
	return d
}
