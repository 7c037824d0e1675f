package config

import (
	"reflect"
	"slices"

	"gopkg.in/yaml.v3"
)

// join adds what one file says to what the files before it say. Mappings are
// joined key by key down to what has a name of its own (a source, a destination):
// that stands in one file. Lists of mappings (routes) follow one another. Anything
// else may be said once.
func (d *decoder) join(all, file *yaml.Node, fields []field, path []any) {
	before := len(all.Content)
	if before == 0 {
		all.Line, all.Column = file.Line, file.Column
	}
	for i := 0; i+1 < len(file.Content); i += 2 {
		key, value := file.Content[i], file.Content[i+1]
		at := with(path, key.Value)
		theirs := indexOfKey(all.Content[:before], key.Value)
		if theirs < 0 {
			all.Content = append(all.Content, key, value)
			continue
		}
		firstKey, first := all.Content[theirs], all.Content[theirs+1]
		var typ reflect.Type
		if j := slices.IndexFunc(fields, func(f field) bool { return f.key == key.Value }); j >= 0 {
			typ = fields[j].typ
			if typ.Kind() == reflect.Pointer {
				typ = typ.Elem()
			}
		}
		switch {
		case typ == nil || typ == authType || typ == settingsType:
			d.twice(at, firstKey, key)
		case isNothing(value):
		case isNothing(first):
			all.Content[theirs+1] = value
		case typ.Kind() == reflect.Struct && first.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode:
			d.join(first, value, d.fields(typ), at)
		case typ.Kind() == reflect.Map && first.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode:
			d.join(first, value, nil, at)
		case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct && first.Kind == yaml.SequenceNode && value.Kind == yaml.SequenceNode:
			first.Content = append(first.Content, value.Content...)
		default:
			d.twice(at, firstKey, key)
		}
	}
}

func isNothing(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// twice reports what two files say. Both places are named, for either may be the
// one to change.
func (d *decoder) twice(path []any, first, second *yaml.Node) {
	d.addNode(second, path, "keep one of them", "is already set at %s", d.texts.place(first.Line, second.Line))
}

// indexOfKey returns where a key is among the contents of a mapping, or -1.
func indexOfKey(content []*yaml.Node, key string) int {
	for i := 0; i+1 < len(content); i += 2 {
		if content[i].Kind == yaml.ScalarNode && content[i].Value == key {
			return i
		}
	}
	return -1
}
