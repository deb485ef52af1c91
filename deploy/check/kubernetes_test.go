package check

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/ticketscloud/vibe-bridge/internal/config"
)

// scaledObject is what is used of KEDA's keda.sh/v1alpha1. Fields that are not here are errors.
type scaledObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ScaleTargetRef struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Name       string `json:"name"`
		} `json:"scaleTargetRef"`
		PollingInterval *int32 `json:"pollingInterval"`
		CooldownPeriod  *int32 `json:"cooldownPeriod"`
		MinReplicaCount *int32 `json:"minReplicaCount"`
		MaxReplicaCount *int32 `json:"maxReplicaCount"`
		Triggers        []struct {
			Type       string                         `json:"type"`
			MetricType autoscalingv2.MetricTargetType `json:"metricType"`
			Metadata   map[string]string              `json:"metadata"`
		} `json:"triggers"`
		Advanced *struct {
			HorizontalPodAutoscalerConfig *struct {
				Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior"`
			} `json:"horizontalPodAutoscalerConfig"`
		} `json:"advanced"`
	} `json:"spec"`
}

// manifests are what one overlay gives.
type manifests struct {
	namespace string
	sets      map[string]*appsv1.StatefulSet
	jobs      map[string]*batchv1.Job
	services  map[string]*corev1.Service
	budgets   map[string]*policyv1.PodDisruptionBudget
	policies  map[string]*networkingv1.NetworkPolicy
	configs   map[string]*corev1.ConfigMap
	scalers   map[string]*scaledObject
}

// build runs Kustomize and decodes everything strictly.
func build(t *testing.T, folder string) *manifests {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(deploy, "kubernetes", folder))
	if err != nil {
		t.Fatal(err)
	}
	m := &manifests{
		sets: map[string]*appsv1.StatefulSet{}, jobs: map[string]*batchv1.Job{}, services: map[string]*corev1.Service{},
		budgets: map[string]*policyv1.PodDisruptionBudget{}, policies: map[string]*networkingv1.NetworkPolicy{},
		configs: map[string]*corev1.ConfigMap{}, scalers: map[string]*scaledObject{},
	}
	for _, r := range built.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		m.namespace = r.GetNamespace()
		switch kind := r.GetGvk().String(); kind {
		case "StatefulSet.v1.apps":
			err = decode(text, m.sets, r.GetName())
		case "Job.v1.batch":
			err = decode(text, m.jobs, r.GetName())
		case "Service.v1.[noGrp]":
			err = decode(text, m.services, r.GetName())
		case "PodDisruptionBudget.v1.policy":
			err = decode(text, m.budgets, r.GetName())
		case "NetworkPolicy.v1.networking.k8s.io":
			err = decode(text, m.policies, r.GetName())
		case "ConfigMap.v1.[noGrp]":
			err = decode(text, m.configs, r.GetName())
		case "ScaledObject.v1alpha1.keda.sh":
			err = decode(text, m.scalers, r.GetName())
		default:
			t.Fatalf("%s %s: nothing checks this kind", kind, r.GetName())
		}
		if err != nil {
			t.Fatalf("%s %s: %v", r.GetKind(), r.GetName(), err)
		}
	}
	return m
}

func decode[T any](text []byte, into map[string]*T, name string) error {
	object := new(T)
	into[name] = object
	return yaml.UnmarshalStrict(text, object)
}

func TestOverlays(t *testing.T) {
	for _, overlay := range []string{"stage", "production"} {
		t.Run(overlay, func(t *testing.T) {
			m := build(t, "overlays/"+overlay)
			for _, fault := range m.faults(t) {
				t.Error(fault)
			}
			if len(m.sets) != 2 || len(m.services) != 2 || len(m.budgets) != 1 || len(m.policies) != 1 || len(m.configs) != 1 || len(m.jobs) != 1 {
				t.Error("an object is missing")
			}
			if (overlay == "production") != (len(m.scalers) == 1) {
				t.Error("production has a scaler, stage has none")
			}
		})
	}
}

