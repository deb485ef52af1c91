// Command dashboard writes the dashboards of deploy/grafana. Run it in deploy/check:
//
//	go run ./dashboard
//
// What belongs here: which panels there are, and what they ask. What does not: rules, which are in deploy/prometheus.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	for name, text := range files() {
		if err := os.WriteFile(filepath.Join("..", "grafana", name), text, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "dashboard:", err)
			os.Exit(1)
		}
	}
}

// files are the dashboards by the name of their file.
func files() map[string][]byte {
	return map[string][]byte{
		"vibe-bridge.json":         render("vibe-bridge", "vibe-bridge", "vibe_bridge_build_info", bridge),
		"vibe-bridge-compare.json": render("vibe-bridge-compare", "vibe-bridge: old against new", "vibe_bridge_compare_verdict", comparison),
	}
}

// A row is a line of panels of equal width, below a heading.
type row struct {
	title  string
	panels []panel
}

// A panel is one picture: numbers over time, or one of now.
type panel struct {
	title, unit string
	stat        bool     // one number instead of a line over time
	red         *float64 // a number from which on it is red
	green       *float64 // a number from which on it is green, and red below
	queries     []query
}

type query struct{ expr, legend string }

func lines(title, unit string, queries ...query) panel {
	return panel{title: title, unit: unit, queries: queries}
}

// bad is a number that has to stay below the limit.
func bad(title, unit, expr string, limit float64) panel {
	return panel{title: title, unit: unit, stat: true, red: &limit, queries: []query{{expr, ""}}}
}

// good is a number that has to reach the limit.
func good(title, unit, expr string, limit float64) panel {
	return panel{title: title, unit: unit, stat: true, green: &limit, queries: []query{{expr, ""}}}
}

const job = `job=~"$job"`

