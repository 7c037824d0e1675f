package config

import "reflect"

// Differences lists the settings in which two configurations differ, each as its
// keys from the top. Mappings with names of the user's own (sources,
// destinations), lists and free-form settings are compared as a whole.
func Differences(a, b *Config) [][]string {
	return differences(reflect.ValueOf(*a), reflect.ValueOf(*b), nil)
}

func differences(a, b reflect.Value, path []string) [][]string {
	var out [][]string
	for _, f := range fieldsOf(a.Type()) {
		x, y := a.FieldByIndex(f.index), b.FieldByIndex(f.index)
		at := append(path[:len(path):len(path)], f.key)
		if x.Kind() == reflect.Struct && f.typ != authType {
			out = append(out, differences(x, y, at)...)
		} else if !reflect.DeepEqual(x.Interface(), y.Interface()) {
			out = append(out, at)
		}
	}
	return out
}