// TestFaultsAreFound: each rule of faults sees what it is there for.
func TestFaultsAreFound(t *testing.T) {
	bridge := func(m *manifests) *corev1.Container { return &m.sets["vibe-bridge"].Spec.Template.Spec.Containers[0] }
	pod := func(m *manifests) *corev1.PodSpec { return &m.sets["vibe-bridge"].Spec.Template.Spec }
	for _, c := range []struct {
		name, want string
		change     func(*manifests)
	}{
		{"grace as long as stop_timeout", "terminationGracePeriodSeconds 30", func(m *manifests) { *pod(m).TerminationGracePeriodSeconds = 30 }},
		{"a longer stop_timeout", "terminationGracePeriodSeconds 60", func(m *manifests) { m.setConfig("stop_timeout: 30s", "stop_timeout: 50s") }},
		{"more replicas than partitions", "30 instances", func(m *manifests) { m.sets["vibe-bridge-compare"].Spec.Replicas = ptr[int32](30) }},
		{"a scaler above the partitions", "30 instances", func(m *manifests) { m.scalers["vibe-bridge"].Spec.MaxReplicaCount = ptr[int32](30) }},
		{"fewer partitions", "12 instances", func(m *manifests) { m.setConfig("partitions: 24", "partitions: 6") }},
		{"a scaler to nothing", "at least 2", func(m *manifests) { m.scalers["vibe-bridge"].Spec.MinReplicaCount = ptr[int32](0) }},
		{"two that set the number", "replicas beside a scaler", func(m *manifests) { m.sets["vibe-bridge"].Spec.Replicas = ptr[int32](3) }},
		{"scaling down at once", "stabilization", func(m *manifests) {
			m.scalers["vibe-bridge"].Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior.ScaleDown.StabilizationWindowSeconds = ptr[int32](60)
		}},
		{"no answer scales down", "ignoreNullValues", func(m *manifests) { delete(m.scalers["vibe-bridge"].Spec.Triggers[0].Metadata, "ignoreNullValues") }},
		{"another namespace's lag", "query", func(m *manifests) { m.namespace = "vibe-bridge-other" }},
		{"a probe of a path that is not served", "/health is not served", func(m *manifests) { bridge(m).LivenessProbe.HTTPGet.Path = "/health" }},
		{"a liveness that kills who restores", "liveness", func(m *manifests) { bridge(m).LivenessProbe.HTTPGet.Path = "/readyz" }},
		{"a readiness that says nothing", "readiness", func(m *manifests) { bridge(m).ReadinessProbe.HTTPGet.Path = "/healthz" }},
		{"no startup probe", "startup", func(m *manifests) { bridge(m).StartupProbe = nil }},
		{"a probe of another port", "port", func(m *manifests) { m.setConfig(":9477", ":9999") }},
		{"the comparison on another port", "port", func(m *manifests) {
			args := m.sets["vibe-bridge-compare"].Spec.Template.Spec.Containers[0].Args
			args[len(args)-1] = ":9999"
		}},
		{"only on loopback", "loopback", func(m *manifests) { m.setConfig(`":9477"`, `"127.0.0.1:9477"`) }},
		{"latest", "not latest", func(m *manifests) { bridge(m).Image = "registry.example.com/vibe-bridge:latest" }},
		{"no tag", "want a tag", func(m *manifests) {
			m.jobs["vibe-bridge-topics"].Spec.Template.Spec.Containers[0].Image = "registry.example.com/vibe-bridge"
		}},
		{"an unknown key", "stop_time", func(m *manifests) { m.setConfig("stop_timeout:", "stop_time:") }},
		{"root", "root", func(m *manifests) { *pod(m).SecurityContext.RunAsUser = 0 }},
		{"perhaps root", "root", func(m *manifests) { pod(m).SecurityContext.RunAsNonRoot = nil }},
		{"root in the container", "root", func(m *manifests) { bridge(m).SecurityContext.RunAsUser = ptr[int64](0) }},
		{"a root filesystem to write to", "read-only", func(m *manifests) { bridge(m).SecurityContext.ReadOnlyRootFilesystem = nil }},
		{"capabilities", "capabilities", func(m *manifests) { bridge(m).SecurityContext.Capabilities = nil }},
		{"escalation", "escalation", func(m *manifests) { bridge(m).SecurityContext.AllowPrivilegeEscalation = nil }},
		{"no seccomp", "seccomp", func(m *manifests) { pod(m).SecurityContext.SeccompProfile = nil }},
		{"a token", "token", func(m *manifests) { pod(m).AutomountServiceAccountToken = nil }},
		{"all memory for Go", "GOMEMLIMIT", func(m *manifests) { bridge(m).Env[0].Value = "1000MiB" }},
		{"no GOMEMLIMIT", "GOMEMLIMIT", func(m *manifests) { bridge(m).Env = nil }},
		{"no memory limit", "limit of memory", func(m *manifests) { bridge(m).Resources.Limits = nil }},
		{"a limit of CPU", "limit of CPU", func(m *manifests) { bridge(m).Resources.Limits[corev1.ResourceCPU] = resource.MustParse("1") }},
		{"a secret that is not mounted", "target-password", func(m *manifests) {
			m.setConfig("/run/secrets/vibe-bridge/target-password", "/run/secrets/target-password")
		}},
		{"a secret without the key", "target-password", func(m *manifests) { pod(m).Volumes[1].Secret.Items = pod(m).Volumes[1].Secret.Items[:1] }},
		{"a secret that all may read", "defaultMode", func(m *manifests) { *pod(m).Volumes[1].Secret.DefaultMode = 0o444 }},
		{"state on no volume", "state_dir", func(m *manifests) { m.setConfig("/var/lib/vibe-bridge/state", "/tmp/state") }},
		{"state that is not kept", "state_dir", func(m *manifests) { m.sets["vibe-bridge"].Spec.VolumeClaimTemplates = nil }},
		{"no such ConfigMap", "vibe-bridge.yaml", func(m *manifests) { bridge(m).Args[2] = "/etc/vibe-bridge/vibe-bridge.yaml" }},
		{"an unknown variable", "VIBE_BRIDGE_HTTP_ADVERTISED", func(m *manifests) { bridge(m).Env[2].Name = "VIBE_BRIDGE_HTTP_ADVERTISED" }},
		{"a token that is not mounted", "view-token", func(m *manifests) { pod(m).Volumes[2].Secret.Items = pod(m).Volumes[2].Secret.Items[1:] }},
		{"an unknown flag", "does not take", func(m *manifests) { bridge(m).Args = append(bridge(m).Args, "--create-topics") }},
		{"a selector of nothing", "selects no pods", func(m *manifests) {
			m.budgets["vibe-bridge"].Spec.Selector.MatchLabels["app.kubernetes.io/component"] = "brigde"
		}},
		{"a service of nothing", "selects no pods", func(m *manifests) { m.services["vibe-bridge"].Spec.Selector = map[string]string{"app": "bridge"} }},
		{"a service of another name", "headless", func(m *manifests) { m.sets["vibe-bridge"].Spec.ServiceName = "bridge" }},
		{"restoring instances are not found", "headless", func(m *manifests) { m.services["vibe-bridge"].Spec.PublishNotReadyAddresses = false }},
		{"one after the other", "Parallel", func(m *manifests) { m.sets["vibe-bridge"].Spec.PodManagementPolicy = appsv1.OrderedReadyPodManagement }},
		{"no budget", "budget", func(m *manifests) { clear(m.budgets) }},
		{"a budget of all", "budget", func(m *manifests) { m.budgets["vibe-bridge"].Spec.MaxUnavailable.IntVal = 2 }},
		{"brokers out of reach", "port 9092", func(m *manifests) { m.setConfig("9091", "9092") }},
		{"all may come in", "policy", func(m *manifests) { m.policies["vibe-bridge"].Spec.Ingress[0].From = nil }},
		{"nothing restricts what goes out", "policy", func(m *manifests) {
			m.policies["vibe-bridge"].Spec.PolicyTypes = m.policies["vibe-bridge"].Spec.PolicyTypes[:1]
		}},
		{"all on one node", "spread", func(m *manifests) { pod(m).TopologySpreadConstraints = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := build(t, "overlays/production")
			c.change(m)
			if faults := strings.Join(m.faults(t), "\n"); !strings.Contains(faults, c.want) {
				t.Errorf("found %q, want one with %q", faults, c.want)
			}
		})
	}
}

