package views

// Place is where the tables are.
type Place struct {
	Schema string // as the database calls it; "" for the destination's default
	Prefix string // of every table's name
}

// PlaceOf returns where a destination makes its tables, by its plugin and the
// settings of that. A database that only an address names is left to the client.
func PlaceOf(plugin string, settings map[string]any) Place {
	text := func(setting, otherwise string) string {
		if s, _ := settings[setting].(string); s != "" {
			return s
		}
		return otherwise
	}
	switch plugin {
	case "bigquery":
		return Place{Schema: text("project", "") + "." + text("dataset", "rootfi")}
	case "snowflake":
		return Place{Schema: text("database", "") + "." + text("schema", "rootfi")}
	}
	return Place{Schema: text("schema", ""), Prefix: text("table_prefix", "")}
}
