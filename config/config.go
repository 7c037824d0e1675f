// Package config reads Sluice's YAML configuration. Parse is pure; Load does
// the I/O around it. Every problem of a file is reported in one run, with its
// place (file:line:column), what is wrong and what to do. The package knows
// neither Temporal nor plugins: what only they can know (does this plugin
// exist, does it accept these settings) callers check and report through the
// positions kept in [File].
//
// The struct tags are the single description of a setting: the decoder, the
// JSON Schema and the reference page are all made from them. yaml names the key,
// doc explains it, default and required say what happens without it, enum, min
// (inclusive), above (exclusive) and format (address, bytes, sha256) restrict
// it, and secret keeps it out of everything that is printed.
package config

import (
	"time"
)

// Config is a whole configuration, defaults filled in.
type Config struct {
	Server       Server                 `yaml:"server" doc:"The HTTP side."`
	DataDir      string                 `yaml:"data_dir" doc:"Directory of the SQLite ledger and of the embedded Temporal. Only one process may use it at a time." default:"./data"`
	Watch        bool                   `yaml:"watch" doc:"Take a changed configuration over by itself, as sluice reload does. Default: false."`
	Log          Log                    `yaml:"log" doc:"Logging."`
	Ledger       Ledger                 `yaml:"ledger" doc:"The durable store of events, records and deliveries."`
	Temporal     Temporal               `yaml:"temporal" doc:"The Temporal that drives the deliveries."`
	Dispatch     Dispatch               `yaml:"dispatch" doc:"How events become workflows."`
	PluginDirs   []string               `yaml:"plugin_dirs" doc:"Directories that are searched for plugins (sluice-destination-<name>), in order. Default: the folder plugins beside the sluice binary."`
	Sources      map[string]Source      `yaml:"sources" doc:"Where webhooks come from, by name. The name is the last part of the URL: /webhooks/<name>."`
	Destinations map[string]Destination `yaml:"destinations" doc:"Where data goes, by name. Each one is a process of its own."`
	Defaults     Defaults               `yaml:"defaults" doc:"What routes have that do not say otherwise."`
	Models       map[string][]string    `yaml:"models" doc:"The table of data models: which destinations get the records of which model. * and ? are wildcards; of the rows that fit a model only the most precise one counts. Rows come after routes."`
	Routes       []Route                `yaml:"routes" doc:"Which events go to which destinations, in order. All routes that match apply, up to one with stop."`
}

// Server is the HTTP side.
type Server struct {
	Listen          string        `yaml:"listen" doc:"Address of the webhook endpoint." default:"127.0.0.1:8080" format:"address"`
	Admin           string        `yaml:"admin" doc:"Address of the admin API, health checks and metrics." default:"127.0.0.1:8081" format:"address"`
	AdminToken      string        `yaml:"admin_token" doc:"Bearer token of the admin API. Required when admin is not a loopback address." secret:"true"`
	TLS             *TLS          `yaml:"tls" doc:"Serve the webhook endpoint over TLS."`
	MaxBody         int64         `yaml:"max_body" doc:"Largest request body, compressed or not, in bytes or with a unit (KiB, MiB, GiB)." default:"32MiB" format:"bytes" above:"0"`
	MaxInFlight     int           `yaml:"max_in_flight" doc:"Requests handled at a time; more are answered 503 with Retry-After." default:"512" min:"1"`
	MaxConnections  int           `yaml:"max_connections" doc:"Connections open at a time on each listener. With more, those that wait for a request are closed, the oldest first." default:"2048" min:"1"`
	ReadTimeout     time.Duration `yaml:"read_timeout" doc:"How long a client may take to send a request." default:"30s" above:"0s"`
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout" doc:"How long a stop waits for requests and deliveries under way." default:"30s" min:"0s"`
}

// TLS names the files of a certificate. They are read again when they change.
type TLS struct {
	Cert string `yaml:"cert" doc:"PEM file with the certificate chain." required:"true"`
	Key  string `yaml:"key" doc:"PEM file with the private key." required:"true"`
}

// Log configures logging.
type Log struct {
	Level  string `yaml:"level" doc:"debug, info, warn or error." default:"info" enum:"debug,info,warn,error"`
	Format string `yaml:"format" doc:"text or json." default:"text" enum:"text,json"`
}

// Ledger configures the store.
type Ledger struct {
	Retention   time.Duration `yaml:"retention" doc:"How long bodies and finished events are kept. Records, versions and dead letters stay." default:"720h" above:"0s"`
	DedupWindow time.Duration `yaml:"dedup_window" doc:"How long an identical body counts as a repetition when the payload has no id of its own." default:"15m" min:"0s"`
	Postgres    *Postgres     `yaml:"postgres" doc:"Keep the ledger in PostgreSQL, which several instances may share. Absent: SQLite in data_dir, for one process."`
}