func ptr[T any](value T) *T { return &value }

// configText is the configuration that the pods read.
func (m *manifests) configText() string {
	for _, c := range m.configs {
		return c.Data["bridge.yaml"]
	}
	return ""
}

// setConfig changes it.
func (m *manifests) setConfig(old, new string) {
	for _, c := range m.configs {
		c.Data["bridge.yaml"] = strings.ReplaceAll(c.Data["bridge.yaml"], old, new)
	}
}

// faults are all rules that the manifests break.
func (m *manifests) faults(t *testing.T) []string {
	t.Helper()
	c, err := tryConfig(t, []byte(m.configText()))
	if err != nil {
		return []string{err.Error()}
	}
	f := &finder{t: t, manifests: m, config: c}
	for _, name := range slices.Sorted(maps.Keys(m.sets)) {
		f.set(name, m.sets[name])
	}
	for name, job := range m.jobs {
		f.pod("job "+name, job.Spec.Template)
	}
	f.selectors()
	f.scaler()
	f.network()
	return f.found
}

type finder struct {
	*manifests
	t      *testing.T
	config config.Config
	found  []string
}

func (f *finder) add(format string, args ...any) {
	f.found = append(f.found, fmt.Sprintf(format, args...))
}

func (f *finder) want(holds bool, format string, args ...any) {
	if !holds {
		f.add(format, args...)
	}
}

