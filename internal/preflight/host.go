package preflight

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/seal"
)

const (
	// certificateNotice is how long before its end a certificate is worth a warning.
	certificateNotice = 30 * 24 * time.Hour
	// Disk below which an instance should not start, and below which it should be looked at.
	leastDisk, scarceDisk = 1 << 30, 5 << 30
	scarceShare           = 0.1
)

// named are the clusters of a configuration, each once, by what they are called in it.
func (r *run) named() []namedCluster {
	all := []namedCluster{{kafka.SourceCluster, r.Config.Source}, {kafka.TargetCluster, r.Config.Target}}
	if !sameCluster(r.Config.State, r.Config.Target) {
		all = append(all, namedCluster{kafka.StateCluster, r.Config.State})
	}
	return all
}

type namedCluster struct {
	name    string
	cluster kafka.Cluster
}

// credentials looks at the files that hold passwords, keys and certificates. That they can be read has been found when the
// configuration was loaded.
func (r *run) credentials() {
	found := false
	for _, c := range r.named() {
		s := c.cluster.Security
		for _, secret := range []struct{ key, path string }{{"sasl.password_file", s.SASL.PasswordFile}, {"tls.key_file", s.TLS.KeyFile}} {
			if secret.path == "" {
				continue
			}
			found = true
			r.secret("credentials", c.name+".security."+secret.key, secret.path)
		}
		for _, file := range []struct{ key, path string }{{"tls.ca_file", s.TLS.CAFile}, {"tls.cert_file", s.TLS.CertFile}} {
			if file.path != "" {
				found = true
				r.certificates("credentials", c.name+".security."+file.key, file.path)
			}
		}
		if s.Protocol == kafka.SASLPlaintext {
			r.warn("credentials", c.name+".security.protocol", "the login and all records go over the network unencrypted", "use SASL_SSL")
		}
	}
	if !found {
		r.ok("credentials", "all clusters", "no files")
	}
}

// http looks at the files that decide who may ask an instance, and by what certificate it is known. Refusals are those of a start.
func (r *run) http() {
	const check = "http"
	h := r.Config.HTTP
	if h.Listen == "" {
		r.ok(check, "http.listen", "none: no metrics, no health, no console")
		return
	}
	before := len(r.lines)
	_, wrong := console.NewAccess(h)
	var several interface{ Unwrap() []error }
	if errors.As(wrong, &several) {
		for _, err := range several.Unwrap() {
			r.refused(check, err, "want a token of its own for each right, alone in a file that the user of the bridge may read: openssl rand -hex 32")
		}
	}
	_, _, noTLS := console.TLS(h)
	if noTLS != nil {
		r.refused(check, noTLS, "want PEM: the certificate (with those of the authorities between it and the root), the key that belongs to it, the authority of clients")
	}
	for _, f := range []struct{ key, path string }{
		{"view_token_file", h.ViewTokenFile}, {"act_token_file", h.ActTokenFile}, {"personal_token_file", h.PersonalTokenFile},
		{"metrics_token_file", h.MetricsTokenFile}, {"tls_key_file", h.TLSKeyFile},
	} {
		if _, err := os.Stat(f.path); err == nil { // else it is said
			r.secret(check, "http."+f.key, f.path)
		}
	}
	for _, f := range []struct{ key, path string }{{"tls_cert_file", h.TLSCertFile}, {"client_ca_file", h.ClientCAFile}} {
		if f.path != "" && noTLS == nil {
			r.certificates(check, "http."+f.key, f.path)
		}
	}
	if len(r.lines) == before {
		r.ok(check, "http.listen", "%s, no files", h.Listen)
	}
}

// refused is an error that begins with the key that it is about.
func (r *run) refused(check string, err error, do string) {
	key, what, _ := strings.Cut(err.Error(), ": ")
	r.fail(check, key, what, do)
}

// secret looks at who may read a file.
func (r *run) secret(check, of, path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		r.fail(check, of, err.Error(), "put the file there, readable for the user of the bridge")
	case info.Mode().Perm()&0o007 != 0:
		r.warn(check, of, fmt.Sprintf("%s can be read by every user of this machine (mode %04o)", path, info.Mode().Perm()), "chmod 0400, or 0440 with a group of the bridge's own")
	default:
		r.ok(check, of, "%s, mode %04o", path, info.Mode().Perm())
	}
}

// keys looks at the file with the keys of personal texts.
func (r *run) keys() {
	path := r.Config.Encryption.KeysFile
	if path == "" {
		return
	}
	const of = "encryption.keys_file"
	r.secret("encryption", of, path)
	if keys, err := seal.Load(path); err == nil {
		r.ok("encryption", of, "key %s seals", keys.Sealing())
	} else if !errors.Is(err, fs.ErrNotExist) { // that is said
		r.fail("encryption", of, err.Error(), "correct the file; docs/security.md says what is in it")
	}
}

