package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/seal"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// withKeys has a bridge seal personal texts with the keys of the configuration, if there are any.
func withKeys(cfg processors.Config, c config.Config) (processors.Config, error) {
	if c.Encryption.KeysFile == "" {
		return cfg, nil
	}
	keys, err := seal.Load(c.Encryption.KeysFile)
	if err != nil {
		return cfg, refusef("encryption.keys_file: %w", err)
	}
	cfg.Personal = keys
	return cfg, nil
}

type encryptionOptions struct {
	config string
	rate   int
	json   bool

	// progressEvery is how often to say how far it is.
	progressEvery time.Duration
}

func newEncryptionCommand(a *app) *cobra.Command {
	group := &cobra.Command{
		Use:   "encryption",
		Short: "See with which keys personal texts are sealed, and renew them",
		Long: `encryption is about the personal texts of orders (name, e-mail, phone, barcodes) in the
bridge's internal topics and tables, which are encrypted when encryption.keys_file is
set. The first key of that file seals, all of them open.

To have a new key: add its line as the last to the file of every instance and restart
them; make it the first line everywhere and restart them; run encryption renew; and
when encryption status no longer shows the old key, take its line out.`,
		Args: cobra.ArbitraryArgs,
		RunE: wantCommand(a),
	}
	group.AddCommand(newEncryptionStatusCommand(a), newEncryptionRenewCommand(a))
	return group
}

func newEncryptionStatusCommand(a *app) *cobra.Command {
	var o encryptionOptions
	cmd := &cobra.Command{
		Use:   "status --config FILE",
		Short: "Count what another key than the present one has sealed",
		Long: `status counts the rows of the gate's table that another key than the first of
encryption.keys_file has sealed, or none, and the records of the internal topic of
orders by the key that has sealed them. A key that neither shows is not needed.

It reads both to their ends and changes nothing; the bridge need not run. It ends with
exit code 3 when there are rows of another key.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			state, _, err := o.read(cmd, a)
			if err != nil {
				return err
			}
			if err := o.print(a, newEncryptionReport(state)); err != nil {
				return err
			}
			if n := len(state.Renew().Commands); n > 0 {
				return &codedError{code: codeChecks, err: fmt.Errorf("%s not sealed with %s: vibe-bridge encryption renew", count(n, "row"), sealingName(state.Sealing))}
			}
			return nil
		},
	}
	o.bind(cmd)
	return cmd
}

func newEncryptionRenewCommand(a *app) *cobra.Command {
	o := encryptionOptions{progressEvery: 5 * time.Second}
	cmd := &cobra.Command{
		Use:   "renew --config FILE",
		Short: "Have the running bridge seal with the present key what another has sealed",
		Long: `renew has the bridge write every row of the gate's table again that another key than the
first of encryption.keys_file has sealed, or none. No slim record is sent because of it,
but for an instance that starts, or takes a partition over, while commands wait: it
sends what they are about once more, with the same bytes.

It only writes commands, to a topic of the bridge itself, and returns when they are
acknowledged; an instance that runs, or the next that starts, carries them out. It may
be repeated. Records of internal topics stay as they are until internal_retention is over.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.rate < 1 {
				return refusef("--rate %d: want 1 or more", o.rate)
			}
			state, cfg, err := o.read(cmd, a)
			if err != nil {
				return err
			}
			if state.Sealing == "" {
				return refusef("encryption.keys_file is not set: nothing would be sealed")
			}
			return o.renew(cmd.Context(), a, cfg, state.Renew())
		},
	}
	cmd.Flags().IntVar(&o.rate, "rate", 1000, "commands per second, at most")
	o.bind(cmd, "rate")
	return cmd
}

func (o *encryptionOptions) bind(cmd *cobra.Command, own ...string) {
	cmd.Flags().StringVar(&o.config, "config", "", "configuration file (YAML)")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
	config.BindFlags(cmd.Flags())
	showFlags(cmd, append(own, "config", "json", "name", "state-brokers", "encryption-keys-file")...)
}

func (o *encryptionOptions) read(cmd *cobra.Command, a *app) (state processors.SealedState, cfg processors.Config, err error) {
	c, err := loadConfig(a, o.config, cmd.Flags())
	if err != nil {
		return state, cfg, err
	}
	c.DirectoryFile, c.CategoriesFile = "", "" // nothing is mapped here
	if cfg, err = bridgeConfig(c); err != nil {
		return state, cfg, err
	}
	if cfg, err = withKeys(cfg, c); err != nil {
		return state, cfg, err
	}
	if err := processors.CheckGate(cfg); err != nil {
		return state, cfg, refuse(err)
	}
	if state, err = processors.ReadSealed(cmd.Context(), cfg); err != nil {
		return state, cfg, refuse(err)
	}
	return state, cfg, nil
}

func (o *encryptionOptions) renew(ctx context.Context, a *app, cfg processors.Config, plan processors.Resync) error {
	sent, err := plan.Send(ctx, cfg, o.rate, progress(a.stderr, len(plan.Commands), o.progressEvery))
	if err != nil {
		return fmt.Errorf("renew: %d of %s acknowledged; it may be repeated: %w", sent, count(len(plan.Commands), "command"), err)
	}
	if o.json {
		return printJSON(a.stdout, struct {
			Commands int `json:"commands"`
			Sent     int `json:"acknowledged"`
		}{len(plan.Commands), sent})
	}
	_, err = fmt.Fprintf(a.stdout, "%s sent and acknowledged: to seal again as many rows\n", count(sent, "command"))
	return err
}

// encryptionReport is what status prints. Counts are by the id of a key; unsealed is what none has sealed.
type encryptionReport struct {
	Sealing string         `json:"sealing"` // "": nothing is sealed
	Rows    map[string]int `json:"rows_of_other_keys"`
	Records map[string]int `json:"records"`
}

const unsealed = "unsealed"

func newEncryptionReport(s processors.SealedState) encryptionReport {
	named := func(counts map[string]int) map[string]int {
		n := map[string]int{}
		for id, count := range counts {
			if id == "" {
				id = unsealed
			}
			n[id] = count
		}
		return n
	}
	return encryptionReport{s.Sealing, named(s.Rows), named(s.Records)}
}

func (o *encryptionOptions) print(a *app, r encryptionReport) error {
	if o.json {
		return printJSON(a.stdout, r)
	}
	_, err := fmt.Fprintf(a.stdout, "what is written now is %s\nrows not so: %s\nrecords in the internal topic of orders: %s\n",
		sealedBy(r.Sealing), countsByKey(r.Rows), countsByKey(r.Records))
	return err
}

func sealedBy(id string) string {
	if id == "" {
		return "not sealed: encryption.keys_file is not set"
	}
	return "sealed with " + sealingName(id)
}

func sealingName(id string) string {
	if id == "" {
		return "no key"
	}
	return "key " + id
}

func countsByKey(counts map[string]int) string {
	if len(counts) == 0 {
		return "none"
	}
	var all []string
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s %d", id, counts[id]))
	}
	return strings.Join(all, ", ")
}