func is[T comparable](value *T, want T) bool { return value != nil && *value == want }

// set checks a StatefulSet of instances.
func (f *finder) set(name string, s *appsv1.StatefulSet) {
	pod, container := s.Spec.Template.Spec, s.Spec.Template.Spec.Containers[0]
	f.pod(name, s.Spec.Template)
	grace := int64(30) // Kubernetes' default
	if pod.TerminationGracePeriodSeconds != nil {
		grace = *pod.TerminationGracePeriodSeconds
	}
	f.want(time.Duration(grace)*time.Second >= f.config.StopTimeout+exitTime,
		"%s: terminationGracePeriodSeconds %d: want stop_timeout (%v) and %v more", name, grace, f.config.StopTimeout, exitTime)
	if s.Spec.Replicas != nil {
		f.count(name, *s.Spec.Replicas)
	}
	f.want(s.Spec.PodManagementPolicy == appsv1.ParallelPodManagement, "%s: podManagementPolicy: want Parallel: no instance waits for one that restores", name)
	service := f.services[s.Spec.ServiceName]
	f.want(service != nil && service.Spec.ClusterIP == corev1.ClusterIPNone && service.Spec.PublishNotReadyAddresses,
		"%s: want a headless service that shows instances which are not ready", name)
	f.want(name != "vibe-bridge" || len(pod.TopologySpreadConstraints) > 0, "%s: nothing spreads the instances", name)

	f.want(container.StartupProbe != nil, "%s: no startup probe: the start waits for brokers", name)
	f.probe(name, "startup", container.StartupProbe, "/healthz")
	f.probe(name, "liveness", container.LivenessProbe, "/healthz")
	f.probe(name, "readiness", container.ReadinessProbe, "/readyz")
	f.port(name, container)
	f.state(name, s, container)
}

func (f *finder) count(name string, instances int32) {
	f.want(instances <= f.config.Partitions, "%s: %d instances for %d partitions", name, instances, f.config.Partitions)
}

// probe: liveness must be true of an instance that restores, which only /healthz is.
func (f *finder) probe(name, kind string, p *corev1.Probe, path string) {
	if p == nil || p.HTTPGet == nil {
		f.add("%s: no %s probe", name, kind)
		return
	}
	f.want(p.HTTPGet.Path == path, "%s: %s asks for %s, want %s", name, kind, p.HTTPGet.Path, path)
	comparison := f.sets[name].Spec.Template.Spec.Containers[0].Args[0] == "compare"
	f.want(served(f.t, comparison)[p.HTTPGet.Path], "%s: %s is not served by the bridge", name, p.HTTPGet.Path)
	f.want(p.HTTPGet.Port.StrVal == "http", "%s: %s: want the port named http", name, kind)
}

// port: where the process listens is where it is asked.
func (f *finder) port(name string, c corev1.Container) {
	listen := f.config.HTTP.Listen
	if i := slices.Index(c.Args, "--listen"); i >= 0 {
		listen = c.Args[i+1]
	}
	host, port, err := net.SplitHostPort(listen)
	f.want(err == nil && host == "", "%s: listens on %s: want all addresses of the pod: probes do not reach loopback", name, listen)
	f.want(len(c.Ports) == 1 && c.Ports[0].Name == "http" && strconv.Itoa(int(c.Ports[0].ContainerPort)) == port,
		"%s: listens on port %s, and the container's port is another", name, port)
	annotation := f.sets[name].Spec.Template.Annotations["prometheus.io/port"]
	f.want(annotation == port, "%s: listens on port %s, and metrics are looked for on port %s", name, port, annotation)
}

func (f *finder) state(name string, s *appsv1.StatefulSet, c corev1.Container) {
	kept := slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
		return !m.ReadOnly && strings.HasPrefix(f.config.StateDir, m.MountPath+"/") &&
			slices.ContainsFunc(s.Spec.VolumeClaimTemplates, func(v corev1.PersistentVolumeClaim) bool { return v.Name == m.Name })
	})
	f.want(kept, "%s: state_dir %s: want a folder below the mount of a volume claim", name, f.config.StateDir)
}

