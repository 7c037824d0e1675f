package main

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/plugins/destination"
)

// CheckObject implements [destination.ObjectChecker]. Properties that are made
// when they are first needed are not unknown.
func (d *hubspot) CheckObject(ctx context.Context, object string, fields []string) (destination.ObjectCheck, error) {
	if !objectForm.MatchString(object) {
		return destination.ObjectCheck{Missing: true}, nil
	}
	o, err := d.schemas.take(ctx, object)
	if f, ok := errors.AsType[*destination.Failure](err); ok && f.Code == codeObject {
		return destination.ObjectCheck{Missing: true}, nil
	}
	if err != nil {
		return destination.ObjectCheck{}, resultFailure(d.client.result(err))
	}
	defer o.release()
	out := destination.ObjectCheck{Known: slices.Sorted(maps.Keys(o.definitions))}
	for _, field := range fields {
		name, err := propertyName(field)
		_, there := o.definitions[name]
		if err != nil || !there && d.client.options.Properties == propertiesFixed {
			out.Unknown = append(out.Unknown, field)
		}
	}
	return out, nil
}
