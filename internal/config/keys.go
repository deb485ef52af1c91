package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// A key is one value of the configuration.
//
// Invariant: no two keys have the same path, variable or flag (a test makes the
// table and compares).
type key struct {
	path  string // in the file, with dots: "holds.organizer"
	usage string // one line, as in a flag's help
	// field is where the value is kept: a pointer of one of the types in set.
	field func(*Config) any
	// secret: neither in the file nor a flag, and never shown.
	secret bool
	// common: shown in the short help of a command.
	common bool
}

// EnvPrefix begins the name of every environment variable that is a key.
const EnvPrefix = "VIBE_BRIDGE_"

// env is the key's environment variable.
func (k key) env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(k.path, ".", "_"))
}

// flag is the key's command line flag, without dashes in front.
func (k key) flag() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(k.path)
}

// keys is the table of all keys, in the order of the example file.
var keys = func() []key {
	all := []key{
		{path: "name", common: true, usage: "name of the deployment: prefix of its groups, internal topics and state",
			field: func(c *Config) any { return &c.Name }},
		{path: "edition", common: true, usage: "edition of the slim contract: 1.0 or 2.0",
			field: func(c *Config) any { return &c.Edition }},
		{path: "format", common: true, usage: "json, or protobuf (edition 1.0 only)",
			field: func(c *Config) any { return &c.Format }},
		{path: "application_id", usage: "value of the header application-id",
			field: func(c *Config) any { return &c.ApplicationID }},
		{path: "source_header", usage: "whether slim records carry the header bridge-source",
			field: func(c *Config) any { return &c.SourceHeader }},
		{path: "default_timezone", usage: "zone of events whose venue is unknown (IANA name)",
			field: func(c *Config) any { return &c.DefaultTimezone }},
		{path: "directory_file", common: true, usage: "JSON file with categories, cities and venues",
			field: func(c *Config) any { return &c.DirectoryFile }},
		{path: "categories_file", usage: "table of category names, instead of the built-in one",
			field: func(c *Config) any { return &c.CategoriesFile }},
		{path: "state_dir", common: true, usage: "folder for local state; each instance needs its own",
			field: func(c *Config) any { return &c.StateDir }},
		{path: "partitions", usage: "partitions of internal topics and tables; fixed once there is state",
			field: func(c *Config) any { return &c.Partitions }},
		{path: "holds.organizer", usage: "how long an event waits for its organizer",
			field: func(c *Config) any { return &c.Holds.Organizer }},
		{path: "holds.set", usage: "how long an order waits for a ticket set of its event",
			field: func(c *Config) any { return &c.Holds.Set }},
		{path: "stall_after", usage: "how long a partition with records may acknowledge none before the instance is not ready",
			field: func(c *Config) any { return &c.StallAfter }},
		{path: "takeover_repeat", usage: "when to send again what a former owner of a partition may still have on its way; 0s never",
			field: func(c *Config) any { return &c.TakeoverRepeat }},
		{path: "priming", usage: "whether orders and refunds wait at the start until partners and events have caught up",
			field: func(c *Config) any { return &c.Priming }},
		{path: "quarantine.max_share", usage: "share of a topic's records in quarantine above which the topic is paused; 0 or 1 never",
			field: func(c *Config) any { return &c.Quarantine.MaxShare }},
		{path: "quarantine.window", usage: "time over which that share is taken",
			field: func(c *Config) any { return &c.Quarantine.Window }},
		{path: "quarantine.min_records", usage: "how many records there have to be in it, on one instance",
			field: func(c *Config) any { return &c.Quarantine.MinRecords }},
		{path: "sweep_interval", usage: "how often long-parked records are looked at",
			field: func(c *Config) any { return &c.SweepInterval }},
		{path: "max_message_bytes", usage: "largest slim record; larger ones go to quarantine",
			field: func(c *Config) any { return &c.MaxMessageBytes }},
		{path: "replication", usage: "replicas of the topics that the bridge creates",
			field: func(c *Config) any { return &c.Replication }},
		{path: "min_insync", usage: "min.insync.replicas of the topics that the bridge creates",
			field: func(c *Config) any { return &c.MinInsync }},
		{path: "internal_retention", usage: "how long internal topics keep records; must outlast any stop",
			field: func(c *Config) any { return &c.InternalRetention }},
		{path: "session_timeout", usage: "after how long a silent instance loses its partitions",
			field: func(c *Config) any { return &c.SessionTimeout }},
		{path: "stop_timeout", usage: "how long an instance that ends waits for acknowledgements",
			field: func(c *Config) any { return &c.StopTimeout }},
		{path: "encryption.keys_file", usage: "file with the keys that encrypt personal texts in internal topics and tables; empty: they rest as they are",
			field: func(c *Config) any { return &c.Encryption.KeysFile }},
		{path: "http.listen", common: true, usage: "address of health, metrics and the console; empty: off",
			field: func(c *Config) any { return &c.HTTP.Listen }},
		{path: "http.advertise", usage: "URL under which other instances reach this one; empty: that of http.listen",
			field: func(c *Config) any { return &c.HTTP.Advertise }},
		{path: "http.tls_cert_file", usage: "PEM file of the certificate for HTTPS; empty: HTTP",
			field: func(c *Config) any { return &c.HTTP.TLSCertFile }},
		{path: "http.tls_key_file", usage: "PEM file of its key",
			field: func(c *Config) any { return &c.HTTP.TLSKeyFile }},
		{path: "http.client_ca_file", usage: "PEM file of authorities whose client certificates may view",
			field: func(c *Config) any { return &c.HTTP.ClientCAFile }},
		{path: "http.view_token_file", usage: "file with the token to view the console; empty: no token may",
			field: func(c *Config) any { return &c.HTTP.ViewTokenFile }},
		{path: "http.act_token_file", usage: "file with the token to act: resync, resume, replay; empty: nobody may",
			field: func(c *Config) any { return &c.HTTP.ActTokenFile }},
		{path: "http.personal_token_file", usage: "file with the token to view personal data as it is; empty: nobody may",
			field: func(c *Config) any { return &c.HTTP.PersonalTokenFile }},
		{path: "http.metrics_token_file", usage: "file with the token to read /metrics; empty: everybody may",
			field: func(c *Config) any { return &c.HTTP.MetricsTokenFile }},
		{path: "http.pprof_listen", usage: "loopback address of Go's profiles; empty: off",
			field: func(c *Config) any { return &c.HTTP.PprofListen }},
		{path: "log.level", common: true, usage: "debug, info, warn or error",
			field: func(c *Config) any { return &c.Log.Level }},
		{path: "log.format", common: true, usage: "auto, text or json",
			field: func(c *Config) any { return &c.Log.Format }},
		{path: "topics.partners", usage: "legacy topic of partners",
			field: func(c *Config) any { return &c.Topics.Partners }},
		{path: "topics.events", usage: "legacy topic of events",
			field: func(c *Config) any { return &c.Topics.Events }},
		{path: "topics.orders", usage: "legacy topic of orders",
			field: func(c *Config) any { return &c.Topics.Orders }},
		{path: "topics.refunds", usage: "legacy topic of refund requests",
			field: func(c *Config) any { return &c.Topics.Refunds }},
		{path: "slim.events", usage: "slim topic of events, without prefix and suffix",
			field: func(c *Config) any { return &c.Slim.Events }},
		{path: "slim.orders", usage: "slim topic of orders, without prefix and suffix",
			field: func(c *Config) any { return &c.Slim.Orders }},
		{path: "slim.refunds", usage: "slim topic of refunds, without prefix and suffix",
			field: func(c *Config) any { return &c.Slim.Refunds }},
		{path: "slim.prefix", common: true, usage: "what the names of all slim topics begin with",
			field: func(c *Config) any { return &c.Slim.Prefix }},
		{path: "slim.suffix", usage: "what the names of all slim topics end with",
			field: func(c *Config) any { return &c.Slim.Suffix }},
		{path: "slim.partitions", usage: "partitions of the slim topics that the bridge creates",
			field: func(c *Config) any { return &c.Slim.Partitions }},
		{path: "compare.against", usage: "what the slim topics are compared with: legacy or slim",
			field: func(c *Config) any { return &c.Compare.Against }},
		{path: "compare.other.cluster", usage: "cluster of the other slim topics: source, target or state",
			field: func(c *Config) any { return &c.Compare.Other.Cluster }},
		{path: "compare.other.edition", usage: "their edition: 1.0 or 2.0; empty: that of the deployment",
			field: func(c *Config) any { return &c.Compare.Other.Edition }},
		{path: "compare.other.format", usage: "their format: json or protobuf; empty: that of the deployment",
			field: func(c *Config) any { return &c.Compare.Other.Format }},
		{path: "compare.other.application_id", usage: "their header application-id; empty: that of the deployment",
			field: func(c *Config) any { return &c.Compare.Other.ApplicationID }},
		{path: "compare.other.events", usage: "the other slim topic of events",
			field: func(c *Config) any { return &c.Compare.Other.Events }},
		{path: "compare.other.orders", usage: "the other slim topic of orders",
			field: func(c *Config) any { return &c.Compare.Other.Orders }},
		{path: "compare.other.refunds", usage: "the other slim topic of refunds",
			field: func(c *Config) any { return &c.Compare.Other.Refunds }},
		{path: "compare.baseline.of", usage: "the side of which the baseline is a replay: left or right",
			field: func(c *Config) any { return &c.Compare.Baseline.Of }},
		{path: "compare.baseline.cluster", usage: "cluster of the baseline's topics: source, target or state",
			field: func(c *Config) any { return &c.Compare.Baseline.Cluster }},
		{path: "compare.baseline.partners", usage: "the baseline's topic of partners, of a replay of the legacy streams",
			field: func(c *Config) any { return &c.Compare.Baseline.Partners }},
		{path: "compare.baseline.events", usage: "the baseline's topic of events",
			field: func(c *Config) any { return &c.Compare.Baseline.Events }},
		{path: "compare.baseline.orders", usage: "the baseline's topic of orders",
			field: func(c *Config) any { return &c.Compare.Baseline.Orders }},
		{path: "compare.baseline.refunds", usage: "the baseline's topic of refunds",
			field: func(c *Config) any { return &c.Compare.Baseline.Refunds }},
		{path: "compare.expected_file", usage: "YAML file of expected differences",
			field: func(c *Config) any { return &c.Compare.ExpectedFile }},
		{path: "compare.noise_file", usage: "report (JSON) of compare once with a baseline, whose noise compare run subtracts",
			field: func(c *Config) any { return &c.Compare.NoiseFile }},
		{path: "compare.grace", usage: "how long a record may be on its way before it is told missing",
			field: func(c *Config) any { return &c.Compare.Grace }},
		{path: "compare.audit_interval", usage: "how long compare run waits between two looks at everything",
			field: func(c *Config) any { return &c.Compare.AuditInterval }},
		{path: "compare.late_after", usage: "how long after all it needs a slim record may come; 0s: whatever it takes",
			field: func(c *Config) any { return &c.Compare.LateAfter }},
		{path: "compare.samples", usage: "how many differences of a kind are shown",
			field: func(c *Config) any { return &c.Compare.Samples }},
		{path: "cutover.min_coverage", usage: "share of the entities that have to be compared: 0 to 1",
			field: func(c *Config) any { return &c.Cutover.MinCoverage }},
		{path: "cutover.max_unexplained_rate", usage: "share of those compared that may differ for no known reason: 0 to 1",
			field: func(c *Config) any { return &c.Cutover.MaxUnexplainedRate }},
		{path: "cutover.max_violations", usage: "how many orders or refunds may have come before what they need",
			field: func(c *Config) any { return &c.Cutover.MaxViolations }},
		{path: "cutover.max_quarantine_age", usage: "how long a record may lie in quarantine unattended",
			field: func(c *Config) any { return &c.Cutover.MaxQuarantineAge }},
		{path: "cutover.days_clean", usage: "for how many days results have to have been clean; 0: no history is needed",
			field: func(c *Config) any { return &c.Cutover.DaysClean }},
		{path: "cutover.min_entities", usage: "how many entities have to be compared",
			field: func(c *Config) any { return &c.Cutover.MinEntities }},
		{path: "cutover.max_behind", usage: "how much older than the comparison the newest slim record may be; 0s: any age",
			field: func(c *Config) any { return &c.Cutover.MaxBehind }},
		{path: "cutover.max_report_age", usage: "how old the report may be that cutover-check is given",
			field: func(c *Config) any { return &c.Cutover.MaxReportAge }},
		{path: "cutover.max_lag", usage: "how many records may be on their way in the bridge",
			field: func(c *Config) any { return &c.Cutover.MaxLag }},
		{path: "cutover.max_parked_age", usage: "how long a record may be parked before it counts for cutover.max_parked",
			field: func(c *Config) any { return &c.Cutover.MaxParkedAge }},
		{path: "cutover.max_parked", usage: "how many may be parked for longer than that",
			field: func(c *Config) any { return &c.Cutover.MaxParked }},
	}
	all = append(all, clusterKeys("source", func(c *Config) *kafka.Cluster { return &c.Source })...)
	all = append(all, clusterKeys("target", func(c *Config) *kafka.Cluster { return &c.Target })...)
	return append(all, clusterKeys("state", func(c *Config) *kafka.Cluster { return &c.State })...)
}()