// pod checks what all pods of the bridge's image have in common.
func (f *finder) pod(name string, template corev1.PodTemplateSpec) {
	pod := template.Spec
	f.want(is(pod.AutomountServiceAccountToken, false), "%s: has a token of the cluster", name)
	context := pod.SecurityContext
	if context == nil {
		f.add("%s: may run as root", name)
		return
	}
	f.want(is(context.RunAsNonRoot, true) && context.RunAsUser != nil && *context.RunAsUser != 0, "%s: may run as root", name)
	f.want(context.SeccompProfile != nil && context.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "%s: no seccomp profile", name)
	for _, volume := range pod.Volumes {
		if volume.Secret != nil {
			f.want(volume.Secret.DefaultMode != nil && *volume.Secret.DefaultMode&0o037 == 0, "%s: secret %s: defaultMode: want at most 0440", name, volume.Name)
		}
	}
	for _, c := range pod.Containers {
		f.container(name, c)
		f.files(name, pod, c)
	}
}

func (f *finder) container(name string, c corev1.Container) {
	if fault := imageFault(c.Image); fault != "" {
		f.add("%s: %s", name, fault)
	}
	if fault := argumentFault(f.t, c.Args); fault != "" {
		f.add("%s: %s", name, fault)
	}
	if _, err := tryConfig(f.t, []byte(f.configText()), environment(c)...); err != nil {
		f.add("%s: %v", name, err)
	}
	s := c.SecurityContext
	if s == nil {
		f.add("%s: no securityContext of the container", name)
		return
	}
	f.want(s.RunAsUser == nil || *s.RunAsUser != 0, "%s: the container runs as root", name)
	f.want(is(s.ReadOnlyRootFilesystem, true), "%s: the root filesystem is not read-only", name)
	f.want(is(s.AllowPrivilegeEscalation, false), "%s: allows escalation of privileges", name)
	f.want(s.Capabilities != nil && slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(s.Capabilities.Add) == 0, "%s: has capabilities", name)
	f.memory(name, c)
}

// environment is what the container gives the bridge, of its first instance.
func environment(c corev1.Container) []string {
	var env []string
	for _, e := range c.Env {
		env = append(env, e.Name+"="+strings.ReplaceAll(e.Value, "$(POD_NAME)", "vibe-bridge-0"))
	}
	return env
}

func (f *finder) memory(name string, c corev1.Container) {
	_, cpu := c.Resources.Limits[corev1.ResourceCPU]
	f.want(!cpu, "%s: a limit of CPU throttles heartbeats", name)
	limit, limited := c.Resources.Limits[corev1.ResourceMemory]
	f.want(limited, "%s: no limit of memory", name)
	var text string
	for _, e := range c.Env {
		if e.Name == "GOMEMLIMIT" {
			text = e.Value
		}
	}
	most, err := resource.ParseQuantity(strings.TrimSuffix(text, "B"))
	if err != nil {
		f.add("%s: GOMEMLIMIT %q: want one", name, text)
		return
	}
	beside := int64(0)
	if c.Args[0] != "topics" { // which has no state
		beside = cacheBytes
	}
	f.want(most.Value()+beside <= limit.Value()*9/10, "%s: GOMEMLIMIT %s and %d bytes of cache leave too little of %s", name, text, beside, limit.String())
}

// files: the configuration and the secrets that it names are mounted.
func (f *finder) files(name string, pod corev1.PodSpec, c corev1.Container) {
	there := map[string]bool{}
	for _, mount := range c.VolumeMounts {
		i := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		if i < 0 {
			continue // a claim
		}
		if m := pod.Volumes[i].ConfigMap; m != nil && f.configs[m.Name] != nil {
			for key := range f.configs[m.Name].Data {
				there[mount.MountPath+"/"+key] = true
			}
		}
		if s := pod.Volumes[i].Secret; s != nil {
			for _, item := range s.Items {
				there[mount.MountPath+"/"+item.Path] = true
			}
		}
	}
	var wanted []string
	for _, path := range secretPaths([]byte(f.configText())) {
		if slices.Contains(c.Args, "run") || !strings.HasSuffix(path, "-token") { // only instances listen
			wanted = append(wanted, path)
		}
	}
	if i := slices.Index(c.Args, "--config"); i >= 0 {
		wanted = append(wanted, c.Args[i+1])
	}
	for _, path := range wanted {
		f.want(there[path], "%s: %s is not mounted", name, path)
	}
}