var bridge = []row{
	{"Is it all right", []panel{
		good("Instances ready", "none", `sum(vibe_bridge_ready{`+job+`})`, 2),
		bad("Behind", "s", `max(vibe_bridge:lag_seconds:max{`+job+`})`, 300),
		bad("Order violations", "none", `sum(vibe_bridge_order_violations_total{`+job+`})`, 1),
		bad("Stalled", "none", `sum(vibe_bridge_stalled_partitions{`+job+`})`, 1),
		bad("Topics paused", "none", `sum(max by (topic) (vibe_bridge_paused{`+job+`}))`, 1),
		bad("In quarantine, last hour", "none", `sum(increase(vibe_bridge_quarantined_records_total{`+job+`}[1h]))`, 1),
		{title: "Parked", unit: "none", stat: true, queries: []query{{`sum(vibe_bridge_parked_records{` + job + `})`, ""}}},
		{title: "On their way", unit: "none", stat: true, queries: []query{{`sum(vibe_bridge:accounting_balance:sum{` + job + `})`, ""}}},
	}},
	{"Flow", []panel{
		lines("Legacy records read", "cps", query{`sum by (topic) (vibe_bridge:consumed_records:rate5m{` + job + `})`, "{{topic}}"}),
		lines("Slim records acknowledged", "cps", query{`sum by (topic) (vibe_bridge:emitted_records:rate5m{` + job + `})`, "{{topic}}"}),
		lines("From legacy append to slim acknowledgement, 99 %", "s",
			query{`max by (topic) (vibe_bridge:latency_seconds:p99{` + job + `, path="direct"})`, "{{topic}}"}),
	}},
	{"What waits", []panel{
		lines("Oldest unfinished record", "s", query{`max by (topic) (vibe_bridge:lag_seconds:max{` + job + `})`, "{{topic}}"}),
		lines("Unfinished records", "none", query{`sum by (stage, topic) (vibe_bridge:lag_records:sum{` + job + `})`, "{{stage}} {{topic}}"}),
		lines("In flight, of the fullest partition", "none",
			query{`max by (stage, topic) (vibe_bridge_in_flight_records{` + job + `})`, "{{stage}} {{topic}}"},
			query{`max(vibe_bridge_in_flight_limit_records{` + job + `})`, "limit"}),
	}},
	{"What is held back", []panel{
		lines("Parked, by what is waited for", "none", query{`sum by (topic, reason) (vibe_bridge_parked_records{` + job + `})`, "{{topic}}: {{reason}}"}),
		lines("Parked longest", "s", query{`max by (topic, reason) (vibe_bridge_parked_oldest_seconds{` + job + `})`, "{{topic}}: {{reason}}"}),
		lines("To quarantine", "cps",
			query{`sum by (topic, reason) (rate(vibe_bridge_quarantined_records_total{` + job + `}[$__rate_interval]))`, "{{topic}}: {{reason}}"}),
		lines("Share in quarantine, and where a topic is paused", "percentunit",
			query{`max by (topic) (vibe_bridge_quarantine_share_ratio{` + job + `})`, "{{topic}}"},
			query{`max(vibe_bridge_quarantine_share_limit_ratio{` + job + `})`, "limit"}),
	}},
	{"What else became of records", []panel{
		lines("Skipped", "cps", query{`sum by (topic, reason) (rate(vibe_bridge_skipped_records_total{` + job + `}[$__rate_interval]))`, "{{topic}}: {{reason}}"}),
		lines("Oddities, and what was sent again", "cps", query{`sum by (topic, reason) (rate(vibe_bridge_counted_total{` + job + `}[$__rate_interval]))`, "{{topic}}: {{reason}}"}),
		lines("All records, by their end", "none", query{`sum by (end) (vibe_bridge_accounted_records{` + job + `})`, "{{end}}"}),
	}},
	{"Instances", []panel{
		lines("Ready", "none", query{`vibe_bridge_ready{` + job + `}`, "{{instance}}"}),
		lines("Partitions of the gate", "none", query{`vibe_bridge_assigned_partitions{` + job + `, group="gate"}`, "{{instance}}"}),
		lines("Rebalances in 10 minutes", "none", query{`sum by (group) (increase(vibe_bridge_rebalances_total{` + job + `}[10m]))`, "{{group}}"}),
		lines("Rebalance until it reads again, 99 %", "s",
			query{`histogram_quantile(0.99, sum by (group, le) (rate(vibe_bridge_rebalance_duration_seconds_bucket{` + job + `}[10m])))`, "{{group}}"}),
	}},
	{"State", []panel{
		lines("Changelog records to restore", "none", query{`sum by (stage, instance) (vibe_bridge_restore_records_left{` + job + `})`, "{{instance}} {{stage}}"}),
		lines("Records that orders and refunds wait for at the start", "none", query{`vibe_bridge_priming_records_left{` + job + `}`, "{{instance}}"}),
		lines("Size on disk", "bytes", query{`sum by (stage, instance) (vibe_bridge_state_bytes{` + job + `})`, "{{instance}} {{stage}}"}),
		lines("Free on the disk", "percentunit",
			query{`vibe_bridge_state_disk_free_bytes{` + job + `} / vibe_bridge_state_disk_size_bytes{` + job + `}`, "{{instance}}"}),
	}},
	{"Clients and process", []panel{
		lines("Time to an answer, 99 %", "s", query{`max by (cluster, client) (vibe_bridge_client_request_p99_seconds{` + job + `})`, "{{cluster}} {{client}}"}),
		lines("Slowed down by quotas, 99 %", "s", query{`max by (cluster, client) (vibe_bridge_client_throttle_p99_seconds{` + job + `})`, "{{cluster}} {{client}}"}),
		lines("Sent and not acknowledged", "none", query{`sum by (cluster) (vibe_bridge_producer_unacknowledged_records{` + job + `})`, "{{cluster}}"}),
		lines("Memory", "bytes", query{`process_resident_memory_bytes{` + job + `}`, "{{instance}}"}),
		lines("CPU", "none", query{`rate(process_cpu_seconds_total{` + job + `}[$__rate_interval])`, "{{instance}}"}),
		lines("Built anew after a failure", "none", query{`increase(vibe_bridge_rebuilds_total{` + job + `}[10m])`, "{{instance}}"}),
	}},
}

