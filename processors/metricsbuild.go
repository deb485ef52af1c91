package processors

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// NewBuildInfo is what the program was built from.
func NewBuildInfo() prometheus.Collector {
	info, _ := debug.ReadBuildInfo()
	version, commit := builtFrom(info)
	return constant{prometheus.MustNewConstMetric(mBuild.desc, prometheus.GaugeValue, 1, version, commit, runtime.Version())}
}

// builtFrom gives the version of the module and the commit, each "unknown" where nobody has said it.
func builtFrom(info *debug.BuildInfo) (version, commit string) {
	version, commit = "unknown", "unknown"
	if info == nil {
		return version, commit
	}
	if info.Main.Version != "" {
		version = info.Main.Version
	}
	modified := false
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && s.Value != "":
			commit = s.Value
		case s.Key == "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified {
		commit += "-modified"
	}
	return version, commit
}

// constant is a metric that does not change.
type constant struct{ prometheus.Metric }

func (c constant) Describe(to chan<- *prometheus.Desc) { to <- c.Desc() }
func (c constant) Collect(to chan<- prometheus.Metric) { to <- c.Metric }
