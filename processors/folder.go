package processors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// folderFile is where a state folder says which topics its tables were read from.
const folderFile = "tables.json"

// FolderError says that a state folder was filled from other topics than those that are there: from another cluster, or
// from topics that were deleted since. Its rows would be taken for those of the present tables.
type FolderError struct {
	Dir   string
	Lines []string // one per table
}

// Error implements error.
func (e *FolderError) Error() string {
	return fmt.Sprintf("the state folder %s is of other topics: %s; is it another cluster, or another instance's disk? Delete the folder, and it is read again from the tables of this deployment; or set another state_dir",
		e.Dir, strings.Join(e.Lines, "; "))
}

// StateFolder is where the state of a deployment's instance is.
func (cfg Config) StateFolder() string { return filepath.Join(cfg.StateDir, cfg.Topics.Name) }

// LookAtFolder reports, with a FolderError, that the state folder is of other topics. It writes nothing.
func LookAtFolder(cfg Config, state *kafka.Admin) error {
	_, _, err := lookAtFolder(cfg, state)
	return err
}

func lookAtFolder(cfg Config, state *kafka.Admin) (was, is kafka.Identity, err error) {
	tables := []string{tableOf(cfg.Topics.organizersGroup()), tableOf(cfg.Topics.gateGroup())}
	if is, err = state.Identity(tables); err != nil {
		return nil, nil, err
	}
	data, err := os.ReadFile(filepath.Join(cfg.StateFolder(), folderFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, is, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(data, &was); err != nil {
		return nil, nil, &FolderError{Dir: cfg.StateFolder(), Lines: []string{folderFile + " in it cannot be read"}}
	}
	var lines []string
	for _, name := range tables {
		if id := was[name].ID; id != "" && id != is[name].ID {
			lines = append(lines, fmt.Sprintf("%s had the id %s and has %s", name, id, is[name].ID))
		}
	}
	if len(lines) > 0 {
		return nil, nil, &FolderError{Dir: cfg.StateFolder(), Lines: lines}
	}
	return was, is, nil
}

// claimFolder refuses a state folder of other topics, and has a new one say which ones it is of. One that an earlier
// version has filled is taken for what it says it is.
func (cfg Config) claimFolder(state *kafka.Admin) error {
	was, is, err := lookAtFolder(cfg, state)
	if err != nil || was != nil {
		return err
	}
	data, err := json.Marshal(is)
	if err != nil {
		return err
	}
	if err := writeDurably(filepath.Join(cfg.StateFolder(), folderFile), data); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	return nil
}

// writeDurably leaves the whole file behind or none, also when the machine stops meanwhile.
func writeDurably(path string, data []byte) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	parent, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}
