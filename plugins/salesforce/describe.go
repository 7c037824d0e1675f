package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/sluicehq/sluice/plugins/destination"
)

// description is what Salesforce says of an object, as far as it is of use here.
type description struct {
	Fields []struct {
		Name         string `json:"name"`
		Relationship string `json:"relationshipName"`
	} `json:"fields"`
}

// CheckObject implements [destination.ObjectChecker]. The name of a relationship
// is a field too: a mapping names parents by it. What this user may not see is
// not there.
//
// https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
func (d *salesforce) CheckObject(ctx context.Context, object string, fields []string) (destination.ObjectCheck, error) {
	if !apiName.MatchString(object) {
		return d.missing(ctx)
	}
	a, f := d.client.call(ctx, http.MethodGet, "sobjects/"+object+"/describe", "", nil)
	if f != nil && a.status == http.StatusNotFound {
		return d.missing(ctx)
	}
	if f != nil {
		return destination.ObjectCheck{}, f
	}
	var got description
	if err := json.Unmarshal(a.body, &got); err != nil || len(got.Fields) == 0 {
		return destination.ObjectCheck{}, errors.New("the answer of Salesforce to describe is not whole")
	}
	var out destination.ObjectCheck
	for _, field := range got.Fields {
		out.Known = append(out.Known, field.Name)
		if field.Relationship != "" {
			out.Known = append(out.Known, field.Relationship)
		}
	}
	for _, name := range fields {
		if !slices.Contains(out.Known, name) {
			out.Unknown = append(out.Unknown, name)
		}
	}
	return out, nil
}

// missing lists the objects that there are instead.
func (d *salesforce) missing(ctx context.Context) (destination.ObjectCheck, error) {
	a, f := d.client.call(ctx, http.MethodGet, "sobjects", "", nil)
	if f != nil {
		return destination.ObjectCheck{}, f
	}
	var got struct {
		Objects []struct {
			Name string `json:"name"`
		} `json:"sobjects"`
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		return destination.ObjectCheck{}, errors.New("the answer of Salesforce to sobjects is not whole")
	}
	out := destination.ObjectCheck{Missing: true}
	for _, o := range got.Objects {
		out.Known = append(out.Known, o.Name)
	}
	return out, nil
}