func clusterKeys(name string, of func(*Config) *kafka.Cluster) []key {
	security := func(c *Config) *kafka.Security { return &of(c).Security }
	list := []key{
		{path: "brokers", common: true, usage: "addresses (host:port) of the " + name + " cluster, separated by commas",
			field: func(c *Config) any { return &of(c).Brokers }},
		{path: "client_id", usage: "name in the brokers' logs and quotas; default: that of the deployment",
			field: func(c *Config) any { return &of(c).ClientID }},
		{path: "version", usage: "version of the brokers, if they misreport it",
			field: func(c *Config) any { return &of(c).Version }},
		{path: "compression", usage: "of what the bridge writes: lz4 or zstd",
			field: func(c *Config) any { return &of(c).Compression }},
		{path: "flush_interval", usage: "how long the producer gathers records",
			field: func(c *Config) any { return &of(c).FlushInterval }},
		{path: "connect_timeout", usage: "bound on connecting and logging in to one broker",
			field: func(c *Config) any { return &of(c).ConnectTimeout }},
		{path: "security.protocol", usage: "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
			field: func(c *Config) any { return &security(c).Protocol }},
		{path: "security.sasl.mechanism", usage: "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
			field: func(c *Config) any { return &security(c).SASL.Mechanism }},
		{path: "security.sasl.username", usage: "who logs in",
			field: func(c *Config) any { return &security(c).SASL.Username }},
		{path: "security.sasl.password", secret: true,
			field: func(c *Config) any { return &security(c).SASL.Password }},
		{path: "security.sasl.password_file", usage: "file that holds the password alone",
			field: func(c *Config) any { return &security(c).SASL.PasswordFile }},
		{path: "security.tls.ca_file", usage: "PEM file of the authorities that sign the brokers' certificates",
			field: func(c *Config) any { return &security(c).TLS.CAFile }},
		{path: "security.tls.cert_file", usage: "PEM file of the client's certificate",
			field: func(c *Config) any { return &security(c).TLS.CertFile }},
		{path: "security.tls.key_file", usage: "PEM file of the client's key",
			field: func(c *Config) any { return &security(c).TLS.KeyFile }},
		{path: "security.tls.server_name", usage: "name expected in the brokers' certificates",
			field: func(c *Config) any { return &security(c).TLS.ServerName }},
	}
	for i := range list {
		list[i].path = name + "." + list[i].path
	}
	return list
}

// set parses text into a field. The error says what is wanted, not what text is.
func set(field any, text string) error {
	switch field := field.(type) {
	case *string:
		*field = text
	case *kafka.Secret:
		*field = kafka.Secret(text)
	case *[]string:
		*field = splitList(text)
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("want true or false")
		}
		*field = text == "true"
	case *float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("want a number, such as 0.5")
		}
		*field = f
	case *int:
		return setInt(field, text, 64)
	case *int32:
		return setInt(field, text, 32)
	case *int16:
		return setInt(field, text, 16)
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("want a duration with its unit, such as 500ms, 10m or 168h")
		}
		*field = d
	default:
		panic(fmt.Sprintf("config: no way to set a %T", field)) // a test sets every key
	}
	return nil
}

func setInt[T int | int16 | int32](field *T, text string, bits int) error {
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return fmt.Errorf("want a whole number")
	}
	*field = T(n)
	return nil
}

// splitList splits at commas. Empty items stay: they are mistakes to be shown.
func splitList(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
