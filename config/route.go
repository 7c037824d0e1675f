package config

// Route says which events go where. A route with routes of its own is a group:
// it delivers nothing itself; what it says holds for those within it, which may
// narrow its filters and replace the rest.
type Route struct {
	Name         string             `yaml:"name" doc:"Names the route in logs, in the ledger and in the Temporal UI; unique." required:"true"`
	Sources      []string           `yaml:"sources" doc:"Sources to match; * and ? are wildcards. Default: all."`
	Events       []string           `yaml:"events" doc:"Kinds of events to match; * stands for all. Default: data_model_changes."`
	Models       []string           `yaml:"models" doc:"Data models to match, without regard to case; * and ? are wildcards. Restricts data_model_changes only. Default: all, or those of the pack."`
	Operations   []string           `yaml:"operations" doc:"CREATE, UPDATE, DELETE. In mode records they restrict what the record became: a deleted record is DELETE, version 1 is CREATE, all else UPDATE. Restricts data_model_changes only. Default: all." enum:"CREATE,UPDATE,DELETE"`
	Companies    []string           `yaml:"companies" doc:"Company ids to match; * and ? are wildcards. Default: all."`
	Integrations []string           `yaml:"integrations" doc:"Integrations to match, without regard to case; * and ? are wildcards. Default: all."`
	SyncTypes    []string           `yaml:"sync_types" doc:"Types of a sync to match (PULL, PUSH), without regard to case. Restricts sync events only. Default: all."`
	Statuses     []string           `yaml:"statuses" doc:"Statuses to match, of a sync (SUCCESS, FAILED) or of a connection (HEALTHY, EXPIRED, DISCONNECTED), without regard to case; * and ? are wildcards. Restricts events that have one. Default: all."`
	Where        string             `yaml:"where" doc:"A condition in CEL over record, key, event, change and previous; see docs/routing.md."`
	Mode         string             `yaml:"mode" doc:"records delivers the merged state of each record; changes delivers every change as it came. Default: records." enum:"records,changes"`
	Mapping      Mapping            `yaml:",inline"`
	For          map[string]Mapping `yaml:"for" doc:"What is different for single destinations of to: the same settings as the route's own, object to depends_on, by destination."`
	To           []string           `yaml:"to" doc:"Destinations. Required, unless a group around the route or defaults names some."`
	Stop         bool               `yaml:"stop" doc:"What this route matches goes to no later route."`
	CatchAll     bool               `yaml:"catch_all" doc:"Take only what no other route takes."`
	Routes       []Route            `yaml:"routes" doc:"Routes within this one, which is a group then."`

	// Within holds the filters of the groups around a route; see [Config.Flat].
	Within []Filter
	// Except are upper-case patterns of models that it leaves to others: those of
	// more precise rows of the table.
	Except []string
	// Path is where the file has the route; see [Config.Flat].
	Path []any
}

// Defaults is what routes have that do not say otherwise.
type Defaults struct {
	Sources      []string `yaml:"sources" doc:"Sources to match."`
	Events       []string `yaml:"events" doc:"Kinds of events to match."`
	Companies    []string `yaml:"companies" doc:"Company ids to match."`
	Integrations []string `yaml:"integrations" doc:"Integrations to match."`
	Mode         string   `yaml:"mode" doc:"records or changes." enum:"records,changes"`
	To           []string `yaml:"to" doc:"Destinations."`
}

// Filter is the part of a route that decides whether it matches. An empty list
// lets everything pass.
type Filter struct {
	Group        string // name of the group that it comes from
	Sources      []string
	Events       []string
	Models       []string
	Operations   []string
	Companies    []string
	Integrations []string
	SyncTypes    []string
	Statuses     []string
	Where        string
}

// Filter returns the route's own filter, without those of groups around it.
func (r *Route) Filter() Filter {
	return Filter{
		Sources: r.Sources, Events: r.Events, Models: r.Models, Operations: r.Operations, Companies: r.Companies,
		Integrations: r.Integrations, SyncTypes: r.SyncTypes, Statuses: r.Statuses, Where: r.Where,
	}
}

// Mapping says how a record becomes what a destination gets. Without one it
// gets all fields under their own names.
type Mapping struct {
	Pack      string            `yaml:"pack" doc:"A ready-made mapping, such as rootfi/hubspot; see docs/mapping.md. What else the route says replaces parts of it."`
	Object    string            `yaml:"object" doc:"Table or object at the destination. Default: the data model in lower case, or events for events without records."`
	Key       []string          `yaml:"key" doc:"Fields, as the destination names them, that identify the record there. They must be the same for all versions of a record. Default: _company_id, _integration_type, _platform_id."`
	Fields    *Fields           `yaml:"fields" doc:"Which fields go under which names. Without it all fields go, or, with map or constants, only what those name."`
	Map       map[string]string `yaml:"map" doc:"Fields of the destination, each with a CEL expression for its value."`
	Constants map[string]any    `yaml:"constants" doc:"Fields of the destination with a fixed value."`
	Expand    Expand            `yaml:"expand" doc:"Lists of the record whose elements become records of an object of their own: a name, a list of names, or a mapping with settings for each."`
	DependsOn map[string]string `yaml:"depends_on" doc:"Data models whose record must be at the destination first, each with the field that holds its platform id."`
}

// Fields chooses fields and their names at the destination.
type Fields struct {
	Include []string          `yaml:"include" doc:"Fields that go; * and ? are wildcards. Default: all."`
	Exclude []string          `yaml:"exclude" doc:"Fields that do not go, whatever else names them; * and ? are wildcards."`
	Rename  map[string]string `yaml:"rename" doc:"New names, by field."`
}

// Expand says, by field, what becomes of the elements of a list.
type Expand map[string]Child

// Child is how an element of a list becomes a record.
type Child struct {
	Object    string            `yaml:"object" doc:"Table or object of the elements. Default: the object of the record, then _ and the field."`
	ID        string            `yaml:"id" doc:"Field of an element that tells it from the others of its list. Default: its position. It is the last part of the key, named _item; the first are those of the record's key."`
	Fields    *Fields           `yaml:"fields" doc:"As for the record."`
	Map       map[string]string `yaml:"map" doc:"As for the record; item is the element, index its position, record the record around it."`
	Constants map[string]any    `yaml:"constants" doc:"As for the record."`
}
