package check

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/coreos/go-systemd/v22/unit"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/console"
)

// The image, the compose file and the units of systemd.

// TestDockerfile checks what a linter does not know; .ci/deploy runs one.
func TestDockerfile(t *testing.T) {
	text := string(read(t, filepath.Join(deploy, "Dockerfile")))
	last := func(instruction string) string {
		found := regexp.MustCompile(`(?m)^`+instruction+` +(.+)$`).FindAllStringSubmatch(text, -1)
		if len(found) == 0 {
			return ""
		}
		return found[len(found)-1][1]
	}
	for _, from := range regexp.MustCompile(`(?m)^FROM +(\S+)`).FindAllStringSubmatch(text, -1) {
		if fault := imageFault(from[1]); fault != "" && from[1] != "scratch" {
			t.Error(fault)
		}
	}
	if user := last("USER"); !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("USER %q: want numbers, and not root: runAsNonRoot does not look names up", user)
	}
	if last("FROM") != "scratch" {
		t.Errorf("FROM %s: want an image with nothing in it", last("FROM"))
	}
	for _, flag := range []string{"CGO_ENABLED=1", "netgo,osusergo", "-extldflags \"-static\""} {
		if !strings.Contains(text, flag) {
			t.Errorf("no %s: the binary would not be static", flag)
		}
	}
	module := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(string(read(t, "../../go.mod")))[1]
	if !strings.Contains(text, "FROM golang:"+module+".") {
		t.Errorf("want an image of Go %s, as in go.mod", module)
	}
	for _, name := range []string{"compose/bridge.yaml", "kubernetes/overlays/stage/bridge.yaml"} {
		if c := loadConfig(t, read(t, filepath.Join(deploy, name))); !slices.Contains(strings.Fields(last("EXPOSE")), portOf(c.HTTP.Listen)) {
			t.Errorf("EXPOSE %s, and %s listens on %s", last("EXPOSE"), name, c.HTTP.Listen)
		}
	}
}

// TestCompose: the file keeps the schema of Compose, and what it puts together fits.
func TestCompose(t *testing.T) {
	folder, err := filepath.Abs(filepath.Join(deploy, "compose"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir: folder, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(folder, "compose.yaml")}}, Environment: map[string]string{},
	}, func(o *loader.Options) { o.SetProjectName("vibe-bridge", true) })
	if err != nil {
		t.Fatal(err)
	}
	c := loadConfig(t, read(t, filepath.Join(folder, "bridge.yaml")))
	listens := map[string]string{} // by service: the port
	state := map[string]string{}   // by volume: the service
	for name, s := range project.Services {
		if fault := imageFault(s.Image); fault != "" {
			t.Errorf("%s: %s", name, fault)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open to others: want 127.0.0.1", name, port.Published)
			}
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		if s.Build == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if fault := argumentFault(t, s.Command); fault != "" {
			t.Errorf("%s: %s", name, fault)
		}
		var env []string
		for variable, value := range s.Environment {
			env = append(env, variable+"="+*value)
		}
		loadConfig(t, read(t, filepath.Join(folder, "bridge.yaml")), env...)
		if user, _, _ := strings.Cut(s.User, ":"); user == "" || user == "0" || user == "root" {
			t.Errorf("%s: runs as root", name)
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s: want a read-only root filesystem and no capabilities", name)
		}
		if s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) < c.StopTimeout+exitTime {
			t.Errorf("%s: stop_grace_period: want stop_timeout (%v) and %v more", name, c.StopTimeout, exitTime)
		}
		limit := s.Environment["GOMEMLIMIT"]
		if limit == nil {
			t.Errorf("%s: no GOMEMLIMIT", name)
		} else if most := resource.MustParse(strings.TrimSuffix(*limit, "B")); most.Value()+cacheBytes > int64(s.MemLimit)*9/10 {
			t.Errorf("%s: GOMEMLIMIT %s leaves too little of %d bytes", name, *limit, s.MemLimit)
		}
		if !slices.Contains(s.Command, "run") {
			continue
		}
		var secrets []string
		for _, secret := range s.Secrets {
			secrets = append(secrets, "/run/secrets/"+secret.Source)
		}
		for _, file := range tokenFiles(t, "/run/secrets") {
			if !slices.Contains(secrets, file) {
				t.Errorf("%s: token file %q is none of its secrets, %v", name, file, secrets)
			}
		}
		listens[name] = portOf(c.HTTP.Listen)
		if i := slices.Index(s.Command, "--listen"); i >= 0 {
			listens[name] = portOf(s.Command[i+1])
		}
		kept := false
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeVolume && strings.HasPrefix(c.StateDir, v.Target+"/") {
				kept = true
				if other := state[v.Source]; other != "" {
					t.Errorf("%s and %s share the state folder of volume %s", name, other, v.Source)
				}
				state[v.Source] = name
			}
		}
		if !kept {
			t.Errorf("%s: state_dir %s is on no volume", name, c.StateDir)
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(project.Services)), func(s types.ServiceConfig) bool {
		return slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool {
			return listens[s.Name] == portOf(c.HTTP.Listen) && fmt.Sprint(p.Target) == portOf(c.HTTP.Listen)
		})
	}) {
		t.Error("no instance of the bridge can be reached: the console is not to be seen")
	}
	for _, secret := range project.Secrets {
		if filepath.Dir(secret.File) != filepath.Join(folder, "secrets") {
			t.Errorf("%s: want secrets in compose/secrets, which is ignored", secret.File)
		}
	}
	for file, line := range map[string]string{"../../.gitignore": "/deploy/compose/secrets/", "../Dockerfile.dockerignore": "deploy/compose/secrets"} {
		if !slices.Contains(strings.Split(string(read(t, file)), "\n"), line) {
			t.Errorf("%s does not ignore %s: tokens would get around", file, line)
		}
	}
	if len(listens) != 3 {
		t.Errorf("instances %v: want two of the bridge and a comparison", listens)
	}
	checkTargets(t, listens)
	if kafka := project.Services["kafka"].Image; kafka != "apache/kafka:"+kafkaVersion(t) {
		t.Errorf("%s: want the version that is tested, %s", kafka, kafkaVersion(t))
	}
}