// Postgres is a ledger in PostgreSQL.
type Postgres struct {
	URL            string `yaml:"url" doc:"Connection string: postgres://user:password@host:5432/database. Name the server itself or a pooler in session mode." required:"true" secret:"true"`
	Schema         string `yaml:"schema" doc:"Schema of the ledger's tables; created if it is not there." default:"sluice"`
	MaxConnections int    `yaml:"max_connections" doc:"Connections of one instance at most; two of them are kept for news from other instances and for the acceptance of webhooks." default:"12" min:"4"`
}

// Temporal says which Temporal drives the deliveries.
type Temporal struct {
	Address    string       `yaml:"address" doc:"host:port of a Temporal cluster. Absent: Temporal runs embedded." format:"address"`
	Namespace  string       `yaml:"namespace" doc:"Namespace of the workflows, on the cluster or embedded." default:"default"`
	APIKey     string       `yaml:"api_key" doc:"API key for the cluster. Implies TLS." secret:"true"`
	TLS        *TemporalTLS `yaml:"tls" doc:"TLS towards the cluster."`
	UI         string       `yaml:"ui" doc:"URL of the cluster's web UI, for links. Embedded: found by itself."`
	TaskQueue  string       `yaml:"task_queue" doc:"Task queue of the workflows." default:"sluice"`
	Versioning bool         `yaml:"versioning" doc:"Give workflows to the newest version of Sluice that runs (worker deployments), so that a rolling upgrade does not take them back and forth between versions. Needs address." default:"false"`
	Embedded   Embedded     `yaml:"embedded" doc:"The embedded server; used when there is no address."`
}

// TemporalTLS is TLS towards a cluster; certificate and key make it mutual.
type TemporalTLS struct {
	CA         string `yaml:"ca" doc:"PEM file with the certificate authorities to trust. Default: the system's."`
	Cert       string `yaml:"cert" doc:"PEM file with the client certificate."`
	Key        string `yaml:"key" doc:"PEM file with the client key."`
	ServerName string `yaml:"server_name" doc:"Name to expect in the server's certificate."`
}

// Embedded configures the embedded Temporal server.
type Embedded struct {
	Listen    string        `yaml:"listen" doc:"Address of the embedded Temporal frontend; port 0 takes a free one." default:"127.0.0.1:7233" format:"address"`
	UI        string        `yaml:"ui" doc:"Address of the embedded web UI; port 0 takes a free one." default:"127.0.0.1:8233" format:"address"`
	Retention time.Duration `yaml:"retention" doc:"How long finished workflows can be looked at." default:"72h" min:"1h"`
}

// Dispatch bounds how events become workflows.
type Dispatch struct {
	MaxEventsPerWorkflow int `yaml:"max_events_per_workflow" doc:"Events that one workflow takes at most. 1 = a workflow for every event." default:"500" min:"1"`
	MaxInFlight          int `yaml:"max_in_flight" doc:"Workflows whose first pass (merge and first delivery attempt) is not over. Events gather meanwhile." default:"2" min:"1"`
}

// Source is an origin of webhooks.
type Source struct {
	Type string `yaml:"type" doc:"Payload format." enum:"rootfi" required:"true"`
	// Auth is either the scalar "none" or a list of entries that must all pass.
	Auth SourceAuth `yaml:"auth" doc:"How requests prove where they come from: a list of which all must pass, or the word none."`
	// RateLimit is nil without a limit.
	RateLimit *RateLimit `yaml:"rate_limit" doc:"Requests over time, per instance; more are answered 429 with Retry-After. Absent: no limit. RootFi gives a webhook up after three retries, so a limit can lose data."`
}

// RateLimit bounds authenticated requests over time.
type RateLimit struct {
	PerSecond Rate `yaml:"per_second" doc:"Requests per second in the long run." required:"true" above:"0"`
	Burst     int  `yaml:"burst" doc:"Requests that may come at once; 0 = those of one second." default:"0" min:"0"`
}

// SourceAuth is a list of checks, or the explicit absence of any.
type SourceAuth struct {
	None    bool
	Entries []AuthEntry
}

// AuthEntry is one check; exactly one of its fields is set.
type AuthEntry struct {
	Header           *HeaderAuth           `yaml:"header" doc:"A header with a fixed value. This is what RootFi v2 and v3 can send."`
	Basic            *BasicAuth            `yaml:"basic" doc:"HTTP basic authentication."`
	HMAC             *HMACAuth             `yaml:"hmac" doc:"A signature over the body."`
	StandardWebhooks *StandardWebhooksAuth `yaml:"standard_webhooks" doc:"The scheme of standardwebhooks.com."`
}