var comparison = []row{
	{"May it be switched", []panel{
		good("Verdict: 1 is GO", "none", `min(vibe_bridge_compare_verdict{`+job+`})`, 1),
		bad("Unexplained", "none", `sum(max by (stream) (vibe_bridge_compare_unexplained_entities{`+job+`}))`, 1),
		good("Coverage of the worst stream", "percentunit", `min(vibe_bridge_compare_coverage_ratio{`+job+`})`, 0.999),
		bad("Everything up to here is known, ago", "s", `max(vibe_bridge_compare_horizon_age_seconds{`+job+`})`, 600),
	}},
	{"Over time", []panel{
		lines("Verdict", "none", query{`min(vibe_bridge_compare_verdict{` + job + `})`, "GO"}),
		lines("Unexplained", "none", query{`max by (stream) (vibe_bridge_compare_unexplained_entities{` + job + `})`, "{{stream}}"}),
		lines("Coverage", "percentunit", query{`min by (stream) (vibe_bridge_compare_coverage_ratio{` + job + `})`, "{{stream}}"}),
	}},
	{"What differs", []panel{
		lines("Differences by field", "none",
			query{`topk(20, max by (stream, category, field) (vibe_bridge_compare_different_entities{` + job + `}))`, "{{stream}} {{field}}: {{category}}"}),
		lines("Entities", "none", query{`max by (stream, state) (vibe_bridge_compare_entities{` + job + `})`, "{{stream}}: {{state}}"}),
	}},
	{"The comparison itself", []panel{
		lines("Oldest record not taken in", "s", query{`max by (side, stream) (vibe_bridge_compare_lag_seconds{` + job + `})`, "{{side}} {{stream}}"}),
		lines("Records not finished", "none", query{`sum by (group) (vibe_bridge_compare_lag_records{` + job + `})`, "{{group}}"}),
		lines("A look at everything takes", "s", query{`vibe_bridge_compare_audit_duration_seconds{` + job + `}`, "{{instance}}"}),
	}},
}

type object map[string]any

// render writes a dashboard as Grafana reads it. present is a metric that every job to choose from has.
func render(uid, title, present string, rows []row) []byte {
	source := object{"type": "prometheus", "uid": "${datasource}"}
	var panels []object
	y, id := 0, 0
	add := func(p object, x, width, height int) {
		id++
		p["id"], p["gridPos"] = id, object{"x": x, "y": y, "w": width, "h": height}
		panels = append(panels, p)
	}
	for _, r := range rows {
		add(object{"type": "row", "title": r.title, "collapsed": false, "panels": []object{}}, 0, 24, 1)
		y++
		width, height := 24/len(r.panels), 8
		if r.panels[0].stat {
			height = 4
		}
		for i, p := range r.panels {
			add(p.object(source), i*width, width, height)
		}
		y += height
	}
	variables := []object{
		{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
		{
			"name": "job", "type": "query", "label": "Deployment", "datasource": source, "refresh": 2, "includeAll": true, "multi": true,
			"query":   object{"query": "label_values(" + present + ", job)", "refId": "job"},
			"current": object{"text": []string{"All"}, "value": []string{"$__all"}},
		},
	}
	text, err := json.MarshalIndent(object{
		"uid": uid, "title": title, "tags": []string{"vibe-bridge"}, "schemaVersion": 39, "editable": false, "refresh": "30s",
		"time": object{"from": "now-3h", "to": "now"}, "timezone": "browser", "templating": object{"list": variables}, "panels": panels,
	}, "", "  ")
	if err != nil {
		panic(err) // numbers and texts alone
	}
	return append(text, '\n')
}

func (p panel) object(source object) object {
	var targets []object
	for i, q := range p.queries {
		targets = append(targets, object{"refId": string(rune('A' + i)), "datasource": source, "expr": q.expr, "legendFormat": q.legend})
	}
	defaults := object{"unit": p.unit}
	kind, options := "timeseries", object{"legend": object{"displayMode": "list", "placement": "bottom"}, "tooltip": object{"mode": "multi", "sort": "desc"}}
	if p.stat {
		kind, options = "stat", object{"reduceOptions": object{"calcs": []string{"lastNotNull"}}, "colorMode": "background", "graphMode": "none"}
		below, from, limit := "green", "red", p.red
		if p.green != nil {
			below, from, limit = "red", "green", p.green
		}
		steps := []object{{"color": "blue", "value": nil}}
		if limit != nil {
			steps = []object{{"color": below, "value": nil}, {"color": from, "value": *limit}}
		}
		defaults["thresholds"] = object{"mode": "absolute", "steps": steps}
	}
	return object{"type": kind, "title": p.title, "datasource": source, "targets": targets, "options": options, "fieldConfig": object{"defaults": defaults, "overrides": []object{}}}
}