// tokenFiles are those of the compose file's configuration, by right, with the secrets in a folder.
func tokenFiles(t *testing.T, secrets string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, found := range regexp.MustCompile(`(?m)^  (\w+)_token_file: (.+)$`).FindAllSubmatch(read(t, filepath.Join(deploy, "compose/bridge.yaml")), -1) {
		files[string(found[1])] = strings.Replace(string(found[2]), "/run/secrets", secrets, 1)
	}
	if len(files) != 3 {
		t.Errorf("token files %v: want one to view, one to act and one for what is personal", files)
	}
	return files
}

// TestTokensOfCompose: the command of the README makes tokens as the bridge takes them, and nobody else may read.
func TestTokensOfCompose(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("VIBE_BRIDGE_REQUIRE_OPENSSL") == "1" {
			t.Fatalf("the command of the README for tokens has to be tested: %v", err)
		}
		t.Skipf("NOT TESTED: the command of the README for tokens needs openssl: %v", err)
	}
	command := regexp.MustCompile("(?s)```sh\n(install -d .+?)```").FindSubmatch(read(t, filepath.Join(deploy, "README.md")))
	if command == nil {
		t.Fatal("the README does not tell how to make tokens")
	}
	root := t.TempDir()
	folder := filepath.Join(root, "deploy/compose/secrets")
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("sh", "-euc", string(command[1]))
	shell.Dir = root
	if said, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	names := tokenFiles(t, folder)
	if _, err := console.NewAccess(config.HTTP{ViewTokenFile: names["view"], ActTokenFile: names["act"], PersonalTokenFile: names["personal"]}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v: want a folder of mode 0700", info, err)
	}
	files, err := filepath.Glob(folder + "/*")
	if err != nil || len(files) != 3 {
		t.Errorf("files %v, %v", files, err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%v, %v: want a file that user 65532 may read", info, err)
		}
	}
}

func kafkaVersion(t *testing.T) string {
	return regexp.MustCompile(`<kafka.version>(.+)</kafka.version>`).FindStringSubmatch(string(read(t, filepath.Join(deploy, "kafka/pom.xml"))))[1]
}