// HeaderAuth is a header with a fixed value.
type HeaderAuth struct {
	Name  string `yaml:"name" doc:"Name of the header." required:"true"`
	Value string `yaml:"value" doc:"Its value." required:"true" secret:"true"`
}

// BasicAuth is HTTP basic authentication.
type BasicAuth struct {
	Username string `yaml:"username" doc:"User name." required:"true"`
	Password string `yaml:"password" doc:"Password." required:"true" secret:"true"`
}

// HMACAuth is a signature in a header.
type HMACAuth struct {
	Header          string        `yaml:"header" doc:"Header that carries the signature." required:"true"`
	Secrets         []string      `yaml:"secrets" doc:"Keys; any of them may have signed, so that they can be rotated." required:"true" secret:"true"`
	Algorithm       string        `yaml:"algorithm" doc:"sha256 or sha512." default:"sha256" enum:"sha256,sha512"`
	Encoding        string        `yaml:"encoding" doc:"hex, base64 or base64url." default:"hex" enum:"hex,base64,base64url"`
	Prefix          string        `yaml:"prefix" doc:"Text before the signature, such as sha256= or v1=."`
	Signed          string        `yaml:"signed" doc:"What is signed, over {body}, {timestamp} and {id}." default:"{body}"`
	TimestampHeader string        `yaml:"timestamp_header" doc:"Header with the time of signing (Unix seconds or RFC 3339)."`
	IDHeader        string        `yaml:"id_header" doc:"Header with the id of the message."`
	Tolerance       time.Duration `yaml:"tolerance" doc:"How far the time of signing may be off." default:"5m" above:"0s"`
}

// StandardWebhooksAuth is the scheme of standardwebhooks.com.
type StandardWebhooksAuth struct {
	Secrets []string `yaml:"secrets" doc:"Secrets (whsec_…); any of them may have signed." required:"true" secret:"true"`
}

// Destination is a configured instance of a plugin.
type Destination struct {
	Plugin string `yaml:"plugin" doc:"Name of the plugin: sluice-destination-<plugin> is looked up in plugin_dirs." required:"true"`
	SHA256 string `yaml:"sha256" doc:"Expected checksum of the plugin's binary, in hex. Another binary is refused." format:"sha256"`
	// Config holds only nil, bool, string, json.Number, []any and map[string]any:
	// numbers keep the text that the file has.
	Config      map[string]any    `yaml:"config" doc:"Settings of the plugin; see its own reference."`
	Env         map[string]string `yaml:"env" doc:"Environment variables of the plugin's process. It inherits nothing else." secret:"true"`
	Concurrency int               `yaml:"concurrency" doc:"Writes at a time." default:"4" min:"1"`
	RateLimit   Rate              `yaml:"rate_limit" doc:"Write calls per second over all instances; 0 = no limit." default:"0" min:"0"`
	MaxBatch    int               `yaml:"max_batch" doc:"Records per write at most; 0 = as many as the plugin takes." default:"0" min:"0"`
	BatchWait   time.Duration     `yaml:"batch_wait" doc:"How long the first record waits for others, so that writes are fuller, per instance; once they have waited, full writes follow each other at once. For destinations that count calls." default:"0s" min:"0s"`
	Timeout     time.Duration     `yaml:"timeout" doc:"How long one write may take." default:"1m" above:"0s"`
	Retry       Retry             `yaml:"retry" doc:"What happens after a failure that may pass."`
	Limits      Limits            `yaml:"limits" doc:"What the plugin's process may use. Linux only."`
}

// Limits bound the process of a plugin, with all that it starts.
type Limits struct {
	Memory    int64   `yaml:"memory" doc:"Memory, in bytes or with a unit; a plugin in Go needs 256MiB to be at ease. It is killed and started again when it takes more. 0 = no limit." default:"0" format:"bytes" min:"0"`
	CPU       float64 `yaml:"cpu" doc:"Processors, such as 0.5. Needs a control group that systemd has delegated; elsewhere it is GOMAXPROCS for plugins in Go. 0 = no limit." default:"0" min:"0"`
	OpenFiles int     `yaml:"open_files" doc:"Files and connections that are open at a time; 0 = as many as Sluice may have." default:"0" min:"0"`
}

// Rate is a number of calls or requests per second.
type Rate float64

// Retry is the policy after a failure that may pass.
type Retry struct {
	InitialInterval time.Duration `yaml:"initial_interval" doc:"Wait before the second attempt." default:"1s" above:"0s"`
	Coefficient     float64       `yaml:"coefficient" doc:"Factor from one wait to the next." default:"2" min:"1"`
	MaxInterval     time.Duration `yaml:"max_interval" doc:"Longest wait between attempts." default:"5m" above:"0s"`
	MaxElapsed      time.Duration `yaml:"max_elapsed" doc:"Time from a record's first failure after which it becomes a dead letter. Pauses do not count." default:"24h" above:"0s"`
}