// selectors: whatever selects pods selects some.
func (f *finder) selectors() {
	selects := func(what string, labels map[string]string) {
		for _, s := range f.sets {
			if len(labels) > 0 && contains(s.Spec.Template.Labels, labels) {
				return
			}
		}
		f.add("%s selects no pods", what)
	}
	for name, s := range f.sets {
		f.want(contains(s.Spec.Template.Labels, s.Spec.Selector.MatchLabels), "%s: selects no pods of its own", name)
		for _, spread := range s.Spec.Template.Spec.TopologySpreadConstraints {
			selects(name+": spread", spread.LabelSelector.MatchLabels)
		}
	}
	for name, s := range f.services {
		selects("service "+name, s.Spec.Selector)
	}
	budget := f.budgets["vibe-bridge"]
	f.want(budget != nil && budget.Spec.MaxUnavailable != nil && budget.Spec.MaxUnavailable.IntVal == 1, "no budget that keeps all instances but one")
	if budget != nil {
		selects("budget", budget.Spec.Selector.MatchLabels)
	}
	for name, p := range f.policies {
		selects("policy "+name, p.Spec.PodSelector.MatchLabels)
	}
}

func contains(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// The least for which a number of instances has to have been too high before one is taken away: longer than a restore.
const minStabilization = 30 * 60

func (f *finder) scaler() {
	for name, s := range f.scalers {
		set := f.sets[s.Spec.ScaleTargetRef.Name]
		if set == nil || s.Spec.ScaleTargetRef.Kind != "StatefulSet" {
			f.add("scaler %s: of nothing", name)
			continue
		}
		f.want(set.Spec.Replicas == nil, "scaler %s: the set has replicas beside a scaler: every apply would reset them", name)
		f.want(s.Spec.MinReplicaCount != nil && *s.Spec.MinReplicaCount >= 2, "scaler %s: want at least 2 instances", name)
		if s.Spec.MaxReplicaCount == nil {
			f.add("scaler %s: no maxReplicaCount: the default is 100 instances", name)
		} else {
			f.count("scaler "+name, *s.Spec.MaxReplicaCount)
		}
		calm := s.Spec.Advanced != nil && s.Spec.Advanced.HorizontalPodAutoscalerConfig != nil
		if calm {
			b := s.Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior
			calm = b != nil && b.ScaleDown != nil && b.ScaleUp != nil && b.ScaleDown.StabilizationWindowSeconds != nil && *b.ScaleDown.StabilizationWindowSeconds >= minStabilization &&
				len(b.ScaleDown.Policies) == 1 && b.ScaleDown.Policies[0].Type == autoscalingv2.PodsScalingPolicy && b.ScaleDown.Policies[0].Value == 1
		}
		f.want(calm, "scaler %s: want a stabilization of %d s or more before one instance is taken away, and one at a time", name, minStabilization)
		for _, trigger := range s.Spec.Triggers {
			f.want(trigger.Metadata["ignoreNullValues"] == "false", "scaler %s: ignoreNullValues: without an answer it would scale down", name)
			f.want(strings.Contains(trigger.Metadata["query"], `namespace="`+f.namespace+`"`), "scaler %s: the query is not about this namespace", name)
			f.want(trigger.Metadata["threshold"] == "1" && trigger.MetricType == autoscalingv2.AverageValueMetricType, "scaler %s: the query gives a number of instances: want AverageValue 1", name)
		}
	}
}

// network: what is needed is allowed, and not everything is.
func (f *finder) network() {
	p := f.policies["vibe-bridge"]
	if p == nil || len(p.Spec.PolicyTypes) != 2 {
		f.add("no policy of what comes in and goes out")
		return
	}
	for _, rule := range p.Spec.Ingress {
		f.want(len(rule.From) > 0 && len(rule.Ports) > 0, "policy: all may come in")
	}
	out := map[string]bool{}
	for _, rule := range p.Spec.Egress {
		f.want(len(rule.Ports) > 0, "policy: all may go out")
		for _, port := range rule.Ports {
			out[port.Port.String()] = true
		}
	}
	for _, broker := range slices.Concat(f.config.Source.Brokers, f.config.Target.Brokers, f.config.State.Brokers) {
		f.want(out[portOf(broker)], "policy: %s: port %s is not allowed", broker, portOf(broker))
	}
}