// checkTargets: Prometheus looks at every instance, where it listens.
func checkTargets(t *testing.T, listens map[string]string) {
	t.Helper()
	var scraping struct {
		Jobs []struct {
			Static []struct {
				Targets []string `json:"targets"`
			} `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.Unmarshal(read(t, filepath.Join(deploy, "compose/prometheus.yaml")), &scraping); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, job := range scraping.Jobs {
		for _, static := range job.Static {
			got = append(got, static.Targets...)
		}
	}
	for name, port := range listens {
		want = append(want, name+":"+port)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("Prometheus looks at %v, want %v", got, want)
	}
}

// TestUnits: systemd knows what is in the units, and waits for longer than the bridge takes to end.
func TestUnits(t *testing.T) {
	units, err := filepath.Glob(filepath.Join(deploy, "systemd", "*.service"))
	if err != nil || len(units) != 2 {
		t.Fatalf("units %v, %v", units, err)
	}
	c := loadConfig(t, read(t, filepath.Join(deploy, "examples/production.yaml")))
	for _, path := range units {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text := string(read(t, path))
			for _, fault := range unitFaults(t, text, c.StopTimeout) {
				t.Error(fault)
			}
			for _, change := range []struct{ old, new, want string }{
				{"TimeoutStopSec=60", "TimeoutStopSec=30", "TimeoutStopSec"},
				{"User=vibe-bridge", "User=root", "root"},
				{"StateDirectory=", "#", "StateDirectory"},
				{"RestartPreventExitStatus=2", "", "RestartPreventExitStatus"},
				{"--config", "--konfig", "does not take"},
				{"ProtectSystem=strict", "", "ProtectSystem"},
				{"MemoryMax=1G", "MemoryMax=800M", "GOMEMLIMIT"},
			} {
				faults := strings.Join(unitFaults(t, strings.Replace(text, change.old, change.new, 1), c.StopTimeout), "\n")
				if !strings.Contains(faults, change.want) {
					t.Errorf("%s: found %q, want %q", change.new, faults, change.want)
				}
			}
			verifyUnit(t, path, text)
		})
	}
}

func unitFaults(t *testing.T, text string, stopTimeout time.Duration) (faults []string) {
	t.Helper()
	options, err := unit.DeserializeOptions(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, o := range options {
		if o.Section == "Service" {
			values[o.Name] = o.Value
		}
	}
	want := func(holds bool, fault string) {
		if !holds {
			faults = append(faults, fault)
		}
	}
	seconds, _ := strconv.Atoi(values["TimeoutStopSec"])
	want(time.Duration(seconds)*time.Second >= stopTimeout+exitTime, "TimeoutStopSec is too short for stop_timeout")
	want(values["User"] != "" && values["User"] != "root" && values["User"] != "0", "runs as root")
	want(values["StateDirectory"] != "" && values["StateDirectoryMode"] == "0700", "no StateDirectory of mode 0700")
	want(values["RestartPreventExitStatus"] == "2" && values["Restart"] == "on-failure", "want Restart=on-failure and RestartPreventExitStatus=2")
	want(values["ProtectSystem"] == "strict" && values["NoNewPrivileges"] == "yes", "want ProtectSystem=strict and NoNewPrivileges=yes")
	words := strings.Fields(values["ExecStart"])
	want(len(words) > 0 && words[0] == "/usr/local/bin/vibe-bridge", "ExecStart is not the bridge")
	if fault := argumentFault(t, words[1:]); fault != "" {
		faults = append(faults, fault)
	}
	dir := "/var/lib/" + values["StateDirectory"]
	want(values["StateDirectory"] == "vibe-bridge" || slices.Contains(words, dir), "the state is not in StateDirectory")
	limit, err1 := resource.ParseQuantity(strings.TrimSuffix(strings.TrimPrefix(values["Environment"], "GOMEMLIMIT="), "B"))
	most, err2 := resource.ParseQuantity(values["MemoryMax"] + "i")
	want(err1 == nil && err2 == nil && limit.Value()+cacheBytes <= most.Value()*9/10, "GOMEMLIMIT leaves too little of MemoryMax")
	return faults
}

// verifyUnit has systemd look at the unit where there is one.
func verifyUnit(t *testing.T, path, text string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("NOT TESTED: systemd-analyze verify: it is not here")
		return
	}
	copied := filepath.Join(t.TempDir(), filepath.Base(path))
	write(t, copied, []byte(strings.ReplaceAll(text, "/usr/local/bin/vibe-bridge", "/bin/true")))
	if out, err := exec.Command("systemd-analyze", "verify", copied).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v: %s", err, out)
	}
}