// certificates looks at when those of a file end.
func (r *run) certificates(check, of, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		r.fail(check, of, err.Error(), "put the file there, readable for the user of the bridge")
		return
	}
	first := time.Time{}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		if first.IsZero() || cert.NotAfter.Before(first) {
			first = cert.NotAfter
		}
	}
	left := first.Sub(r.Now())
	switch end := first.UTC().Format(time.DateOnly); {
	case first.IsZero():
		r.fail(check, of, path+" has no certificate", "want PEM")
	case left <= 0:
		r.fail(check, of, fmt.Sprintf("%s has a certificate that ended on %s", path, end), "renew it")
	case left < certificateNotice:
		r.warn(check, of, fmt.Sprintf("%s has a certificate that ends on %s, in %d days", path, end, int(left.Hours()/24)), "renew it")
	default:
		r.ok(check, of, "%s, good until %s", path, end)
	}
}

// files are the directory and its categories.
func (r *run) files() {
	c := r.Config
	categories := directory.DefaultCategories()
	if c.CategoriesFile != "" {
		data, err := os.ReadFile(c.CategoriesFile)
		if err == nil {
			categories, err = directory.ParseCategories(data)
		}
		if err != nil {
			r.fail("files", "categories_file", err.Error(), "correct the file, or leave the key out to use the built-in table")
			return
		}
		r.ok("files", "categories_file", "%s", c.CategoriesFile)
	}
	if c.DirectoryFile == "" {
		r.ok("files", "directory_file", "none: categories, cities and venues are taken from events alone")
		return
	}
	if _, err := directory.Load(c.DirectoryFile, categories); err != nil {
		r.fail("files", "directory_file", err.Error(), "correct the file: a running instance keeps the previous one, a new one does not start")
		return
	}
	r.ok("files", "directory_file", "%s", c.DirectoryFile)
}

// state looks at the folder of the state and its disk, and creates nothing but a file that it removes.
func (r *run) state() {
	folder := r.Config.StateDir
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.newState(folder)
	case err != nil:
		r.fail("state", "state_dir", err.Error(), "give the user of the bridge a folder that it may write to")
		return
	case !info.IsDir():
		r.fail("state", "state_dir", folder+" is not a folder", "name a folder")
		return
	default:
		r.oldState(folder, info)
	}
	r.disk(folder)
}

func (r *run) newState(folder string) {
	parent := existingParent(folder)
	if err := writable(parent); err != nil {
		r.fail("state", "state_dir", fmt.Sprintf("%s does not exist and cannot be created: %v", folder, err), "create it for the user of the bridge, with mode 0700, on a disk that outlives restarts")
		return
	}
	r.ok("state", "state_dir", "%s will be created; the tables are then read from Kafka", folder)
}

func (r *run) oldState(folder string, info fs.FileInfo) {
	if err := writable(folder); err != nil {
		r.fail("state", "state_dir", err.Error(), "give the folder to the user of the bridge")
		return
	}
	if open := OpenFolder(folder, info); open != "" {
		r.warn("state", "state_dir", open, "chmod 0700 "+folder)
		return
	}
	r.ok("state", "state_dir", "%s can be written, mode 0700", folder)
}

// OpenFolder says that a state folder may be read by others than its owner, "" if it may not.
func OpenFolder(folder string, info fs.FileInfo) string {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Sprintf("%s has mode %04o: its tables have personal data, and other users of this machine may read them", folder, mode)
	}
	return ""
}

func writable(folder string) error {
	file, err := os.CreateTemp(folder, ".check.*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// existingParent is the folder in which the first one would be created that is not there.
func existingParent(folder string) string {
	for {
		parent := filepath.Dir(folder)
		if _, err := os.Stat(parent); err == nil || parent == folder {
			return parent
		}
		folder = parent
	}
}

func (r *run) disk(folder string) {
	if _, err := os.Stat(folder); err != nil {
		folder = existingParent(folder)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(folder, &st); err != nil {
		r.warn("state", "disk", fmt.Sprintf("how much is free is not known: %v", err), "look at it by hand")
		return
	}
	free, size := st.Bavail*uint64(st.Bsize), st.Blocks*uint64(st.Bsize)
	found := fmt.Sprintf("%s of %s are free", bytesText(free), bytesText(size))
	const do = "make room, or put state_dir on a larger disk: an instance with a full disk stops"
	switch {
	case free < leastDisk:
		r.fail("state", "disk", found, do)
	case free < scarceDisk || float64(free) < scarceShare*float64(size):
		r.warn("state", "disk", found, do)
	default:
		r.ok("state", "disk", "%s", found)
	}
}

// bytesText is a size with two digits or more.
func bytesText(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, u := float64(n), 0
	for f >= 1024 && u < len(units)-1 {
		f, u = f/1024, u+1
	}
	return fmt.Sprintf("%.1f %s", f, units[u])
}
